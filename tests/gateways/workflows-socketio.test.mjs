// The rooms of the workflows gateway through its other door: Socket.IO, namespace `/workflows`, with the stock client.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { io } from 'socket.io-client';
import { FlowClient } from '../lib/flow.mjs';
import { Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { hmacToken, Issuer, now_s, SigningKey } from '../lib/issuer.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { Queue, until, within } from '../lib/wait.mjs';

const SECRET = '4c6f63616c2073656372657420666f72207468652074657374732c2036342062';
const WAIT_MS = 5_000;
const live = new Set();

/** A stock client on `/workflows`; its events in the order they came. */
class RoomsClient {
  #queue = new Queue();
  ends = new Queue();

  constructor(server, { auth, transports = ['websocket'], reconnection = false, ...options } = {}) {
    this.socket = io(`${server.workflows.http}/workflows`, { auth, transports, reconnection, forceNew: true, ...options });
    this.socket.onAny((name, ...args) => this.#queue.push([name, ...args]));
    this.socket.on('disconnect', (reason) => this.ends.push(reason));
    this.connected = new Promise((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
    });
    this.connected.catch(() => {});
    live.add(this);
  }

  static async open(server, options) {
    const client = new RoomsClient(server, options);
    await within(client.connected, WAIT_MS, 'the connection');
    return client;
  }

  next(what = 'the next event') { return within(this.#queue.take(), WAIT_MS, what); }

  /** The argument of the next event, whose name is its type. */
  async message(what) {
    const [name, message, ...more] = await this.next(what);
    assert.equal(message.type, name);
    assert.deepEqual(more, []);
    return message;
  }

  /** All up to the answer to a ping. */
  async drain() {
    this.socket.emit('ping', {});
    const messages = [];
    for (;;) {
      const message = await this.message('the pong');
      if (message.type === 'pong') return messages;
      messages.push(message);
    }
  }

  async greeting() { return [await this.message('the connection event'), await this.message('the subscription event')]; }
}

/** The same frame, whenever it was. */
const timeless = (message) => ({ ...message, timestamp: undefined, connection_id: undefined });

describe('workflows over Socket.IO', () => {
  let server;
  before(async () => { server = await Server.start({ env: { TIDINGS__AUTH__JWT__SECRET: SECRET, TIDINGS__AUTH__JWT__EXPIRY_GRACE_MS: '0' } }); });
  after(() => server?.stop());
  afterEach(async () => {
    for (const { socket } of live) { socket.removeAllListeners(); socket.disconnect(); }
    live.clear();
    await Inbox.endAll();
  });

  const jwt = (sub, more = {}) => hmacToken('HS256', SECRET, { sub, iat: now_s(), exp: now_s() + 600, ...more });
  const open = async (user, options) => {
    const client = await RoomsClient.open(server, { auth: { token: jwt(user) }, ...options });
    await client.greeting();
    return client;
  };
  let executions = 0;
  /** An execution of the user's with two nodes. */
  async function execution(owner) {
    const id = `sio-${executions += 1}`;
    assert.equal((await server.backend('PUT', `/api/v1/workflows/w-${id}`, { owner_id: owner })).status, 201);
    assert.equal((await server.backend('PUT', `/api/v1/executions/${id}`, { workflow_id: `w-${id}`, total_nodes: 2 })).status, 201);
    return id;
  }
  const report = async (id, body) => assert.equal((await server.backend('POST', `/api/v1/executions/${id}/status`, body)).status, 200);

  for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
    it(`the greeting, over ${transports.join(', ')}`, async () => {
      const client = await RoomsClient.open(server, { auth: { token: jwt('ann') }, transports });
      const [connection, subscription] = await client.greeting();
      assert.deepEqual(Object.keys(connection), ['type', 'event', 'connection_id', 'timestamp']);
      assert.match(connection.timestamp, TIMESTAMP);
      assert.deepEqual(timeless(subscription), timeless({ type: 'subscription', event: 'subscribed', room_id: 'user:ann' }));
    });
  }

  it('the token as a bearer of the handshake, where headers can be sent', async () => {
    const client = await RoomsClient.open(server, { extraHeaders: { Authorization: `Bearer ${jwt('ben')}` }, transports: ['polling', 'websocket'] });
    assert.equal((await client.greeting())[1].room_id, 'user:ben');
  });

  it('who may not enter is told why, with the codes of the close table', async () => {
    for (const [auth, code] of [
      [undefined, 'missing_token'], [{}, 'missing_token'], [{ token: '' }, 'missing_token'], [{ token: 7 }, 'missing_token'],
      [{ token: 'no.token.atall' }, 'invalid_token'], [{ token: jwt('ann', { exp: now_s() - 60 }) }, 'invalid_token'],
      [{ token: jwt('ann', { exp: undefined }) }, 'invalid_token'], [{ token: server.serviceToken }, 'invalid_token'],
    ]) {
      const client = new RoomsClient(server, { auth });
      const refusal = await within(client.connected.then(() => assert.fail(`${code} got in`), (error) => error), WAIT_MS, 'the refusal');
      assert.equal(refusal.message, `authentication failed: ${code}`);
      assert.deepEqual(refusal.data, { code });
    }
  });

  it('there is no other namespace here', async () => {
    const socket = io(`${server.workflows.http}/events`, { transports: ['websocket'], reconnection: false, forceNew: true });
    const error = await new Promise((resolve) => { socket.once('connect_error', resolve); });
    socket.disconnect();
    assert.equal(error.message, 'Invalid namespace');
  });

  it('the same messages, and the same answers and updates as on the WebSocket', async () => {
    const id = await execution('cleo');
    const room_id = `execution:${id}`;
    const client = await open('cleo');
    const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${jwt('cleo')}`);
    for (const what of ['the connection frame', 'the subscription frame']) await inbox.json(what);
    const both = async (message) => {
      const { type, ...members } = message;
      client.socket.emit(type, members);
      inbox.send(message);
      const [event, frame] = [await client.message(), await inbox.json()];
      assert.deepEqual(timeless(event), timeless(frame));
      assert.deepEqual(Object.keys(event), Object.keys(frame));
      return event;
    };
    assert.equal((await both({ type: 'subscribe', room_id })).event, 'subscribed');
    assert.equal((await both({ type: 'subscribe', room_id: 'execution:nobody-knows' })).message, 'Access denied to room');
    assert.equal((await both({ type: 'subscribe' })).message, 'Missing room_id');
    assert.equal((await both({ type: 'dance' })).message, 'Unknown message type: dance');
    assert.equal((await both({ type: 'refresh', token: 'no' })).message, 'Invalid token');
    assert.equal((await both({ type: 'refresh', token: jwt('cleo') })).type, 'refreshed');
    assert.equal((await both({ type: 'ping' })).type, 'pong');

    await server.backend('POST', `/api/v1/executions/${id}/nodes/n1/status`, { status: 'completed', node_name: 'First' });
    await report(id, { status: 'completed', message: 'done' });
    await server.backend('POST', '/api/v1/users/cleo/notifications', { event: 'hello', data: { b: 1, a: 2 } });
    await server.publish({ room: room_id, kind: 'anything', data: [1], gateways: ['workflows'] });
    const frames = await inbox.drain();
    assert.deepEqual(frames.map(({ type }) => type), ['node_update', 'execution_update', 'execution_update', 'notification', 'notification', 'anything']);
    assert.deepEqual(await client.drain(), frames);
    assert.equal((await both({ type: 'unsubscribe', room_id })).event, 'unsubscribed');
  });

  it('the state with the subscription, then what follows', async () => {
    const id = await execution('dora');
    await server.backend('POST', `/api/v1/executions/${id}/nodes/n1/status`, { status: 'completed' });
    const client = await open('dora');
    client.socket.emit('subscribe', { room_id: `execution:${id}`, snapshot: true });
    const shown = [];
    for (let count = 0; count < 4; count += 1) shown.push(await client.message());
    assert.deepEqual(shown.map(({ type }) => type), ['subscription', 'execution_update', 'node_update', 'subscription']);
    assert.equal(shown[1].data.progress_percentage, 50);
    assert.equal(shown[3].recovered, false);
    await report(id, { status: 'running' });
    assert.equal((await client.message()).data.status, 'running');
  });

  it('an acknowledgement has the answer, once', async () => {
    const id = await execution('emil');
    const client = await open('emil');
    const ask = (...args) => client.socket.timeout(WAIT_MS).emitWithAck(...args);
    const room_id = `execution:${id}`;
    const subscribed = await ask('subscribe', { room_id });
    assert.deepEqual(subscribed, await client.message());
    assert.equal(subscribed.event, 'subscribed');
    const shown = await ask('subscribe', { room_id, snapshot: true });
    assert.equal(shown.recovered, false, 'the second confirmation');
    assert.deepEqual((await client.drain()).map(({ type }) => type), ['subscription', 'execution_update', 'subscription']);
    assert.equal((await ask('subscribe', { room_id: 'execution:of-somebody-else' })).message, 'Access denied to room');
    assert.equal((await ask('dance')).message, 'Unknown message type: dance');
    assert.equal((await ask('ping')).type, 'pong');
    assert.equal((await ask('unsubscribe', { room_id })).event, 'unsubscribed');
  });

  it('`message` takes a whole message, as an object and as its text', async () => {
    const client = await open('fred');
    client.socket.send({ type: 'ping' });
    assert.equal((await client.message()).type, 'pong');
    client.socket.send('{"type":"subscribe"}');
    assert.equal((await client.message()).message, 'Missing room_id');
    for (const sent of ['no json', [1], 7, null]) {
      client.socket.send(sent);
      assert.equal((await client.message()).message, 'Invalid JSON format');
    }
    client.socket.emit('subscribe', 'execution:1');
    assert.equal((await client.message()).message, 'Invalid JSON format');
  });

  it('who leaves the namespace and comes back is in no room but its own', async () => {
    const id = await execution('gina');
    const client = await open('gina');
    client.socket.emit('subscribe', { room_id: `execution:${id}` });
    assert.equal((await client.message()).event, 'subscribed');
    const engine = client.socket.io.engine;
    client.socket.disconnect(); // the only namespace: the manager closes the transport, too
    await until(async () => (await server.backend('GET', '/api/v1/ws/stats')).json.total_connections === 0, WAIT_MS, 'no connection');
    client.socket.connect();
    await client.greeting();
    assert.notEqual(client.socket.io.engine.id, engine.id);
    await report(id, { status: 'running' });
    assert.deepEqual(await client.drain(), []);
  });

  it('counts like any connection, and its rooms are in the list', async () => {
    const id = await execution('hana');
    const client = await open('hana');
    client.socket.emit('subscribe', { room_id: `execution:${id}` });
    await client.message();
    const ask = async (target) => (await (await fetch(`${server.workflows.http}${target}`, { headers: { Authorization: `Bearer ${jwt('hana')}` } })).json());
    assert.equal((await ask('/api/v1/ws/stats')).user_connections, 1);
    assert.deepEqual((await ask('/api/v1/ws/rooms')).active_rooms.sort(), [`execution:${id}`, 'user:hana']);
  });

  it('an owner who changes puts the members out', async () => {
    const id = await execution('ivan');
    const client = await open('ivan');
    client.socket.emit('subscribe', { room_id: `execution:${id}` });
    await client.message();
    assert.equal((await server.backend('PUT', `/api/v1/workflows/w-${id}`, { owner_id: 'somebody-else' })).status, 200);
    assert.deepEqual(timeless(await client.message()), timeless({ type: 'subscription', event: 'unsubscribed', room_id: `execution:${id}` }));
  });

  it('a token that expires ends the transport: the client comes back, and is refused until it has another', async () => {
    let token = jwt('jack', { exp: now_s() + 1 });
    const client = new RoomsClient(server, { auth: (give) => give({ token }), reconnection: true, reconnectionDelay: 50 });
    await within(client.connected, WAIT_MS, 'the connection');
    const refused = new Promise((resolve) => { client.socket.on('connect_error', resolve); });
    assert.match(await within(client.ends.take(), 10_000, 'the end'), /^transport/);
    assert.equal((await within(refused, 10_000, 'the refusal')).data.code, 'invalid_token');
    token = jwt('jack');
    client.socket.connect();
    await until(() => client.socket.connected, WAIT_MS, 'the connection with another token');
  });

  it('a revoked token ends the namespace: the stock client does not come back', async () => {
    const client = await RoomsClient.open(server, { auth: { token: jwt('kate', { jti: 'revoked-one' }) }, reconnection: true, reconnectionDelay: 50 });
    await client.greeting();
    server.command('token', 'revoke', '--jti', 'revoked-one');
    assert.equal(await within(client.ends.take(), 10_000, 'the end'), 'io server disconnect');
    assert.equal(client.socket.active, false);
  });

  it("while an issuer's keys cannot be had the transport ends: the client comes back until they can", async () => {
    const key = new SigningKey('RS256', 'k1');
    const issuer = await Issuer.start([key]);
    await issuer.close();
    const trusting = await Server.start({
      env: { TIDINGS__AUTH__JWT__ISSUERS: `[{ issuer = "${issuer.name}", jwks_url = "${issuer.jwksUrl}" }]`, TIDINGS__AUTH__JWT__JWKS_REFRESH_INTERVAL_MS_MIN: '100' },
    });
    let isUp = false;
    try {
      const token = key.token({ iss: issuer.name, sub: 'mara', iat: now_s(), exp: now_s() + 600 });
      const client = new RoomsClient(trusting, { auth: { token }, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
      let refusals = 0;
      client.socket.on('connect_error', () => { refusals += 1; });
      let ends = 0;
      client.socket.io.on('close', () => { ends += 1; });
      await until(() => ends >= 2, WAIT_MS, 'the second attempt');
      assert.equal(refusals, 0, 'a refusal would stop the client');
      await issuer.listen();
      isUp = true;
      await until(() => client.socket.connected, 10_000, 'the connection');
      assert.equal((await client.greeting())[1].room_id, 'user:mara');
      client.socket.disconnect();
    } finally {
      await trusting.stop();
      if (isUp) await issuer.close();
    }
  });

  it('too many connections of a user: the transport ends with 4429, and the client comes back', async () => {
    const limited = await Server.start({ env: { TIDINGS__AUTH__JWT__SECRET: SECRET, TIDINGS__LIMITS__CONNECTIONS_PER_USER_MAX: '1' } });
    try {
      const first = await RoomsClient.open(limited, { auth: { token: jwt('lena') } });
      await first.greeting();
      const second = new RoomsClient(limited, { auth: { token: jwt('lena') }, reconnection: true, reconnectionDelay: 50 });
      assert.match(await within(second.ends.take(), WAIT_MS, 'the end'), /^transport/);
      first.socket.disconnect();
      await until(() => second.socket.connected, WAIT_MS, 'its turn');
      await second.greeting();
      second.socket.disconnect();
    } finally {
      await limited.stop();
    }
  });
});

describe('flow and workflows on one listener', () => {
  let server;
  before(async () => {
    const port = 20_000 + (process.pid % 10_000);
    server = await Server.start({ env: { TIDINGS__AUTH__JWT__SECRET: SECRET, TIDINGS__FLOW__LISTEN: `127.0.0.1:${port}`, TIDINGS__WORKFLOWS__LISTEN: `127.0.0.1:${port}` } });
  });
  after(() => server?.stop());

  it('each namespace is its gateway, also side by side in one client', async () => {
    const token = hmacToken('HS256', SECRET, { sub: 'ann', iat: now_s(), exp: now_s() + 600 });
    const flow = await FlowClient.open(server, { key: DEMO_KEYS.demo1 });
    const rooms = await RoomsClient.open(server, { auth: { token } });
    await rooms.greeting();
    const beside = rooms.socket.io.socket('/events', { auth: { tenantKey: DEMO_KEYS.demo1 } });
    const welcome = new Promise((resolve) => { beside.once('connected', resolve); });
    assert.equal((await within(welcome, WAIT_MS, 'the welcome')).tenantId, 'demo1');
    rooms.socket.emit('ping');
    assert.equal((await rooms.message()).type, 'pong');
    beside.disconnect();
    rooms.socket.disconnect();
    flow.close();
  });
});
