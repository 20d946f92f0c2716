// One test for each limit of docs/reference/limits.md: what the client is told, and what is counted, to the unit.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { FlowClient } from '../lib/flow.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { assertClosed, closed, metric, reached, refused } from '../lib/metrics.mjs';
import { frame, handshake, OPCODE, RawSocket } from '../lib/raw.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { pause, Queue, until, within } from '../lib/wait.mjs';

const [ADA, BOB] = ['127.0.0.2', '127.0.0.3'];
const KEY = { 'x-tenant-key': DEMO_KEYS.demo1 };

const servers = [];
/** A server with these limits. */
async function start(limits, more = {}) {
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

const portOf = (gateway) => Number(gateway.address.split(':').at(-1));
const tasks = (server, user = 'ada', options = {}) => RawSocket.open(portOf(server.tasks), { path: `/ws?user_id=${user}`, ...options });

/** An open connection of the tasks gateway, its welcome read. */
async function welcomed(server, user, options) {
  const socket = await tasks(server, user, options);
  assert.equal(JSON.parse((await socket.next()).payload).type, 'connected');
  return socket;
}

/** What a server says on a bare socket until it closes it, with the answers' statuses as they come. */
class Wire {
  text = '';
  #statuses = new Queue();

  constructor(gateway, { from } = {}) {
    this.tcp = net.connect({ port: portOf(gateway), host: '127.0.0.1', localAddress: from });
    this.tcp.setNoDelay(true);
    this.tcp.on('error', () => {}); // a reset is an end like any other
    this.connected = new Promise((resolve) => this.tcp.once('connect', resolve));
    this.ended = new Promise((resolve) => this.tcp.once('close', resolve));
    let seen = 0;
    this.tcp.on('data', (data) => {
      this.text += data;
      const statuses = [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
      statuses.slice(seen).forEach((status) => this.#statuses.push(status));
      seen = statuses.length;
    });
    this.ended.then(() => this.#statuses.end(new Error(`ended after ${JSON.stringify(this.text)}`)));
  }

  static async open(gateway, options) {
    const wire = new Wire(gateway, options);
    await within(wire.connected, 5_000, 'a TCP connection');
    return wire;
  }

  write(bytes) { this.tcp.write(bytes); }
  status() { return within(this.#statuses.take(), 5_000, 'an answer'); }
  end(limit_ms = 5_000) { return within(this.ended, limit_ms, 'the end of the connection'); }
  get isOpen() { return !this.tcp.closed && !this.tcp.destroyed; }
  destroy() { this.tcp.destroy(); }

  /** Writes one byte now and one every `interval_ms` until the socket is closed. */
  dribble(bytes, interval_ms) {
    let at = 0;
    const next = () => { if (this.isOpen && at < bytes.length) this.tcp.write(bytes.subarray(at, ++at)); };
    next();
    const timer = setInterval(next, interval_ms);
    this.ended.then(() => clearInterval(timer));
  }
}

const get = (target, headers = {}) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
const POLLING = '/socket.io/?EIO=4&transport=polling';

/** The sessions that these bytes open, sent in one segment, and the statuses of the answers. */
async function statuses(gateway, requests, options) {
  const wire = await Wire.open(gateway, options);
  wire.write(requests.join(''));
  const all = [];
  for (const _ of requests) all.push(await wire.status());
  return { all, wire };
}

describe('handshakes', () => {
  it('one address cannot use up the handshakes of all', async () => {
    const server = await start({ handshakes_per_address_per_second: 3 });
    const { all, wire } = await statuses(server.flow, Array(6).fill(get(POLLING)), { from: ADA });
    assert.deepEqual(all, [200, 200, 200, 429, 429, 429]);
    assert.match(wire.text, /retry-after: 1\r\n/i);
    assert.match(wire.text, /"code":"rate_limited"/);
    wire.destroy();
    const other = await statuses(server.flow, Array(3).fill(get(POLLING)), { from: BOB });
    assert.deepEqual(other.all, [200, 200, 200]);
    other.wire.destroy();
    assert.deepEqual([await refused(server, 'address_handshake_rate'), await refused(server, 'handshake_rate')], [3, 0]);
  });

  it('all addresses together have a rate', async () => {
    const server = await start({ handshakes_per_second: 3 });
    const { all, wire } = await statuses(server.flow, Array(5).fill(get(POLLING)));
    assert.deepEqual(all, [200, 200, 200, 503, 503]);
    assert.match(wire.text, /"code":"overloaded"/);
    wire.destroy();
    assert.deepEqual([await refused(server, 'address_handshake_rate'), await refused(server, 'handshake_rate')], [0, 2]);
  });

  it('a head that does not come has its time, silent or byte by byte', async () => {
    const server = await start({ handshake_timeout_ms: 500 });
    const began = performance.now();
    const [silent, slow] = [await Wire.open(server.tasks, { from: ADA }), await Wire.open(server.tasks, { from: ADA })];
    slow.dribble(Buffer.from(get('/ws?user_id=slow', { 'X-Filler': 'x'.repeat(1_000) })), 20);
    await Promise.all([silent.end(), slow.end()]);
    assert.ok(performance.now() - began >= 500);
    assert.equal(await reached(server, 'handshake_timeout_ms'), 2);
  });

  it('half-open sockets of one address make room among themselves', async () => {
    // More than the fixture keeps alive from its own address.
    const server = await start({ waiting_sockets_per_address_max: 10 });
    const half = [];
    for (let n = 0; n < 12; n += 1) half.push(await Wire.open(server.tasks, { from: ADA }));
    await Promise.all(half.slice(0, 2).map((wire) => wire.end()));
    const bob = await welcomed(server, 'bob', { from: BOB });
    // The oldest goes, not who comes: also at the same address.
    const ada = await welcomed(server, 'ada', { from: ADA });
    await half[2].end();
    assert.deepEqual(half.map((wire) => wire.isOpen), [...Array(3).fill(false), ...Array(9).fill(true)]);
    assert.deepEqual([await reached(server, 'waiting_sockets_per_address_max'), await reached(server, 'waiting_sockets_max')], [3, 0]);
    [bob, ada, ...half].forEach((socket) => socket.destroy());
  });

  it('half-open sockets of all addresses have a bound, and the oldest makes room', async () => {
    const server = await start({ waiting_sockets_max: 8, handshake_timeout_ms: 2_000 });
    // Sockets that the fixture keeps alive wait as well: they go when their time is over. The scraper's own waits between
    // two requests, and not while it asks.
    const scrape = async (wire) => {
      wire.text = '';
      wire.write(get('/metrics'));
      await until(() => wire.text.endsWith('# EOF\n'), 5_000, 'all metrics');
      return (series) => Number(new RegExp(`^${series} (\\d+)$`, 'm').exec(wire.text)[1]);
    };
    const scraper = await Wire.open(server.operators);
    await until(async () => (await scrape(scraper))('tidings_sockets_waiting') === 0, 10_000, 'no other socket waits');
    const half = [];
    for (let n = 0; n < 10; n += 1) half.push(await Wire.open(server.tasks, { from: `127.0.1.${n + 1}` }));
    await Promise.all([scraper, ...half.slice(0, 2)].map((wire) => wire.end(1_500)));
    const late = await Wire.open(server.operators);
    await half[2].end(1_500);
    const values = await scrape(late);
    assert.deepEqual([values('tidings_limits_reached_total\\{limit="waiting_sockets_max"\\}'), values('tidings_sockets_waiting')], [4, 7]);
    late.destroy();
    half.forEach((wire) => wire.destroy());
  });

  it('an address has so many sockets that speak HTTP', async () => {
    const server = await start({ http_sockets_per_address_max: 10 });
    const held = [];
    for (let n = 0; n < 10; n += 1) {
      const wire = await Wire.open(server.flow, { from: ADA });
      wire.write(get('/health'));
      assert.equal(await wire.status(), 200);
      held.push(wire);
    }
    const over = await Wire.open(server.flow, { from: ADA });
    await over.end();
    assert.deepEqual([over.text, await reached(server, 'http_sockets_per_address_max')], ['', 1]);
    assert.ok(held.every((wire) => wire.isOpen));
    held.forEach((wire) => wire.destroy());
  });

  it('connections have a bound for each address, user and tenant', async () => {
    const server = await start({ connections_per_address_max: 3, connections_per_user_max: 2, connections_per_tenant_max: 1 });
    const rateLimited = { code: 4429, reason: 'rate_limited' };
    const held = [await welcomed(server, 'ada', { from: ADA }), await welcomed(server, 'ada', { from: ADA })];
    assert.deepEqual(await (await tasks(server, 'ada', { from: ADA })).closed(), rateLimited);
    assert.equal(await reached(server, 'connections_per_user_max'), 1);
    held.push(await welcomed(server, 'bob', { from: ADA }));
    assert.deepEqual(await (await tasks(server, 'cyd', { from: ADA })).closed(), rateLimited);
    held.push(await welcomed(server, 'cyd', { from: BOB }));
    assert.equal(await refused(server, 'address_quota'), 1);
    const open = (from) => RawSocket.open(portOf(server.flow), { path: '/events', headers: KEY, from });
    const flow = await open(BOB);
    assert.match((await flow.next()).payload.toString(), /"event":"connected"/);
    assert.deepEqual(await (await open(BOB)).closed(), rateLimited);
    assert.equal(await reached(server, 'connections_per_tenant_max'), 1);
    [flow, ...held].forEach((socket) => socket.destroy());
  });

  it("a tenant's commands and requests have a rate", async () => {
    const server = await start({ commands_per_tenant_per_second: 1, commands_per_tenant_burst: 3 });
    const one = await FlowClient.open(server, { key: DEMO_KEYS.demo1 });
    const two = await FlowClient.open(server, { key: DEMO_KEYS.demo2 });
    const errors = [];
    for (let n = 0; n < 4; n += 1) errors.push((await one.command('get_metrics')).response.error);
    assert.deepEqual(errors, [undefined, undefined, undefined, 'Rate limited']);
    assert.deepEqual((await two.command('get_metrics')).response.error, undefined, 'another tenant has its own');
    const http = await request(`${server.flow.http}/leads`, { key: DEMO_KEYS.demo1 });
    assertProblem(http, 429, 'rate_limited');
    assert.equal(http.headers.get('retry-after'), '1');
    assert.equal(await reached(server, 'commands_per_tenant_per_second'), 2);
    one.close();
    two.close();
  });
});

describe('requests', () => {
  it('targets and heads have a size', async () => {
    const server = await start({ url_bytes_max: 1_000, header_bytes_max: 8_192, headers_max: 20 });
    const target = (bytes) => `/health?${'x'.repeat(bytes - '/health?'.length)}`;
    assert.equal((await request(`${server.flow.http}${target(1_000)}`)).status, 200);
    assertProblem(await request(`${server.flow.http}${target(1_001)}`), 414, 'uri_too_long');
    assert.equal(await reached(server, 'url_bytes_max'), 1);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`X-${n}`, 'y']));
    for (const headers of [{ X: 'x'.repeat(8_192) }, many]) {
      const { all, wire } = await statuses(server.flow, [get('/health', headers)]);
      assert.deepEqual(all, [431]);
      await wire.end();
    }
    assert.equal(await reached(server, 'header_bytes_max'), 2);
  });

  it('a body that comes byte by byte has its time', async () => {
    const server = await start({ body_timeout_ms: 400 });
    const post = (target, headers) => get(target, { 'Content-Length': 1_000, 'Content-Type': 'application/json', ...headers }).replace('GET', 'POST');
    const session = await request(`${server.flow.http}${POLLING}`);
    const { sid } = JSON.parse(session.text.slice(1));
    for (const [gateway, head, status, body] of [
      [server.flow, post('/leads', KEY), 408, /"code":"request_timeout"/],
      [server.flow, post(`${POLLING}&sid=${sid}`, { 'Content-Type': 'text/plain' }), 400, /"code":3/],
      [server.operators, post('/api/v1/publish', { Authorization: `Bearer ${server.operatorToken}` }), 408, /"code":"request_timeout"/],
      [server.tasks, post('/task-updates', { 'Content-Type': 'application/cloudevents+json' }), 200, /"status":"RETRY"/],
    ]) {
      const wire = await Wire.open(gateway);
      wire.write(head);
      wire.dribble(Buffer.from(' '.repeat(1_000)), 20);
      assert.equal(await wire.status(), status);
      await until(() => body.test(wire.text), 1_000, `${body} in ${wire.text}`);
      wire.destroy();
    }
    assert.equal(await reached(server, 'body_timeout_ms'), 3);
    assert.equal((await request(`${server.flow.http}${POLLING}&sid=${sid}`)).status, 400, 'the session ended with its POST');
  });

  it('bodies have a size', async () => {
    const server = await start({ message_bytes_max: 2_048 });
    const body = (bytes) => JSON.stringify({ name: 'x'.repeat(bytes - '{"name":""}'.length) });
    const post = (bytes) => request(`${server.flow.http}/leads`, { method: 'POST', headers: KEY, body: body(bytes) });
    assertProblem(await post(2_048), 400);
    assertProblem(await post(2_049), 413, 'payload_too_large');
    assert.equal(await reached(server, 'message_bytes_max'), 1);
  });
});

describe('messages', () => {
  it('have a size, a number of frames, and a time', async () => {
    const server = await start({ message_bytes_max: 2_048, message_frames_max: 4, message_timeout_ms: 400 });
    const part = (opcode, fin) => frame(opcode, Buffer.from('x'), { fin });
    const pieces = (count) => Buffer.concat(Array.from({ length: count }, (_, n) => part(n === 0 ? OPCODE.text : OPCODE.continuation, n === count - 1)));

    const large = await welcomed(server);
    large.send(OPCODE.text, Buffer.alloc(2_048, 'x'));
    large.send(OPCODE.text, Buffer.alloc(2_049, 'x'));
    assert.deepEqual(await large.closed(), { code: 1009, reason: 'message_too_big' });

    const pieced = await welcomed(server);
    pieced.write(Buffer.concat([pieces(4), frame(OPCODE.ping)]));
    assert.equal((await pieced.next()).opcode, OPCODE.pong);
    pieced.write(pieces(5));
    assert.deepEqual(await pieced.closed(), { code: 1009, reason: 'message_too_big' });

    const slow = await welcomed(server);
    const began = performance.now();
    const bytes = frame(OPCODE.text, Buffer.alloc(1_000, 'x'));
    let at = 0;
    const timer = setInterval(() => slow.write(bytes.subarray(at, ++at)), 20);
    assert.deepEqual(await slow.closed(), { code: 1008, reason: 'policy_violation' });
    clearInterval(timer);
    assert.ok(performance.now() - began >= 400);

    const keys = ['message_bytes_max', 'message_frames_max', 'message_timeout_ms'];
    assert.deepEqual(await Promise.all(keys.map((key) => reached(server, key))), [1, 1, 1]);
    await assertClosed(server, 1009, 2);
    await assertClosed(server, 1008, 1);
  });

  for (const [name, opcode, payload, answer] of [
    ['messages', OPCODE.text, '{"type":"ping"}', OPCODE.text],
    ['pings', OPCODE.ping, '', OPCODE.pong],
    ['pongs', OPCODE.pong, '', null],
  ]) {
    it(`${name} have a rate`, async () => {
      const server = await start({ messages_per_second: 1, messages_burst: 5 });
      const socket = await welcomed(server);
      socket.write(Buffer.concat(Array(50).fill(frame(opcode, Buffer.from(payload)))));
      assert.deepEqual(await socket.closed(), { code: 4429, reason: 'rate_limited' });
      assert.deepEqual(socket.before.map((received) => received.opcode), Array(answer === null ? 0 : 5).fill(answer));
      assert.equal(await reached(server, 'messages_per_second'), 1);
      await assertClosed(server, 4429, 1);
      socket.destroy();
    });
  }

  it('a client that floods even after its close is let go of', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 5, close_timeout_ms: 1_000 });
    const socket = await welcomed(server);
    const flood = Buffer.concat(Array(5_000).fill(frame(OPCODE.ping)));
    let isOpen = true;
    socket.ended.then(() => { isOpen = false; });
    const pour = () => { while (isOpen && socket.tcp.write(flood)); };
    socket.tcp.on('drain', pour);
    pour();
    assert.deepEqual(await socket.closed(), { code: 4429, reason: 'rate_limited' });
    await socket.end(5_000);
    await until(async () => await metric(server, 'tidings_connections{gateway="tasks",transport="websocket"}') === 0, 5_000, 'no connection');
  });

  it('an address that floods again and again is told to stay away, and only who floods', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 5, floods_per_address_max: 2 });
    const honest = await welcomed(server, 'honest', { from: ADA });
    const flood = async (from) => {
      const socket = await welcomed(server, 'flood', { from });
      socket.write(Buffer.concat(Array(6).fill(frame(OPCODE.ping))));
      const { code, reason } = await socket.closed();
      socket.destroy();
      return `${code} ${reason}`;
    };
    const told = [];
    for (let n = 0; n < 4; n += 1) told.push(await flood(ADA));
    assert.deepEqual(told, ['4429 rate_limited', '4429 rate_limited', '1008 policy_violation', '1008 policy_violation']);
    assert.equal(await flood(BOB), '4429 rate_limited');
    assert.deepEqual([await reached(server, 'messages_per_second'), await reached(server, 'floods_per_address_max')], [3, 2]);
    honest.send(OPCODE.ping);
    assert.equal((await honest.next()).opcode, OPCODE.pong);
    (await welcomed(server, 'another', { from: ADA })).destroy();
    honest.destroy();
  });

  it('a tenth of their burst is left to the next connections of an address that floods again and again', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 20, floods_per_address_max: 1 });
    const answers = async (pings, from) => {
      const socket = await welcomed(server, 'flood', { from });
      socket.write(Buffer.concat(Array(pings).fill(frame(OPCODE.ping))));
      let pongs = 0;
      while (pongs < pings && (await socket.next()).opcode === OPCODE.pong) pongs += 1;
      socket.destroy();
      return pongs;
    };
    assert.equal(await answers(21, ADA), 20);
    assert.deepEqual([await answers(3, ADA), await answers(20, BOB)], [2, 20]);
  });

  it('a tenth of its handshakes is left to an address that floods again and again', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 1, floods_per_address_max: 1, handshakes_per_address_per_second: 20 });
    const socket = await welcomed(server, 'flood', { from: ADA });
    socket.write(Buffer.concat(Array(2).fill(frame(OPCODE.ping))));
    assert.equal((await socket.closed()).code, 4429);
    await pause(150); // until the flooder's own handshake is made up for
    const [flooders, others] = [await statuses(server.flow, Array(6).fill(get(POLLING)), { from: ADA }), await statuses(server.flow, Array(6).fill(get(POLLING)), { from: BOB })];
    assert.deepEqual([flooders.all, others.all], [[200, 200, 429, 429, 429, 429], Array(6).fill(200)]);
    [socket, flooders.wire, others.wire].forEach((one) => one.destroy());
  });

  it('the stock Socket.IO client comes back after 4429 and stays away after 1008', async () => {
    for (const transports of [['websocket'], ['polling']]) {
      const server = await start({ messages_per_second: 1, messages_burst: 8, floods_per_address_max: 1 });
      const reasons = [];
      for (let round = 0; round < 2; round += 1) {
        const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1, transports });
        const left = new Promise((resolve) => client.socket.once('disconnect', resolve));
        for (let n = 0; n < 20; n += 1) client.socket.emit('nothing', n);
        reasons.push(await within(left, 5_000, 'a disconnect'));
        client.close();
      }
      // By its documentation the client reconnects after `transport close` and does not after `io server disconnect`.
      assert.deepEqual(reasons, ['transport close', 'io server disconnect'], transports[0]);
    }
  });

  it('rooms and namespaces have a bound for each connection', async () => {
    const server = await start({ rooms_per_connection_max: 2, namespaces_per_connection_max: 1 });
    await server.backend('PUT', '/api/v1/workflows/w', { owner_id: 'ada' });
    for (const id of ['one', 'two']) await server.backend('PUT', `/api/v1/executions/${id}`, { workflow_id: 'w' });
    const member = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token('ada')}`);
    await member.find((message) => message.event === 'subscribed'); // the user's own room is the first
    member.send({ type: 'subscribe', room_id: 'execution:one' });
    assert.equal((await member.json()).event, 'subscribed');
    member.send({ type: 'subscribe', room_id: 'execution:two' });
    assert.deepEqual(await member.json(), { type: 'error', message: 'Too many rooms', room_id: 'execution:two' });
    assert.equal(await reached(server, 'rooms_per_connection_max'), 1);

    const engine = await RawSocket.open(portOf(server.flow), { path: '/socket.io/?EIO=4&transport=websocket', headers: KEY });
    const say = async (text) => { engine.send(OPCODE.text, Buffer.from(text)); return (await engine.next()).payload.toString(); };
    await engine.next();
    assert.match(await say('40/events,'), /^40\/events,/);
    await engine.next(); // connected
    assert.equal(await say('40/other,'), '44/other,{"message":"Too many namespaces"}');
    assert.equal(await reached(server, 'namespaces_per_connection_max'), 1);
    engine.destroy();
  });
});

describe('Engine.IO and Socket.IO', () => {
  it('sessions that never poll are ended by the ping timeout', async () => {
    const server = await start({}, { TIDINGS__HEARTBEAT__PING_INTERVAL_MS: '300', TIDINGS__HEARTBEAT__PING_TIMEOUT_MS: '200' });
    const { all, wire } = await statuses(server.flow, Array(25).fill(get(POLLING)));
    assert.deepEqual(all, Array(25).fill(200));
    const sessions = () => metric(server, 'tidings_connections{gateway="flow",transport="polling"}');
    await until(async () => await closed(server, 4410) === 25, 5_000, '25 sessions closed with 4410');
    await until(async () => await sessions() === 0, 10_000, 'no session');
    assert.deepEqual([await closed(server, 4410), await metric(server, 'tidings_connections_opened_total')], [25, 25]);
    wire.destroy();
  });

  it('an upgrade that is never finished ends, and the session polls on', async () => {
    const server = await start({ upgrade_timeout_ms: 300 });
    const { text } = await request(`${server.flow.http}${POLLING}`, { headers: KEY });
    const { sid } = JSON.parse(text.slice(1));
    for (const probe of [[], [frame(OPCODE.text, Buffer.from('2probe'))]]) {
      const socket = await RawSocket.open(portOf(server.flow), { path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}` });
      probe.forEach((bytes) => socket.write(bytes));
      await socket.end();
    }
    assert.equal(await reached(server, 'upgrade_timeout_ms'), 2);
    const poll = { method: 'POST', body: '40/events,', headers: { 'content-type': 'text/plain' } };
    assert.equal((await request(`${server.flow.http}${POLLING}&sid=${sid}`, poll)).text, 'ok');
    assert.match((await request(`${server.flow.http}${POLLING}&sid=${sid}`)).text, /^40\/events,/);
  });

  it('an upgrade costs a handshake of its address', async () => {
    const server = await start({ handshakes_per_address_per_second: 1 });
    const { all, wire } = await statuses(server.flow, [get(POLLING)], { from: ADA });
    assert.deepEqual(all, [200]);
    const sid = /"sid":"([^"]+)"/.exec(wire.text)[1];
    wire.write(handshake(portOf(server.flow), { path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}` }));
    assert.equal(await wire.status(), 429);
    wire.write(get(`${POLLING}&sid=no-session`));
    assert.equal(await wire.status(), 400, 'the connection goes on');
    assert.equal(await refused(server, 'address_handshake_rate'), 1);
    wire.destroy();
  });

  it('a client that enters no namespace is closed', async () => {
    const server = await start({ connect_timeout_ms: 300 });
    const socket = await RawSocket.open(portOf(server.flow), { path: '/socket.io/?EIO=4&transport=websocket' });
    assert.deepEqual(await socket.closed(), { code: 1002, reason: 'protocol_error' });
    assert.equal(await reached(server, 'connect_timeout_ms'), 1);
  });

  it('payloads have so many packets, packets so many attachments', async () => {
    const server = await start({ payload_packets_max: 3, attachments_max: 1 });
    const { text } = await request(`${server.flow.http}${POLLING}`, { headers: KEY });
    const target = `${server.flow.http}${POLLING}&sid=${JSON.parse(text.slice(1)).sid}`;
    const post = (packets) => request(target, { method: 'POST', body: packets.join('\x1e'), headers: { 'content-type': 'text/plain' } });
    assert.equal((await post(['40/events,', '42/events,["a"]', '42/events,["b"]'])).text, 'ok');
    assert.equal((await post(Array(4).fill('42/events,["a"]'))).status, 400);
    assert.equal((await post(['42/events,["a"]'])).status, 400, 'the session has ended');
    assert.equal(await reached(server, 'payload_packets_max'), 1);

    const engine = await RawSocket.open(portOf(server.flow), { path: '/socket.io/?EIO=4&transport=websocket', headers: KEY });
    engine.send(OPCODE.text, Buffer.from('40/events,'));
    engine.send(OPCODE.text, Buffer.from('452-/events,["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'));
    assert.deepEqual(await engine.closed(), { code: 1002, reason: 'protocol_error' });
    assert.equal(await reached(server, 'attachments_max'), 1);
  });
});

describe('memory', () => {
  const MIB = 1024 * 1024;
  const memory = async (server) => {
    const { status, json } = await request(`${server.operators.http}/readyz?verbose`);
    return { status, ...json.checks.find((check) => check.name === 'memory') };
  };

  it('above the bound handshakes are refused before the upgrade, and who is there stays', async () => {
    const server = await start({ memory_bytes_max: MIB });
    const checked = await until(async () => { const seen = await memory(server); return seen.status === 'degraded' && seen; }, 5_000, 'degraded');
    assert.deepEqual(checked.levels[0].of, 'process');
    assert.equal(checked.levels[0].bound_bytes, MIB);
    assert.equal((await request(`${server.operators.http}/readyz`)).status, 200, 'degraded, not unready');
    assert.equal((await request(`${server.tasks.http}/health`)).status, 200);
    const { all, wire } = await statuses(server.tasks, [handshake(portOf(server.tasks), { path: '/ws?user_id=ada' })]);
    assert.deepEqual(all, [503]);
    assert.match(wire.text, /retry-after: 5\r\n/i);
    await until(() => /"code":"overloaded"/.test(wire.text), 1_000, 'the problem');
    wire.destroy();
    assert.equal((await request(`${server.flow.http}${POLLING}`)).status, 503);
    assert.deepEqual([await refused(server, 'memory'), await metric(server, 'tidings_memory_short'), await metric(server, 'tidings_memory_bound_bytes{of="process"}')], [2, 1, MIB]);
    assert.ok(await metric(server, 'tidings_memory_bytes{of="process"}') > MIB);
  });

  it('when memory comes back, so do clients', { timeout: 90_000 }, async () => {
    const probe = await start({});
    const bound = probe.residentKib * 1024 + 96 * MIB;
    const server = await start({ memory_bytes_max: bound, message_bytes_max: 4 * MIB });
    const honest = await welcomed(server, 'honest');
    assert.equal(await metric(server, 'tidings_memory_short'), 0);
    // Messages that never end: each holds what came of it.
    const heavy = await Promise.all(Array.from({ length: 60 }, (_, n) => welcomed(server, `heavy-${n}`)));
    const most = frame(OPCODE.binary, Buffer.alloc(4 * MIB)).subarray(0, 4 * MIB - 100);
    heavy.forEach((socket) => socket.write(most));
    await until(async () => await metric(server, 'tidings_memory_short') === 1, 15_000, 'short memory');
    const { all, wire } = await statuses(server.tasks, [handshake(portOf(server.tasks), { path: '/ws?user_id=late' })]);
    assert.deepEqual(all, [503]);
    wire.destroy();
    honest.send(OPCODE.ping);
    assert.equal((await honest.next()).opcode, OPCODE.pong, 'who is there stays');
    heavy.forEach((socket) => socket.destroy());
    await until(async () => await metric(server, 'tidings_memory_short') === 0, 60_000, 'memory is back');
    (await welcomed(server, 'late')).destroy();
    assert.equal(await refused(server, 'memory'), 1);
    honest.destroy();
  });
});
