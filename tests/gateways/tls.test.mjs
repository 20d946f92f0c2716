import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';
import { FlowClient } from '../lib/flow.mjs';
import { run } from '../lib/process.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { Authority, secureRequest, serialAt } from '../lib/tls.mjs';
import { Queue, until, within } from '../lib/wait.mjs';

const SWAPS = 100;
const PROXY = '127.0.0.2';

let server;
let authority;
let pairs;
before(async () => {
  authority = new Authority();
  // Before any connection is there: this takes seconds in which nothing else runs here.
  pairs = Array.from({ length: SWAPS }, (_, place) => authority.issue(place + 100));
  server = await Server.start({
    tls: { listeners: ['flow', 'tasks', 'workflows'], authority },
    env: {
      TIDINGS__TLS__RELOAD_INTERVAL_MS: '50',
      TIDINGS__LIMITS__HTTP2_STREAMS_MAX: '9',
      TIDINGS__PROXIES__TRUSTED: PROXY,
      TIDINGS__PROXIES__PROTOCOL_LISTENERS: 'tasks',
    },
  });
});
after(async () => {
  await server?.stop();
  authority?.remove();
});

const port = (gateway) => Number(server[gateway].address.split(':').pop());
const metric = async (name) => {
  const { text } = await server.operator('GET', '/metrics');
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line && Number(line.slice(name.length + 1));
};

/** A stock WebSocket whose messages are kept; the welcome is taken. */
async function open(user, options = {}) {
  const socket = new WebSocket(`${server.tasks.ws}/ws?user_id=${user}`, { ca: authority.ca, ...options });
  const messages = new Queue();
  socket.on('message', (data) => messages.push(JSON.parse(data)));
  socket.on('error', (error) => messages.end(error));
  socket.closed = new Promise((resolve) => socket.once('close', (code, reason) => {
    messages.end(new Error(`closed with ${code}`));
    resolve({ code, reason: reason.toString() });
  }));
  socket.next = () => within(messages.take(), 5_000, 'a message');
  assert.equal((await socket.next()).type, 'connected');
  return socket;
}

const taskEvent = (user, task) => JSON.stringify({ event_type: 'task.created', user_id: user, task_id: task, title: 'x' });
const post = (body) => secureRequest(`${server.tasks.http}/task-updates`, authority, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body,
});

describe('tls: who is spoken with', () => {
  it('a WebSocket gets its events in order', async () => {
    const socket = await open('ada');
    for (let task = 0; task < 200; task += 1) assert.equal((await post(taskEvent('ada', `${task}`))).status, 200);
    for (let task = 0; task < 200; task += 1) assert.equal((await socket.next()).event.task_id, `${task}`);
    socket.close(3999);
    assert.deepEqual(await socket.closed, { code: 3999, reason: '' });
  });

  it('compressed for who agreed to it', async () => {
    const socket = await open('deflated', { perMessageDeflate: true });
    assert.equal(socket.extensions, 'permessage-deflate');
    const before = await metric('tidings_deflated_messages_total');
    const data = { text: 'data that compresses well; '.repeat(500) };
    await server.publish({ room: 'user:deflated', kind: 'notice', event: 'news', data });
    assert.deepEqual((await socket.next()).event, data);
    assert.equal(await metric('tidings_deflated_messages_total') - before, 1);
    socket.terminate();
  });

  it('a large event comes whole', async () => {
    const socket = await open('grace');
    const title = 'x'.repeat(200_000);
    await server.publish({ room: 'user:grace', kind: 'notice', event: 'large', data: { title } });
    assert.ok(JSON.stringify(await socket.next()).includes(title));
    socket.terminate();
  });

  it('a client that does not know the authority refuses', async () => {
    const socket = new WebSocket(`${server.tasks.ws}/ws?user_id=ada`);
    const [error] = await once(socket, 'error');
    assert.match(error.code, /SELF_SIGNED|UNABLE_TO/);
  });

  it('plain HTTP gets an orderly end and no answer', async () => {
    const socket = net.connect(port('tasks'), '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => { answer += data.toString('latin1'); });
    socket.write(`GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(12_000)}\r\n\r\n`);
    await within(once(socket, 'end'), 5_000, 'the end'); // a reset would be an error
    assert.ok(!answer.startsWith('HTTP'), answer);
  });

  it('TLS 1.2 and 1.3, and nothing older', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const socket = tls.connect({ port: port('tasks'), host: '127.0.0.1', ca: authority.ca, minVersion: version, maxVersion: version });
      await once(socket, 'secureConnect');
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    const old = tls.connect({ port: port('tasks'), host: '127.0.0.1', ca: authority.ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    await once(old, 'error');
  });

  it('a PROXY protocol header stands before the handshake', async () => {
    const createConnection = () => {
      const plain = net.connect({ port: port('tasks'), host: '127.0.0.1', localAddress: PROXY });
      plain.write('PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n');
      return tls.connect({ socket: plain, host: '127.0.0.1', ca: authority.ca });
    };
    const socket = await open('proxied', { createConnection });
    socket.terminate();
  });
});

describe('tls: Socket.IO', () => {
  const roundTrip = async (options) => {
    const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1, ca: authority.ca, ...options });
    const engine = client.socket.io.engine;
    if (options.upgrade) await within(new Promise((resolve) => (engine.transport.name === 'websocket' ? resolve() : engine.once('upgrade', resolve))), 5_000, 'the upgrade');
    const { response, before } = await client.command('create_lead', { name: 'Ada Lovelace', email: 'ada@example.com' });
    assert.ok(response.success, JSON.stringify(response));
    assert.deepEqual(before.map(({ data }) => data.type), ['VOICE_PROCESSING_STARTED', 'LEAD_CREATED', 'VOICE_COMMAND_EXECUTED', 'VOICE_PROCESSING_COMPLETED']);
    const { name } = engine.transport;
    client.close();
    return name;
  };

  it('on polling alone', async () => assert.equal(await roundTrip({ transports: ['polling'] }), 'polling'));
  it('on WebSocket alone', async () => assert.equal(await roundTrip({ transports: ['websocket'] }), 'websocket'));
  it('from polling to WebSocket', async () => assert.equal(await roundTrip({ upgrade: true }), 'websocket'));

  it('compressed from the move to a WebSocket on', async () => {
    const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1, ca: authority.ca, perMessageDeflate: { threshold: 0 } });
    const { engine } = client.socket.io;
    await until(() => engine.transport.name === 'websocket' && !engine.upgrading, 5_000, 'the WebSocket');
    assert.equal(engine.transport.ws.extensions, 'permessage-deflate');
    // The client counts itself moved once it has said so; what is answered over the WebSocket says that the server has heard it.
    assert.ok((await client.command('get_leads', { limit: 1 })).response.success);
    const before = await metric('tidings_deflated_messages_total');
    const data = { text: 'data that compresses well; '.repeat(500) };
    await server.publish({ room: 'tenant:demo1', kind: 'news', data });
    assert.deepEqual(await client.next('news'), data);
    assert.equal(await metric('tidings_deflated_messages_total') - before, 1);
    client.close();
  });

  it('commands during the upgrade lose nothing and keep their order', async () => {
    const client = await FlowClient.open(server, { key: DEMO_KEYS.demo2, ca: authority.ca });
    const limits = Array.from({ length: 50 }, (_, place) => place + 1);
    for (const limit of limits) client.emit('get_leads', { limit });
    const executed = [];
    while (executed.length < limits.length) {
      const event = await client.next('voice_event');
      if (event.type === 'VOICE_COMMAND_EXECUTED') executed.push(event.data.parameters.limit);
    }
    assert.deepEqual(executed, limits);
    client.close();
  });
});

describe('tls: HTTP/2', () => {
  const curl = (...args) => run('curl', ['-sS', '--cacert', authority.caFile, '-o', '/dev/null', '-w', '%{http_version} %{http_code}', ...args]);

  it('curl gets the version it asks for', () => {
    const leads = [`${server.flow.http}/leads`, '-H', `x-tenant-key: ${DEMO_KEYS.demo1}`];
    assert.equal(curl('--http2', ...leads), '2 200');
    assert.equal(curl('--http1.1', ...leads), '1.1 200');
    assert.equal(curl('--http2', `${server.tasks.http}/ws`), '2 426');
    assert.equal(curl('--http2', '-d', taskEvent('ada', '1'), '-H', 'content-type: application/json', `${server.tasks.http}/task-updates`), '2 200');
  });

  it('Engine.IO polls over it', async () => {
    const session = http2.connect(server.flow.http, { ca: authority.ca });
    const ask = async (path, { method = 'GET', body } = {}) => {
      const stream = session.request({ ':method': method, ':path': path, 'x-tenant-key': DEMO_KEYS.demo1 });
      stream.setEncoding('utf8').end(body);
      let text = '';
      stream.on('data', (data) => { text += data; });
      const [headers] = await within(once(stream, 'response'), 5_000, 'an answer');
      await once(stream, 'end');
      assert.equal(headers[':status'], 200, text);
      return text;
    };
    const base = '/socket.io/?EIO=4&transport=polling';
    const path = `${base}&sid=${JSON.parse((await ask(base)).slice(1)).sid}`;
    assert.equal(await ask(path, { method: 'POST', body: '40/events,' }), 'ok');
    let packets = '';
    while (!packets.includes('"connected"')) packets += await ask(path);
    // A GET that waits, and the POST whose answer it gets, on one connection.
    const waiting = ask(path);
    assert.equal(await ask(path, { method: 'POST', body: '42/events,7["execute_voice_command",{"command":"get_leads"}]' }), 'ok');
    packets = await waiting;
    while (!packets.includes('43/events,7')) packets += await ask(path);
    assert.equal(session.remoteSettings.maxConcurrentStreams, 9);
    session.close();
  });
});

describe('tls: event streams over HTTP/2', () => {
  const EVENT_BYTES = 50_000;
  let slow;
  before(async () => {
    slow = await Server.start({
      tls: { listeners: ['tasks'], authority },
      env: { TIDINGS__LIMITS__CLOSE_TIMEOUT_MS: '300', TIDINGS__LIMITS__OUTBOX_AGE_MS_MAX: '20000' },
    });
  });
  after(() => slow?.stop());

  /** A stream of this user, on this session. */
  async function stream(session, user) {
    const opened = session.request({ ':path': `/sse?user_id=${user}` });
    opened.setEncoding('utf8').end();
    const [headers] = await within(once(opened, 'response'), 5_000, 'an answer');
    assert.equal(headers[':status'], 200);
    return opened;
  }
  const sse = async () => {
    const { text } = await slow.operator('GET', '/metrics');
    return Number(/^tidings_connections\{gateway="tasks",transport="sse"\} (\d+)$/m.exec(text)[1]);
  };
  const publish = (user, n, bytes) => slow.publish({ room: `user:${user}`, kind: 'notice', event: 'n', data: { n, text: 'x'.repeat(bytes) } });

  it('one that is not read is cut, and its sibling goes on', async () => {
    const session = http2.connect(slow.tasks.http, { ca: authority.ca });
    await once(session, 'connect');
    // So that the one that is not read leaves room on the connection.
    session.setLocalWindowSize(1024 * 1024);
    const [read, stuck] = [await stream(session, 'reads'), await stream(session, 'stuck')];
    let text = '';
    read.on('data', (data) => { text += data; });
    assert.equal(await sse(), 2);
    const closed = once(stuck, 'close');
    // Beyond an outbox and what HTTP/2 holds.
    for (let n = 0; n < 40; n += 1) await publish('stuck', n, EVENT_BYTES);
    await within(closed, 10_000, 'the end of the stream');
    assert.equal(stuck.rstCode, http2.constants.NGHTTP2_CANCEL);
    await until(async () => (await sse()) === 1, 5_000, 'its place');
    await publish('reads', 41, EVENT_BYTES);
    await until(() => text.includes('"n":41'), 5_000, 'an event of the sibling');
    assert.equal(session.destroyed, false);
    read.close();
    await until(async () => (await sse()) === 0, 5_000, 'the other place');
    session.close();
  });
});

describe('tls: the certificate changes', () => {
  it(`${SWAPS} times under load without a failed request`, async (test) => {
    const loadedBefore = await metric('tidings_tls_reloads_total{result="loaded"}');
    const held = await Promise.all(Array.from({ length: 20 }, (_, place) => open(`held-${place}`)));
    const keptAlive = new https.Agent({ keepAlive: true, ca: authority.ca });
    const failures = [];
    const counts = { requests: 0, websockets: 0, kept: 0 };
    let isOver = false;
    const load = async (kind, once_) => {
      while (!isOver) {
        try {
          await once_();
          counts[kind] += 1;
        } catch (error) {
          failures.push(`${kind}: ${error.message}`);
          return;
        }
      }
    };
    const healthy = async (agent) => assert.equal((await secureRequest(`${server.workflows.http}/health`, authority, { agent })).status, 200);
    const loads = [
      ...Array.from({ length: 3 }, () => load('requests', () => healthy(false))),
      load('kept', () => healthy(keptAlive)),
      ...Array.from({ length: 2 }, (_, place) => load('websockets', async () => {
        const socket = await open(`load-${place}`);
        socket.close(1000);
        assert.equal((await socket.closed).code, 1000);
      })),
    ];
    for (const [place, pair] of pairs.entries()) {
      authority.install(pair);
      await until(async () => (await serialAt(server.tasks.address, authority)) === place + 100, 10_000, `certificate ${place + 100}`);
    }
    isOver = true;
    await Promise.all(loads);
    keptAlive.destroy();
    assert.deepEqual(failures, []);
    for (const [kind, count] of Object.entries(counts)) assert.ok(count > 0, `no ${kind} ran`);
    test.diagnostic(`${counts.requests} requests, ${counts.kept} on kept connections, ${counts.websockets} WebSocket handshakes`);
    await server.publish({ rooms: held.map((_, place) => `user:held-${place}`), kind: 'notice', event: 'after', data: {} });
    for (const socket of held) assert.equal((await socket.next()).type, 'notice');
    held.forEach((socket) => socket.terminate());
    assert.equal(await metric('tidings_tls_reloads_total{result="loaded"}') - loadedBefore, SWAPS);
    assert.equal(await metric('tidings_tls_reloads_total{result="failed"}'), 0);
  });

  it('a broken pair leaves the old one in force and is told', async () => {
    const [good, serial] = [authority.issue(7), 7];
    authority.install(good);
    await until(async () => (await serialAt(server.tasks.address, authority)) === serial, 10_000, 'the new certificate');
    authority.install(good.replace('PRIVATE KEY', 'NO KEY'));
    await until(async () => (await metric('tidings_tls_reloads_total{result="failed"}')) === 1, 10_000, 'the failure');
    assert.equal(await serialAt(server.tasks.address, authority), serial);
    await until(() => /the new certificate cannot be used/.test(server.log), 5_000, 'a line about it');
    assert.ok(!server.log.includes('BEGIN'), 'no key in the log');
    authority.install(good);
  });

  it('SIGHUP reads the files at once', async () => {
    await until(async () => (await metric('tidings_tls_reloads_total{result="loaded"}')) === SWAPS + 2, 10_000, 'the good pair');
    server.signal('SIGHUP');
    await until(async () => (await metric('tidings_tls_reloads_total{result="loaded"}')) === SWAPS + 3, 10_000, 'the reload');
    const expiry = await metric('tidings_tls_certificate_expiry_timestamp_seconds');
    const days = (expiry - Date.now() / 1_000) / 86_400;
    assert.ok(days > 1.9 && days < 2.1, `${days} days`);
  });
});

describe('tls: the end', () => {
  it('a drain closes with 1001', async () => {
    const sockets = await Promise.all([open('last-1'), open('last-2')]);
    await server.stop();
    for (const socket of sockets) assert.deepEqual(await socket.closed, { code: 1001, reason: 'shutting_down' });
    assert.equal(server.exitCode, 0);
    server = undefined;
  });
});
