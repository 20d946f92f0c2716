// Clients that stop reading and go on later, in rooms that do not close them: what they got and what they were told
// they missed is exactly what was published, and who reads all the time misses nothing.
import assert from 'node:assert/strict';
import { after, afterEach, before, it } from 'node:test';
import WebSocket from 'ws';
import { FlowClient } from '../lib/flow.mjs';
import { request } from '../lib/http.mjs';
import { TIMESTAMP } from '../lib/inbox.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

const HEAVY_BYTES = 64 * 1024;
const PUBLISHES_MAX = 2_000;
const FRAMES_MAX = 32;
const KEYS = 3;
const padding = 'x'.repeat(HEAVY_BYTES);

let server;
let atFirst = {};
before(async () => {
  server = await Server.start({
    env: {
      // What is compressed to nothing fills no socket.
      TIDINGS__COMPRESSION__ENABLED: 'false',
      TIDINGS__SLOW_CONSUMERS__DROP_OLDEST: 'user:drop,tenant:demo1',
      TIDINGS__SLOW_CONSUMERS__LATEST: 'user:latest,tenant:demo2',
      TIDINGS__LIMITS__OUTBOX_FRAMES_MAX: `${FRAMES_MAX}`,
      TIDINGS__LIMITS__OUTBOX_BYTES_MAX: `${64 * 1024 * 1024}`,
    },
  });
});
after(() => server?.stop());
const clients = [];
afterEach(() => clients.splice(0).forEach((client) => client.end()));

/** What a family's series with this label has counted since the test began. */
async function counted(series) {
  return (await read(series)) - (atFirst[series] ?? 0);
}
async function read(series) {
  const { text } = await request(`${server.operators.http}/metrics`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  assert.ok(line, `no ${series}`);
  return Number(line.split(' ').at(-1));
}
const GAP = 'tidings_drops_total{reason="gap"}';
const SUPERSEDED = 'tidings_drops_total{reason="superseded"}';
const [CLOSED, GAPS, LAGS] = ['close', 'drop_oldest', 'latest'].map((policy) => `tidings_slow_consumers_total{policy="${policy}"}`);
async function begin() {
  atFirst = {};
  for (const series of [GAP, SUPERSEDED, CLOSED, GAPS, LAGS]) atFirst[series] = await read(series);
}

/** A client that keeps, in order, `{n}` for an event and `{dropped}` for a gap. */
class Client {
  got = [];
  closeCode = null;

  constructor(url) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('close', (code) => { this.closeCode = code; });
    this.socket.on('error', () => {});
    this.ready = new Promise((resolve) => { this.onReady = resolve; });
    this.socket.on('message', (data) => this.message(data));
    clients.push(this);
  }

  message(data) {
    const message = JSON.parse(data);
    if (message.type === 'gap') {
      assert.deepEqual(Object.keys(message), ['type', 'dropped', 'timestamp']);
      assert.match(message.timestamp, TIMESTAMP);
      this.got.push({ dropped: message.dropped });
    } else if (message.type === 'probe') this.got.push({ n: (message.event?.n ?? message.data?.n) });
    else if (message.type === 'connected' || message.type === 'subscription') this.onReady();
  }

  get numbers() { return this.got.filter(({ n }) => n !== undefined).map(({ n }) => n); }
  get dropped() { return this.got.reduce((sum, { dropped }) => sum + (dropped ?? 0), 0); }
  get gaps() { return this.got.filter(({ dropped }) => dropped).length; }
  has(n) { return this.got.at(-1)?.n === n; }
  stopReading() { this.socket.pause(); }
  readAgain() { this.socket.resume(); }
  end() { this.socket.terminate(); }
}

/** The same of a Socket.IO client over WebSocket. */
class SocketIoClient extends Client {
  static async open(key) {
    const flow = await FlowClient.open(server, { key, transports: ['websocket'] });
    const client = Object.create(SocketIoClient.prototype);
    return Object.assign(client, { flow, got: [], closeCode: null, ready: Promise.resolve() }).listen();
  }

  listen() {
    this.flow.socket.on('probe', ({ n }) => this.got.push({ n }));
    this.flow.socket.on('gap', (gap) => {
      assert.deepEqual(Object.keys(gap), ['dropped', 'timestamp']);
      this.got.push({ dropped: gap.dropped });
    });
    this.flow.socket.on('disconnect', (reason) => { this.closeCode = reason; });
    clients.push(this);
    return this;
  }

  get tcp() { return this.flow.socket.io.engine.transport.ws; }
  stopReading() { this.tcp.pause(); }
  readAgain() { this.tcp.resume(); }
  end() { this.flow.close(); }
}

const onTasks = (user) => new Client(`${server.tasks.ws}/ws?user_id=${user}`);
const onWorkflows = (user) => new Client(`${server.workflows.ws}/api/v1/ws?token=${server.token(user)}`);

/** Publishes at the pace of who reads, until `isEnough`; the number published. */
async function publishUntil(isEnough, room, well) {
  for (let n = 0; n < PUBLISHES_MAX; n += 1) {
    await server.publish({ room, kind: 'probe', event: 'e', key: `${n % KEYS}`, data: { n, padding } });
    await until(() => well.every((client) => client.has(n)), 30_000, `event ${n} at who reads`);
    if (n % 30 === 29 && await isEnough()) return n + 1;
  }
  throw new Error('not enough within the publishes allowed');
}

const upTo = (count) => Array.from({ length: count }, (_, n) => n);

/** Everything is there, or a gap says at its place how much is not. */
function assertAccounted(got, published) {
  let next = 0;
  for (const { n, dropped } of got) {
    if (dropped) next += dropped;
    else assert.equal(n, next++, 'no event is missing but what a gap told of');
  }
  assert.equal(next, published);
}

async function opened(...opening) {
  const open = await Promise.all(opening);
  await within(Promise.all(open.map((client) => client.ready)), 10_000, 'all connections');
  return open;
}

it('drop oldest: a gap marker stands where events were dropped, and says how many', { timeout: 120_000 }, async (t) => {
  const [slowTask, slowWorkflow, ...well] = await opened(onTasks('drop-1'), onWorkflows('drop-1'), onTasks('drop-1'), onWorkflows('drop-1'));
  const slow = [slowTask, slowWorkflow];
  await begin();
  slow.forEach((client) => client.stopReading());
  const published = await publishUntil(async () => await counted(GAP) >= 120, 'user:drop-1', well);
  slow.forEach((client) => client.readAgain());
  await until(() => slow.every((client) => client.has(published - 1)), 30_000, 'the last event at who read on');

  for (const client of slow) assertAccounted(client.got, published);
  assert.equal(slow[0].dropped + slow[1].dropped, await counted(GAP));
  assert.equal(slow[0].gaps + slow[1].gaps, await counted(GAPS));
  for (const client of well) assert.deepEqual(client.got, upTo(published).map((n) => ({ n })));
  assert.equal(await counted(CLOSED), 0);
  assert.ok([...slow, ...well].every((client) => client.closeCode === null));
  t.diagnostic(`${published} published, ${slow.map((client) => client.dropped)} dropped`);
});

it('drop oldest on Socket.IO: the event `gap`', { timeout: 120_000 }, async () => {
  const [slow, well] = await opened(SocketIoClient.open(DEMO_KEYS.demo1), SocketIoClient.open(DEMO_KEYS.demo1));
  const room = `tenant:${slow.flow.welcome.tenantId}`;
  await begin();
  slow.stopReading();
  const published = await publishUntil(async () => await counted(GAP) >= 60, room, [well]);
  slow.readAgain();
  await until(() => slow.has(published - 1), 30_000, 'the last event at who read on');
  assertAccounted(slow.got, published);
  assert.equal(slow.dropped, await counted(GAP));
  assert.deepEqual(well.numbers, upTo(published));
  assert.equal(well.gaps + await counted(CLOSED), 0);
});

it('latest only: of each key the latest is there, and what is not was superseded', { timeout: 120_000 }, async (t) => {
  const [slowTask, slowWorkflow, ...well] = await opened(onTasks('latest-1'), onWorkflows('latest-1'), onTasks('latest-1'), onWorkflows('latest-1'));
  const slow = [slowTask, slowWorkflow];
  await begin();
  slow.forEach((client) => client.stopReading());
  const published = await publishUntil(async () => await counted(SUPERSEDED) >= 120, 'user:latest-1', well);
  const superseded = await counted(SUPERSEDED);
  slow.forEach((client) => client.readAgain());
  const last = upTo(published).slice(-KEYS);
  await until(() => slow.every((client) => last.every((n) => client.numbers.includes(n))), 30_000, 'the latest of each key');

  for (const client of slow) {
    for (const key of upTo(KEYS)) {
      const numbers = client.numbers.filter((n) => n % KEYS === key);
      assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), 'no older event after a newer one of its key');
    }
  }
  assert.equal(slow[0].got.length + slow[1].got.length + superseded, 2 * published);
  assert.equal(await counted(SUPERSEDED), superseded);
  for (const client of well) assert.deepEqual(client.got, upTo(published).map((n) => ({ n })));
  assert.equal(await counted(CLOSED) + await counted(GAP), 0);
  t.diagnostic(`${published} published, ${superseded} superseded`);
});

/** A Socket.IO session on polling, whose GETs are made here; its packets so far are read. */
async function polling(key) {
  const url = `${server.flow.http}/socket.io/?EIO=4&transport=polling`;
  const headers = { 'x-tenant-key': key };
  const { sid } = JSON.parse((await request(url, { headers })).text.slice(1));
  const session = `${url}&sid=${sid}`;
  const get = async () => (await request(session, { headers })).text.split('\x1e');
  await request(session, { method: 'POST', headers: { ...headers, 'content-type': 'text/plain' }, body: '40/events,' });
  const packets = [];
  while (!packets.some((packet) => packet.includes('"connected"'))) packets.push(...await get());
  const welcome = packets.find((packet) => packet.includes('"connected"'));
  const [, { tenantId }] = JSON.parse(welcome.slice('42/events,'.length));
  const events = async () => (await get()).map((packet) => JSON.parse(packet.slice('42/events,'.length)));
  return { room: `tenant:${tenantId}`, events };
}

it('a polling client that comes late: as on a WebSocket', { timeout: 60_000 }, async () => {
  const publish = (room) => upTo(100).reduce(
    (done, n) => done.then(() => server.publish({ room, kind: 'probe', key: `${n % 2}`, data: { n } })), Promise.resolve());

  const drops = await polling(DEMO_KEYS.demo1);
  await begin();
  await publish(drops.room);
  await until(async () => await counted(GAP) === 100 - FRAMES_MAX, 10_000, 'the oldest are dropped');
  const [gap, ...left] = await drops.events();
  assert.deepEqual([gap[0], gap[1].dropped], ['gap', 100 - FRAMES_MAX]);
  assert.deepEqual(left.map(([, { n }]) => n), upTo(100).slice(-FRAMES_MAX));

  const latest = await polling(DEMO_KEYS.demo2);
  await publish(latest.room);
  await until(async () => await counted(SUPERSEDED) === 98, 10_000, 'older ones are superseded');
  assert.equal(await counted(LAGS), 1);
  assert.deepEqual((await latest.events()).map(([, { n }]) => n), [98, 99]);
  assert.equal(await counted(CLOSED), 0);
});
