import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { envelope, structured } from '../lib/cloudevent.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { assertRefused, Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { handshake, RawSocket } from '../lib/raw.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());
afterEach(() => Inbox.endAll());

const url = (query) => `${server.tasks.ws}/ws${query}`;
const isPong = (message) => message.type === 'pong';

/** A connection of a user of its own, its welcome taken. */
async function open(user = `user-${randomUUID()}`, query = `?user_id=${encodeURIComponent(user)}`, options) {
  const inbox = await Inbox.open(url(query), options);
  inbox.welcome = await inbox.json('the welcome');
  inbox.user = inbox.welcome.user_id;
  return inbox;
}

const post = (options) => request(`${server.tasks.http}/task-updates`, { method: 'POST', ...options });

async function assertAnswered(options, status) {
  const answer = await post(options);
  assert.deepEqual([answer.status, answer.json], [200, { status }], answer.text);
}

const eventFor = (user, more = {}) => ({ event_type: 'task.created', user_id: user, task_id: '456', title: 'New Task', ...more });

/** Posts and asserts that exactly this event, and nothing else, reaches a connection of the user. */
async function assertDelivered(requestFor, expected = (user) => eventFor(user)) {
  const inbox = await open();
  await assertAnswered(requestFor(inbox.user), 'SUCCESS');
  const messages = await inbox.drain(isPong);
  assert.deepEqual(messages.map(({ type, event }) => ({ type, event })), [{ type: 'task_update', event: expected(inbox.user) }]);
  assert.deepEqual(Object.keys(messages[0]), ['type', 'event', 'timestamp']);
  assert.match(messages[0].timestamp, TIMESTAMP);
  await inbox.close();
}

describe('tasks: who may connect', () => {
  it('welcomes a user', async () => {
    const inbox = await open('user-123');
    assert.deepEqual(Object.keys(inbox.welcome), ['type', 'message', 'user_id', 'timestamp']);
    assert.deepEqual({ ...inbox.welcome, timestamp: null }, { type: 'connected', message: 'WebSocket connected successfully', user_id: 'user-123', timestamp: null });
    assert.match(inbox.welcome.timestamp, TIMESTAMP);
    await inbox.close();
  });

  for (const query of ['', '?', '?user_id=', '?user=x', '?token=']) {
    it(`missing_user_id for "${query}"`, () => assertRefused(url(query), 4400, 'missing_user_id'));
  }
  for (const [name, user] of [['201 bytes', 'u'.repeat(201)], ['a control character', 'a%00b'], ['a line feed', 'a%0Ab']]) {
    it(`invalid_user_id for ${name}`, () => assertRefused(url(`?user_id=${user}`), 4400, 'invalid_user_id'));
  }

  it('the first of a repeated parameter wins', async () => {
    const inbox = await open('first', '?user_id=first&user_id=second');
    assert.equal(inbox.user, 'first');
    await inbox.close();
  });

  it("a token's sub is the user, whatever user_id says", async () => {
    for (const query of ['?user_id=anonymous&token=', '?user_id=someone-else&token=', '?token=', '?user_id=&token=']) {
      const inbox = await open('', query + server.token('real-user'));
      assert.equal(inbox.user, 'real-user');
      await inbox.close();
    }
  });

  it('the token may come as a bearer header or as a subprotocol', async () => {
    const token = server.token('header-user');
    const byHeader = await open('', '', { headers: { authorization: `Bearer ${token}` } });
    assert.equal(byHeader.user, 'header-user');
    await byHeader.close();
    const byProtocol = await open('', '', { protocols: ['bearer', token] });
    assert.equal(byProtocol.user, 'header-user');
    assert.equal(byProtocol.socket.protocol, 'bearer');
    await byProtocol.close();
  });

  it('invalid_token, also beside a good user_id', async () => {
    const good = server.token('real-user');
    const [header, payload, signature] = good.split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    for (const token of ['x', 'a.b.c', `${header}.${payload}.${signature.slice(0, -4)}AAAA`, `${none}.${payload}.`]) {
      await assertRefused(url(`?user_id=u&token=${token}`), 4401, 'invalid_token');
    }
  });

  it('operator and service tokens are refused as users', async () => {
    for (const token of [server.operatorToken, server.serviceToken]) await assertRefused(url(`?token=${token}`), 4401, 'invalid_token');
  });

  it('a foreign origin is not let in, a local one is', async () => {
    const refused = new Inbox(url('?user_id=u'), { origin: 'https://elsewhere.example' });
    const outcome = await Promise.race([refused.closing().then(({ code }) => code), refused.opened.then(() => refused.closing()).then(({ code }) => code)]);
    assert.ok(outcome === 4403 || outcome === 1006, `${outcome}`);
    const local = await open('u', '?user_id=u', { origin: 'http://127.0.0.1:5173' });
    await local.close();
  });

  it('a request that is no upgrade is a problem', async () => {
    const answer = await request(`${server.tasks.http}/ws?user_id=u`);
    assertProblem(answer, 426);
    const port = Number(server.tasks.address.split(':').at(-1));
    const socket = new RawSocket(port);
    socket.write(handshake(port, { path: '/ws?user_id=u', headers: { 'Sec-WebSocket-Key': null } }));
    assert.equal((await socket.response()).status, 400);
    socket.destroy();
  });
});

describe('tasks: messages of a client', () => {
  it('a ping is answered with exactly {"type":"pong"}, text or binary', async () => {
    const inbox = await open();
    for (const ping of ['{"type":"ping"}', '{ "type" : "ping", "more": [1] }', Buffer.from('{"type":"ping"}')]) {
      inbox.send(ping);
      const { text, binary } = await inbox.next();
      assert.deepEqual([text, binary], ['{"type":"pong"}', false]);
    }
    await inbox.close();
  });

  it('what it does not know is ignored', async () => {
    const inbox = await open();
    for (const message of ['ping', '', '{', '[]', 'null', '"ping"', '{"type":"subscribe"}', '{"type":7}', Buffer.from([0xff, 0xfe]), '[['.repeat(50_000)]) inbox.send(message);
    assert.deepEqual(await inbox.drain(isPong), []);
    await inbox.close();
  });
});

describe('tasks: events by POST /task-updates', () => {
  it('a structured CloudEvent', () => assertDelivered((user) => structured(eventFor(user))));
  it('with a charset and capital letters in the media type', () => assertDelivered((user) => ({
    ...structured(eventFor(user)), headers: { 'content-type': 'Application/CloudEvents+JSON; charset=utf-8' },
  })));
  it('binary mode', () => assertDelivered((user) => ({
    headers: { 'ce-id': randomUUID(), 'ce-source': 'backend', 'ce-specversion': '1.0', 'ce-type': 'task', 'content-type': 'application/json' },
    body: eventFor(user),
  })));
  it('base64 data', () => assertDelivered((user) => structured(undefined, { data_base64: Buffer.from(JSON.stringify(eventFor(user))).toString('base64') })));
  it('data as a string of JSON', () => assertDelivered((user) => structured(JSON.stringify(eventFor(user)))));
  it('a bare event without an envelope', () => assertDelivered((user) => ({ body: eventFor(user) })));
  it('the user in data', () => assertDelivered((user) => structured({ event_type: 'x', data: { user_id: user } }), (user) => ({ event_type: 'x', data: { user_id: user } })));
  it('the user in payload', () => assertDelivered((user) => structured({ event_type: 'x', payload: { user_id: user } }), (user) => ({ event_type: 'x', payload: { user_id: user } })));
  it('extension attributes and odd timestamps are no matter', () => assertDelivered(
    (user) => structured(eventFor(user, { timestamp: '2026-02-07 12:00:00' }), { traceparent: '00-0-0-00', comexampleextension: 7, time: '2026-02-07T12:00:00Z' }),
    (user) => eventFor(user, { timestamp: '2026-02-07 12:00:00' })));

  it('the same user as an integer', async () => {
    const inbox = await open('42');
    await assertAnswered(structured({ event_type: 'x', user_id: 42 }), 'SUCCESS');
    assert.equal((await inbox.json()).event.user_id, 42);
    await inbox.close();
  });

  it('data is passed on verbatim, white space aside', async () => {
    const inbox = await open();
    const data = `{ "z": 1.0,\n "a": 1e2, "user_id": "${inbox.user}", "text": "a  b\\u00e9", "big": 12345678901234567890, "dup": 1, "dup": 2 }`;
    const text = JSON.stringify(envelope(0)).replace('"data":0', `"data":${data}`);
    await assertAnswered({ headers: { 'content-type': 'application/cloudevents+json' }, body: text }, 'SUCCESS');
    const received = await inbox.text();
    const expected = `{"z":1.0,"a":1e2,"user_id":"${inbox.user}","text":"a  b\\u00e9","big":12345678901234567890,"dup":1,"dup":2}`;
    assert.ok(received.startsWith(`{"type":"task_update","event":${expected},"timestamp":"`), received);
    await inbox.close();
  });

  it('reaches every connection of the user, and nobody else', async () => {
    const user = `user-${randomUUID()}`;
    const [one, two, other] = [await open(user), await open(user), await open()];
    await assertAnswered(structured(eventFor(user)), 'SUCCESS');
    assert.deepEqual((await one.drain(isPong)).map(({ event }) => event), [eventFor(user)]);
    assert.deepEqual((await two.drain(isPong)).map(({ event }) => event), [eventFor(user)]);
    assert.deepEqual(await other.drain(isPong), []);
    await Promise.all([one, two, other].map((inbox) => inbox.close()));
  });

  it('the same source and id again is acknowledged and not sent twice', async () => {
    const inbox = await open();
    const id = randomUUID();
    const deliver = (more) => assertAnswered(structured(eventFor(inbox.user), { id, ...more }), 'SUCCESS');
    await deliver();
    await deliver();
    assert.equal((await inbox.drain(isPong)).length, 1);
    await deliver({ source: 'another' });
    assert.equal((await inbox.drain(isPong)).length, 1);
    const bare = { body: eventFor(inbox.user) };
    await assertAnswered(bare, 'SUCCESS');
    await assertAnswered(bare, 'SUCCESS');
    assert.equal((await inbox.drain(isPong)).length, 2, 'a bare event has no id to be known by');
    await inbox.close();
  });

  it('SUCCESS also when nobody is connected', () => assertAnswered(structured(eventFor('nobody-here')), 'SUCCESS'));

  for (const [name, options] of Object.entries({
    'no user': structured({ event_type: 'x' }),
    'a user that is empty': structured(eventFor('')),
    'a user that is too long': structured(eventFor('u'.repeat(201))),
    'a user that is a fraction': structured({ user_id: 1.5 }),
    'a user that is an object': structured({ user_id: {} }),
    'data that is a list': structured([1]),
    'data that is a word': structured('not json'),
    'no data': structured(undefined),
    'base64 that is none': structured(undefined, { data_base64: '***' }),
    'a body that is no JSON, labelled as a CloudEvent': { headers: { 'content-type': 'application/cloudevents+json' }, body: 'not json' },
    'an envelope without id': structured(eventFor('u'), { id: undefined }),
    'an envelope of another version': structured(eventFor('u'), { specversion: '0.3' }),
    'a body that is no JSON': { body: 'not json' },
    'an empty body': { body: '' },
  })) {
    it(`DROP for ${name}`, () => assertAnswered(options, 'DROP'));
  }

  it('a batch', async () => {
    const inbox = await open();
    const events = [1, 2, 3].map((n) => envelope(eventFor(inbox.user, { task_id: `${n}` })));
    const answer = await post({ headers: { 'content-type': 'application/cloudevents-batch+json' }, body: JSON.stringify(events) });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual((await inbox.drain(isPong)).map(({ event }) => event.task_id), ['1', '2', '3']);
    await inbox.close();
  });

  it("Dapr's bulk envelope, each entry answered on its own", async () => {
    const inbox = await open();
    const entry = (entryId, event) => ({ entryId, event, metadata: {}, contentType: 'application/cloudevents+json' });
    const body = {
      id: randomUUID(), type: 'com.dapr.event.sent.bulk', topic: 'task-updates', pubsubname: 'kafka-pubsub', metadata: { pubsubName: 'kafka-pubsub' },
      entries: [entry('0', envelope(eventFor(inbox.user, { task_id: '1' }))), entry('1', envelope({ no: 'user' })), entry('2', envelope(eventFor(inbox.user, { task_id: '2' })))],
    };
    const answer = await post({ body });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, { statuses: [{ entryId: '0', status: 'SUCCESS' }, { entryId: '1', status: 'DROP' }, { entryId: '2', status: 'SUCCESS' }] });
    assert.deepEqual((await inbox.drain(isPong)).map(({ event }) => event.task_id), ['1', '2']);
    await inbox.close();
  });

  it('events posted one after the other arrive in their order', async () => {
    const inbox = await open();
    for (let n = 0; n < 200; n += 1) await assertAnswered(structured(eventFor(inbox.user, { n })), 'SUCCESS');
    assert.deepEqual((await inbox.drain(isPong)).map(({ event }) => event.n), Array.from({ length: 200 }, (_, n) => n));
    await inbox.close();
  });
});

describe('tasks: HTTP', () => {
  const get = (target) => request(`${server.tasks.http}${target}`);

  it('/stats and /health count connections', async () => {
    await until(async () => (await get('/stats')).json.total_connections === 0, 5_000, 'no connection of another test');
    assert.equal((await get('/stats')).text, '{"total_users":0,"total_connections":0,"users":{}}');
    const inboxes = [await open('user-123'), await open('user-456'), await open('user-123')];
    const { status, text, json } = await get('/stats');
    assert.equal(status, 200);
    assert.deepEqual(json, { total_users: 2, total_connections: 3, users: { 'user-123': 2, 'user-456': 1 } });
    assert.ok(text.startsWith('{"total_users":2,"total_connections":3,"users":{'), text);
    assert.equal((await get('/health')).text, '{"status":"healthy","service":"websocket-service","connections":3}');
    await inboxes[0].close();
    await until(async () => (await get('/stats')).json.users['user-123'] === 1, 5_000, 'a closed connection is not counted');
    await Promise.all(inboxes.slice(1).map((inbox) => inbox.close()));
  });

  it('what Dapr asks for at its start', async () => {
    assert.deepEqual((await get('/dapr/config')).json, {});
    assert.equal((await get('/dapr/subscribe')).text, '[{"pubsubname":"kafka-pubsub","topic":"task-updates","route":"/task-updates"}]');
    assert.equal((await get('/healthz')).status, 200);
  });
});
