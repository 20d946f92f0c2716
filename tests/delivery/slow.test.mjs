// 50 of 1,000 clients stop reading. Each is cut at its outbox's limit, the others lose nothing, memory returns.
// (What the others' latency pays for it is measured by the bench, not here.)
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import WebSocket from 'ws';
import { request } from '../lib/http.mjs';
import { Server } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

const CLIENTS = 1_000;
const DEAF = 50;
const CONTROLS = 50; // in the heavy room as well, and reading
const HEAVY_BYTES = 64 * 1024;
const HEAVY_PUBLISHES_MAX = 800;
const OWNER = 'slow-owner';
const [EVERYONE, HEAVY] = ['execution:slow-everyone', 'execution:slow-heavy'];

let server;
before(async () => {
  server = await Server.start();
  const put = async (target, body) => assert.ok((await server.backend('PUT', `/api/v1${target}`, body)).status < 300, target);
  await put('/workflows/slow', { owner_id: OWNER });
  for (const room of [EVERYONE, HEAVY]) await put(`/executions/${room.split(':')[1]}`, { workflow_id: 'slow' });
});
after(() => server?.stop());

/** A client that keeps the numbers of the events it got, by room. */
class Client {
  light = [];
  heavy = [];
  closeCode = null;

  constructor(rooms) {
    this.rooms = rooms;
    this.socket = new WebSocket(`${server.workflows.ws}/api/v1/ws?token=${server.token(OWNER)}`, { perMessageDeflate: false });
    this.socket.on('error', () => {}); // a reset is a close with 1006
    this.socket.on('close', (code) => { this.closeCode = code; });
    let confirmed = 0;
    this.ready = new Promise((resolve, reject) => {
      this.socket.once('open', () => rooms.forEach((room) => this.socket.send(JSON.stringify({ type: 'subscribe', room_id: room }))));
      this.socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
      this.socket.on('message', (data) => {
        const kind = /^\{"type":"(\w+)"/.exec(data.subarray(0, 40).toString())?.[1];
        if (kind === 'subscription' && ++confirmed === rooms.length + 1) resolve();
        // A heavy event is not parsed whole: its number stands first in its data.
        else if (kind === 'light') this.light.push(JSON.parse(data).data.n);
        else if (kind === 'heavy') this.heavy.push(Number(/"n":(\d+)/.exec(data.subarray(0, 80).toString())[1]));
      });
    });
    this.ready.catch(() => {});
  }

  stopReading() { this.socket.pause(); }
  readAgain() { this.socket.resume(); }
}

it('each deaf client is cut, the others lose nothing, memory returns', { timeout: 170_000 }, async (t) => {
  const clients = Array.from({ length: CLIENTS }, (_, n) => new Client(n < DEAF + CONTROLS ? [EVERYONE, HEAVY] : [EVERYONE]));
  await within(Promise.all(clients.map((client) => client.ready)), 30_000, 'all subscriptions');
  const [deaf, others] = [clients.slice(0, DEAF), clients.slice(DEAF)];
  const controls = others.slice(0, CONTROLS);
  const connected = async () => (await request(`${server.workflows.http}/api/v1/ws/stats`, { token: server.token(OWNER) })).json.total_connections;
  const cut = async () => {
    const { text } = await request(`${server.operators.http}/metrics`);
    return Number(/^tidings_connections_closed_total\{code="4508"\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  assert.equal(await connected(), CLIENTS);

  deaf.forEach((client) => client.stopReading());
  const residentBefore = server.residentKib;
  const padding = 'x'.repeat(HEAVY_BYTES);
  let [light, heavy, residentPeak] = [0, 0, 0];
  // The kernel holds what it likes for a client that does not read: publish until the server has seen enough.
  while (await cut() < DEAF) {
    assert.ok(heavy < HEAVY_PUBLISHES_MAX, `${await cut()} cut after ${heavy} events of ${HEAVY_BYTES} bytes`);
    for (let n = 0; n < 8; n += 1) await server.publish({ room: HEAVY, kind: 'heavy', event: 'e', data: { n: heavy++, padding } });
    await server.publish({ room: EVERYONE, kind: 'light', event: 'e', data: { n: light++ } });
    residentPeak = Math.max(residentPeak, server.residentKib);
    // At the pace of the readers: who does read must not be cut because this process is slow.
    await until(() => controls.every((client) => client.heavy.length === heavy), 30_000, 'the controls have the heavy events');
  }
  t.diagnostic(`cut after ${heavy} events of ${HEAVY_BYTES} bytes; resident ${residentBefore} KiB before, ${residentPeak} KiB at most`);

  for (let n = 0; n < 20; n += 1) await server.publish({ room: EVERYONE, kind: 'light', event: 'e', data: { n: light++ } });
  const numbers = (count) => Array.from({ length: count }, (_, n) => n);
  await until(() => others.every((client) => client.light.length >= light), 30_000, 'the others have all events');
  for (const client of others) assert.deepEqual(client.light, numbers(light));
  for (const client of controls) assert.deepEqual(client.heavy, numbers(heavy));
  assert.ok(others.every((client) => client.closeCode === null), 'a client that reads was cut');
  // Who does not read cannot take the close frame either, and is reset when its time is over.
  await until(async () => await connected() === CLIENTS - DEAF, 10_000, 'the deaf clients are gone');
  assert.equal(await cut(), DEAF);

  deaf.forEach((client) => client.readAgain());
  await until(() => deaf.every((client) => client.closeCode !== null), 30_000, 'the deaf clients learn of it');
  for (const client of deaf) assert.ok([4508, 1006].includes(client.closeCode), `${client.closeCode}`);
  const allowed = residentBefore + 32 * 1024;
  await until(() => server.residentKib <= allowed, 45_000, () => `memory is back at ${allowed} KiB, is ${server.residentKib}`);
  clients.forEach((client) => client.socket.terminate());
});
