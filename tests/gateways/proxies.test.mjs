import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';
import { handshake } from '../lib/raw.mjs';
import { Server } from '../lib/server.mjs';
import { within } from '../lib/wait.mjs';

// The proxy's address; the tests' own clients have 127.0.0.1.
const PROXY = '127.0.0.2';

let server;
before(async () => {
  server = await Server.start({
    env: {
      TIDINGS__PROXIES__TRUSTED: `${PROXY}/32`,
      TIDINGS__PROXIES__HEADER: 'x-forwarded-for',
      TIDINGS__PROXIES__PROTOCOL_LISTENERS: 'tasks',
      TIDINGS__LIMITS__CONNECTIONS_PER_ADDRESS_MAX: '1',
    },
  });
});
after(() => server?.stop());

const port = (gateway) => Number(server[gateway].address.split(':').pop());

/** A socket of the proxy's with these bytes in front. */
function fromProxy(to, header) {
  const socket = net.connect({ port: to, host: '127.0.0.1', localAddress: PROXY });
  socket.write(header);
  return socket;
}

/** What becomes of a WebSocket: its first message, or its close. */
function outcome(socket) {
  return within(new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve({ type: JSON.parse(data).type }));
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    socket.once('error', reject);
  }), 5_000, 'a message or a close');
}

const line = (source) => `PROXY TCP4 ${source} 10.0.0.1 5000 443\r\n`;
const welcome = { type: 'connected' };
const refused = { code: 4429, reason: 'rate_limited' };

describe('proxies: the PROXY protocol', () => {
  const open = (header) => new WebSocket(`${server.tasks.ws}/ws?user_id=ada`, { createConnection: () => fromProxy(port('tasks'), header) });

  it('counts the client that the proxy names', async () => {
    const clients = [line('192.0.2.7'), line('192.0.2.8')].map(open);
    assert.deepEqual(await Promise.all(clients.map(outcome)), [welcome, welcome]);
    assert.deepEqual(await outcome(open(line('192.0.2.7'))), refused);
    clients.forEach((client) => client.terminate());
  });

  it('reads version 2', async () => {
    const header = Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c', 'latin1'), Buffer.from([192, 0, 2, 9, 10, 0, 0, 1, 1, 2, 1, 0xbb])]);
    const client = open(header);
    assert.deepEqual(await outcome(client), welcome);
    assert.deepEqual(await outcome(open(line('192.0.2.9'))), refused);
    client.terminate();
  });

  it('refuses a connection of the proxy without a header', async () => {
    const socket = fromProxy(port('tasks'), handshake(port('tasks'), { path: '/ws?user_id=ada' }));
    let answer = '';
    socket.on('data', (data) => { answer += data; });
    socket.on('error', () => {});
    await within(new Promise((resolve) => socket.once('close', resolve)), 5_000, 'the end');
    assert.equal(answer, '');
    const metrics = await server.operator('GET', '/metrics');
    assert.match(metrics.text, /^tidings_handshakes_refused_total\{reason="proxy_protocol"\} 1$/m);
  });

  it('needs none of others', async () => {
    const client = new WebSocket(`${server.tasks.ws}/ws?user_id=ada`);
    assert.deepEqual(await outcome(client), welcome);
    client.terminate();
  });
});

describe('proxies: forwarding headers', () => {
  const token = () => server.token('ada');
  const open = (forwarded, localAddress) => new WebSocket(`${server.workflows.ws}/api/v1/ws?token=${token()}`, {
    localAddress, headers: { 'x-forwarded-for': forwarded },
  });
  const greeted = { type: 'connection' };

  it('count the rightmost address that is no proxy of ours', async () => {
    const clients = [open('198.51.100.1, 192.0.2.7', PROXY), open(`198.51.100.1, 192.0.2.8, ${PROXY}`, PROXY)];
    assert.deepEqual(await Promise.all(clients.map(outcome)), [greeted, greeted]);
    assert.deepEqual(await outcome(open('192.0.2.7', PROXY)), refused);
    clients.forEach((client) => client.terminate());
  });

  it('say nothing when others send them', async () => {
    const client = open('192.0.2.10', '127.0.0.1');
    assert.deepEqual(await outcome(client), greeted);
    assert.deepEqual(await outcome(open('192.0.2.11', '127.0.0.1')), refused);
    client.terminate();
  });
});
