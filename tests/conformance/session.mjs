import assert from 'node:assert/strict';
import { Inbox } from '../lib/inbox.mjs';
import { pause, within } from '../lib/wait.mjs';

export const HANDSHAKE_KEYS = ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'];
export const PING_INTERVAL_MS = 300;
export const PING_TIMEOUT_MS = 200;
/** For an example whose pings come into no case's way. */
export const CALM = { PING_INTERVAL_MS: '25000', PING_TIMEOUT_MS: '20000' };

/** An Engine.IO endpoint under test, spoken to without any client library. */
export class Endpoint {
  constructor(server, path) {
    this.http = `${server.http}${path}`;
    this.ws = `${server.ws}${path}`;
  }

  /** `{status, text}` of a request with this query. */
  async request(query, options = {}) {
    const response = await fetch(`${this.http}?${query}`, { ...options, signal: options.signal ?? AbortSignal.timeout(5_000) });
    return { status: response.status, text: await response.text() };
  }

  /** A polling session. */
  async poll() {
    const { status, text } = await this.request('EIO=4&transport=polling');
    assert.equal(status, 200, text);
    return new Polling(this, JSON.parse(text.slice(1)));
  }

  /** A websocket with this query; not awaited to open. */
  socket(query) {
    return new Inbox(`${this.ws}?${query}`);
  }

  /** An open websocket session, its handshake taken. */
  async connect() {
    const socket = this.socket('EIO=4&transport=websocket');
    socket.handshake = JSON.parse((await socket.text('the handshake')).slice(1));
    return socket;
  }

  async assertCloses(query) {
    await this.socket(query).closing();
  }
}

export class Polling {
  constructor(endpoint, handshake) {
    this.endpoint = endpoint;
    this.handshake = handshake;
    this.query = `EIO=4&transport=polling&sid=${handshake.sid}`;
  }

  get(options) {
    return this.endpoint.request(this.query, options);
  }

  post(body, options) {
    return this.endpoint.request(this.query, { method: 'POST', body, ...options });
  }

  async assertGone() {
    assert.equal((await this.get()).status, 400);
  }

  /** A websocket on this session, probed but not yet upgraded. */
  async probe() {
    const socket = this.endpoint.socket(`EIO=4&transport=websocket&sid=${this.handshake.sid}`);
    await within(socket.opened, 5_000, 'an open WebSocket');
    socket.send('2probe');
    assert.equal(await socket.text('the answer to the probe'), '3probe');
    return socket;
  }

  async upgrade() {
    const socket = await this.probe();
    socket.send('5');
    return socket;
  }
}

export function assertHandshake(text, upgrades) {
  assert.equal(text[0], '0');
  const handshake = JSON.parse(text.slice(1));
  assert.deepEqual(Object.keys(handshake), HANDSHAKE_KEYS);
  assert.equal(typeof handshake.sid, 'string');
  assert.deepEqual(handshake.upgrades, upgrades);
  assert.equal(handshake.pingInterval, PING_INTERVAL_MS);
  assert.equal(handshake.pingTimeout, PING_TIMEOUT_MS);
  assert.equal(handshake.maxPayload, 1_000_000);
}

/** The cases about heartbeats that both suites share. For all others a ping would come between a question and its answer. */
export const heartbeatCases = {
  'polling: the handshake has the five keys': async (endpoint) => {
    const { status, text } = await endpoint.request('EIO=4&transport=polling');
    assert.equal(status, 200);
    assertHandshake(text, ['websocket']);
  },
  'websocket: the handshake has the five keys': async (endpoint) => {
    const socket = endpoint.socket('EIO=4&transport=websocket');
    assertHandshake(await socket.text(), []);
    await socket.close();
  },
  'polling: ping and pong, three rounds': async (endpoint) => {
    const session = await endpoint.poll();
    for (let round = 0; round < 3; round += 1) {
      assert.deepEqual(await session.get(), { status: 200, text: '2' });
      assert.equal((await session.post('3')).status, 200);
    }
  },
  'polling: closed without a pong': async (endpoint) => {
    const session = await endpoint.poll();
    await pause(PING_INTERVAL_MS + PING_TIMEOUT_MS);
    await session.assertGone();
  },
  'websocket: ping and pong, three rounds': async (endpoint) => {
    const socket = await endpoint.connect();
    for (let round = 0; round < 3; round += 1) {
      assert.equal(await socket.text('a ping'), '2');
      socket.send('3');
    }
    await socket.close();
  },
  'websocket: closed without a pong': async (endpoint) => {
    const socket = await endpoint.connect();
    await socket.closing(PING_INTERVAL_MS + PING_TIMEOUT_MS + 1_000);
  },
};

/** The other cases that both suites share: opening and closing. */
export const sharedCases = {
  'polling: EIO missing or wrong': async (endpoint) => {
    for (const query of ['transport=polling', 'EIO=abc&transport=polling']) assert.equal((await endpoint.request(query)).status, 400, query);
  },
  'polling: transport missing or wrong': async (endpoint) => {
    for (const query of ['EIO=4', 'EIO=4&transport=abc']) assert.equal((await endpoint.request(query)).status, 400, query);
  },
  'polling: POST and PUT without a session': async (endpoint) => {
    for (const method of ['POST', 'PUT']) assert.equal((await endpoint.request('EIO=4&transport=polling', { method })).status, 400, method);
  },
  'websocket: EIO missing or wrong': async (endpoint) => {
    for (const query of ['transport=websocket', 'EIO=abc&transport=websocket']) await endpoint.assertCloses(query);
  },
  'websocket: transport missing or wrong': async (endpoint) => {
    for (const query of ['EIO=4', 'EIO=4&transport=abc']) await endpoint.assertCloses(query);
  },
  'polling: closed by the client': async (endpoint) => {
    const session = await endpoint.poll();
    const [poll, push] = await Promise.all([session.get(), session.post('1')]);
    assert.equal(push.status, 200);
    assert.deepEqual(poll, { status: 200, text: '6' });
    await session.assertGone();
  },
  'websocket: closed by the client': async (endpoint) => {
    const socket = await endpoint.connect();
    socket.send('1');
    await socket.closing();
  },
};

/** After `5` the session belongs to the first websocket alone. */
export const upgradeCases = {
  'after the upgrade a poll is refused': async (endpoint, alive) => {
    const session = await endpoint.poll();
    const socket = await session.upgrade();
    await session.assertGone();
    await alive(socket);
    await socket.close();
  },
  'after the upgrade a second websocket is refused': async (endpoint, alive) => {
    const session = await endpoint.poll();
    const socket = await session.upgrade();
    await endpoint.socket(`EIO=4&transport=websocket&sid=${session.handshake.sid}`).closing();
    await alive(socket);
    await socket.close();
  },
};
