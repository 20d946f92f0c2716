import assert from 'node:assert/strict';
import { after, afterEach } from 'node:test';
import { Inbox } from './inbox.mjs';
import { RawSocket } from './raw.mjs';
import { Server } from './server.mjs';
import { portOf } from './wire.mjs';

/** Two clients' own addresses. */
export const [ADA, BOB] = ['127.0.0.2', '127.0.0.3'];

const servers = [];
/** A server with these limits. It ends with the test. */
export async function start(limits, more = {}) {
  const env = Object.fromEntries(Object.entries(limits).map(([key, value]) => [`TIDINGS__LIMITS__${key.toUpperCase()}`, `${value}`]));
  const server = await Server.start({ env: { ...env, ...more } });
  servers.push(server);
  return server;
}
afterEach(async () => {
  await Inbox.endAll();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});
after(() => Promise.all(servers.map((server) => server.stop())));

/** A WebSocket to the tasks gateway. */
export const tasks = (server, user = 'ada', options = {}) => RawSocket.open(portOf(server.tasks), { path: `/ws?user_id=${user}`, ...options });

/** The same, its welcome read. */
export async function welcomed(server, user, options) {
  const socket = await tasks(server, user, options);
  assert.equal(JSON.parse((await socket.next()).payload).type, 'connected');
  return socket;
}
