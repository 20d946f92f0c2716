// Who may enter which room: each rule from outside, what becomes of answers that end or are taken back, and that nobody can tell
// a room of somebody else from one that does not exist.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { Callback } from '../lib/callback.mjs';
import { PostgresSchema } from '../lib/database.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { metric } from '../lib/metrics.mjs';
import { BINARY } from '../lib/process.mjs';
import { median, precedence } from '../lib/ranks.mjs';
import { Server } from '../lib/server.mjs';
import { EventStream } from '../lib/stream.mjs';
import { until } from '../lib/wait.mjs';

const QUERY = 'SELECT true FROM grants WHERE owner = $1 AND kind = $2 AND id = $3';
const GRANTS = 'CREATE TABLE grants (owner text, kind text, id text, PRIMARY KEY (owner, kind, id))';
const WAIT_MS = 10_000;

/** Somebody who asks for one room after the other as fast as he can is no subject here. */
const FAST = Object.fromEntries(['MESSAGES_PER_SECOND', 'MESSAGES_BURST', 'MESSAGES_PER_USER_PER_SECOND', 'MESSAGES_PER_USER_BURST'].map((key) => [`TIDINGS__LIMITS__${key}`, '1000000']));

const servers = [];
const callbacks = [];
/** A server with these rules. */
async function start(rules, more = {}) {
  const server = await Server.start({ env: { ...FAST, TIDINGS__ACCESS__RULES: rules, ...more } });
  servers.push(server);
  return server;
}
async function startCallback() {
  const callback = await Callback.start();
  callbacks.push(callback);
  return callback;
}
/** A server with the rule `http`, and what it asks. */
async function startWithCallback(rules = 'http', more = {}) {
  const callback = await startCallback();
  const server = await start(rules, { TIDINGS__ACCESS__HTTP__URL: callback.url, TIDINGS__ACCESS__HTTP__DENIAL_TTL_MS: '0', ...more });
  return { callback, server };
}
function grants() {
  const database = new PostgresSchema();
  database.execute(GRANTS);
  return database;
}
const sqlEnv = (url) => ({ TIDINGS__ACCESS__SQL__URL: url, TIDINGS__ACCESS__SQL__QUERY: QUERY });

const cleanUp = async () => {
  await Inbox.endAll();
  await EventStream.endAll();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(callbacks.splice(0).map((callback) => callback.close()));
};
afterEach(cleanUp);
after(cleanUp);

/** A connection of this user, its two opening frames taken. */
async function open(server, user, ...claims) {
  const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token(user, ...claims)}`);
  await inbox.json('the connection frame');
  await inbox.json('the subscription frame');
  return inbox;
}

/** What a subscription is answered, as text. */
async function ask(inbox, room) {
  inbox.send({ type: 'subscribe', room_id: room });
  return inbox.text('the answer to a subscription');
}

async function enters(inbox, room) {
  const answer = JSON.parse(await ask(inbox, room));
  if (answer.event === 'subscribed') return true;
  assert.deepEqual(answer, { type: 'error', message: 'Access denied to room', room_id: room });
  return false;
}

/** The next frame puts the connection out of a room. */
async function assertPutOut(inbox, room) {
  const { timestamp, ...farewell } = await inbox.json('the farewell');
  assert.deepEqual(farewell, { type: 'subscription', event: 'unsubscribed', room_id: room });
  assert.match(timestamp, /Z$/);
}

const tell = (server, room, data) => server.publish({ room, kind: 'told', event: 'told', data });
const invalidate = (server, body) => request(`${server.operators.http}/api/v1/access/invalidate`, { method: 'POST', token: server.serviceToken, body });

describe('rules about rooms', () => {
  it('by default the registry and the claim', async () => {
    const server = await Server.start();
    servers.push(server);
    await server.backend('PUT', '/api/v1/workflows/w', { owner_id: 'ann' });
    const ann = await open(server, 'ann');
    const bob = await open(server, 'bob', '--claim', 'rooms=["execution:b*","workflow:w"]');
    assert.deepEqual([await enters(ann, 'workflow:w'), await enters(ann, 'execution:b1')], [true, false]);
    assert.deepEqual([await enters(bob, 'workflow:w'), await enters(bob, 'execution:b1'), await enters(bob, 'execution:c')], [true, true, false]);
    // Another owner puts out who was in as the owner, and nobody else.
    await server.backend('PUT', '/api/v1/workflows/w', { owner_id: 'carol' });
    await assertPutOut(ann, 'workflow:w');
    const [updated] = await bob.drain();
    assert.equal(updated.event, 'updated');
    assert.deepEqual(await ann.drain(), []);
  });

  it('a rule that is not listed lets nobody in', async () => {
    const claim = ['--claim', 'rooms=["*"]'];
    const none = await start('');
    await none.backend('PUT', '/api/v1/workflows/w', { owner_id: 'ann' });
    const ann = await open(none, 'ann', ...claim);
    assert.deepEqual([await enters(ann, 'workflow:w'), await enters(ann, 'user:ann'), await enters(ann, 'user:bob')], [false, true, false]);
    const registry = await start('registry');
    await registry.backend('PUT', '/api/v1/workflows/w', { owner_id: 'ann' });
    const bob = await open(registry, 'bob', ...claim);
    assert.deepEqual([await enters(bob, 'workflow:w'), await enters(await open(registry, 'ann'), 'workflow:w')], [false, true]);
  });

  it('whatever the rules say, nobody enters the room of another user or of a tenant', async () => {
    const { server, callback } = await startWithCallback('claim,http');
    callback.otherwise = { status: 200, body: '{"allow": true}' };
    const ann = await open(server, 'ann', '--claim', 'rooms=["*"]');
    for (const room of ['user:bob', 'tenant:demo1', 'user:', 'nonsense']) assert.equal(await enters(ann, room), false, room);
    assert.equal(callback.asked.length, 0);
  });

  it('what cannot work is refused before the start', () => {
    const check = (env, ...args) => spawnSync(BINARY, ['check-config', ...args], { env: { ...process.env, ...env }, encoding: 'utf8' });
    for (const [env, expected] of [
      [{ TIDINGS__ACCESS__RULES: 'registry,ldap' }, /TIDINGS__ACCESS__RULES.*`registry`, `claim`, `sql` or `http`/],
      [{ TIDINGS__ACCESS__RULES: 'claim,claim' }, /`claim` is there twice/],
      [{ TIDINGS__ACCESS__RULES: 'sql' }, /`sql` has no database to ask/],
      [{ TIDINGS__ACCESS__RULES: 'sql', TIDINGS__ACCESS__SQL__URL: 'postgres://x/y' }, /`sql` has no database to ask, or nothing to ask it/],
      [{ TIDINGS__ACCESS__RULES: 'http' }, /`http` has no route to ask/],
      [{ TIDINGS__ACCESS__HTTP__URL: 'https://me:secret@x/' }, /without a password/],
      [{ TIDINGS__SERVER__MODE: 'production', TIDINGS__ACCESS__RULES: 'http', TIDINGS__ACCESS__HTTP__URL: 'http://app.example/' }, /access\.http\.url: the route is asked without TLS/],
    ]) {
      const { status, stdout, stderr } = check(env);
      assert.notEqual(status, 0, JSON.stringify(env));
      assert.match(stdout + stderr, expected);
      assert.doesNotMatch(stdout + stderr, /secret@/);
    }
    assert.equal(check({ TIDINGS__ACCESS__RULES: 'http,registry', TIDINGS__ACCESS__HTTP__URL: 'http://127.0.0.1:1/' }).status, 0);
  });
});

describe('the rule sql', () => {
  it('lets in whom the query lets in, and asks again when the time is over', async () => {
    const database = grants();
    const server = await start('registry,sql', { ...sqlEnv(database.url), TIDINGS__ACCESS__SQL__TTL_MS: '1000' });
    database.execute("INSERT INTO grants VALUES ('ann', 'execution', 'e'), ('ann', 'workflow', 'w''w')");
    const [ann, bob] = [await open(server, 'ann'), await open(server, 'bob')];
    for (const [inbox, room, expected] of [
      [ann, 'execution:e', true], [ann, "workflow:w'w", true], [ann, 'workflow:e', false], [ann, 'execution:missing', false],
      [bob, 'execution:e', false], [bob, "execution:' OR true --", false],
    ]) assert.equal(await enters(inbox, room), expected, room);
    const kept = () => metric(server, 'tidings_access_rechecks_total{outcome="kept"}');
    await until(async () => await kept() >= 2, WAIT_MS, 'both rooms are asked about again');
    assert.deepEqual(await ann.drain(), []);
    database.execute("DELETE FROM grants WHERE id = 'e'");
    await assertPutOut(ann, 'execution:e');
    await tell(server, 'execution:e', 1);
    await tell(server, "workflow:w'w", 2);
    assert.deepEqual((await ann.drain()).map(({ data }) => data), [2]);
    assert.equal(await metric(server, 'tidings_access_rechecks_total{outcome="ended"}'), 1);
    assert.equal(await metric(server, 'tidings_access_answers'), 1);
  });

  it('a database that is away denies, degrades, and does not keep the server from starting', async () => {
    const database = grants();
    database.execute("INSERT INTO grants VALUES ('ann', 'execution', 'e')");
    const door = net.createServer((client) => {
      const backend = net.connect(database.port, '127.0.0.1');
      client.pipe(backend).pipe(client);
      [client, backend].forEach((socket) => socket.on('error', () => { client.destroy(); backend.destroy(); }));
    });
    door.listen(0, '127.0.0.1');
    await once(door, 'listening');
    const { port } = door.address();
    const shut = once(door, 'close');
    door.close();
    await shut;
    const server = await start('claim,sql', {
      ...sqlEnv(database.urlBy(port)), TIDINGS__ACCESS__SQL__TIMEOUT_MS: '200', TIDINGS__ACCESS__BREAKER_FAILURES_MAX: '3', TIDINGS__ACCESS__BREAKER_OPEN_MS: '500',
    });
    const ann = await open(server, 'ann', '--claim', 'rooms=["execution:c"]');
    for (let n = 0; n < 3; n += 1) assert.equal(await enters(ann, 'execution:e'), false);
    assert.equal(await enters(ann, 'execution:c'), true, 'the other rules go on');
    const health = (await request(`${server.workflows.http}/health`));
    assert.deepEqual([health.status, health.json.status, health.json.degraded], [200, 'healthy', ['access_sql']]);
    assert.equal((await request(`${server.operators.http}/readyz`)).status, 200);
    const { checks } = (await request(`${server.operators.http}/readyz?verbose`)).json;
    assert.equal(checks.find(({ name }) => name === 'access_sql').status, 'degraded');
    assert.equal(await metric(server, 'tidings_access_breaker_open{rule="sql"}'), 1);
    door.listen(port, '127.0.0.1');
    await once(door, 'listening');
    await until(() => enters(ann, 'execution:e'), WAIT_MS, 'the database is asked again');
    assert.equal(await metric(server, 'tidings_access_breaker_open{rule="sql"}'), 0);
    assert.equal((await request(`${server.workflows.http}/health`)).json.degraded, undefined);
    await server.stop();
    servers.splice(servers.indexOf(server), 1);
    door.close();
  });
});

describe('the rule http', () => {
  it('says who asks and what, once for all who ask the same', async () => {
    const { server, callback } = await startWithCallback('http', { TIDINGS__ACCESS__HTTP__TOKEN: 'known' });
    callback.set('ann', 'execution:e', { allow: true, ttl_s: 60 });
    const inboxes = await Promise.all(Array.from({ length: 20 }, () => open(server, 'ann', '--claim', 'scope=reader writer')));
    callback.isHanging = true;
    inboxes.forEach((inbox) => inbox.send({ type: 'subscribe', room_id: 'execution:e' }));
    const waiting = async () => await metric(server, 'tidings_access_cache_total{rule="http",result="joined"}') + await metric(server, 'tidings_access_cache_total{rule="http",result="miss"}');
    await until(async () => callback.asked.length > 0 && await waiting() === 20, WAIT_MS, 'all of them ask');
    callback.release();
    for (const inbox of inboxes) assert.equal((await inbox.json()).event, 'subscribed');
    assert.equal(callback.asked.length, 1);
    const [{ method, headers, body }] = callback.asked;
    assert.equal(JSON.stringify(body), '{"user_id":"ann","issuer":null,"scope":["reader","writer"],"room":"execution:e"}');
    assert.deepEqual([method, headers.authorization, headers['content-type']], ['POST', 'Bearer known', 'application/json']);
    assert.equal(await enters(inboxes[0], 'execution:e'), true, 'remembered');
    assert.equal(callback.asked.length, 1);
    assert.equal(await metric(server, 'tidings_access_cache_entries{rule="http"}'), 1);
  });

  it('an answer that ends is asked for again, on sockets and streams, and who lost a room is put out', async () => {
    const { server, callback } = await startWithCallback();
    callback.set('ann', 'execution:e', { allow: true, ttl_s: 1 });
    callback.set('ann', 'execution:long', { allow: true, ttl_s: 3_600 });
    const [one, two] = [await open(server, 'ann'), await open(server, 'ann')];
    for (const inbox of [one, two]) for (const room of ['execution:e', 'execution:long']) assert.equal(await enters(inbox, room), true);
    const stream = await EventStream.open(`${server.workflows.http}/api/v1/sse?token=${server.token('ann')}&room=execution:e`);
    for (const what of ['connection', 'user:ann', 'execution:e']) await stream.json(what);
    await until(() => callback.count('ann', 'execution:e') >= 3, WAIT_MS, 'it is asked again and again');
    assert.equal(callback.count('ann', 'execution:long'), 1);
    assert.deepEqual([...await one.drain(), ...await two.drain()], [], 'nobody notices');
    callback.set('ann', 'execution:e', { allow: false });
    await Promise.all([assertPutOut(one, 'execution:e'), assertPutOut(two, 'execution:e')]);
    assert.deepEqual(Object.values(await stream.json()).slice(0, 3), ['subscription', 'unsubscribed', 'execution:e']);
    await tell(server, 'execution:e', 1);
    await tell(server, 'execution:long', 2);
    for (const inbox of [one, two]) assert.deepEqual((await inbox.drain()).map(({ data }) => data), [2]);
    assert.equal(await enters(one, 'execution:e'), false);
  });

  it('an answer is taken back at once, by user, by room, and by both', async () => {
    const { server, callback } = await startWithCallback();
    const room = 'execution:e';
    for (const user of ['ann', 'bob']) for (const name of [room, 'workflow:w']) callback.set(user, name, { allow: true, ttl_s: 3_600 });
    const [ann, bob] = [await open(server, 'ann'), await open(server, 'bob')];
    for (const inbox of [ann, bob]) for (const name of [room, 'workflow:w']) assert.equal(await enters(inbox, name), true);
    const before = callback.asked.length;
    for (const [body, expected] of [
      [{ user: 'ann', room }, { answers: 1, kept: 1, ended: 0 }],
      [{ user: 'ann' }, { answers: 2, kept: 2, ended: 0 }],
      [{ room }, { answers: 2, kept: 2, ended: 0 }],
      [{}, { answers: 4, kept: 4, ended: 0 }],
      [{ user: 'nobody' }, { answers: 0, kept: 0, ended: 0 }],
    ]) {
      const answer = await invalidate(server, body);
      assert.deepEqual([answer.status, answer.json], [200, expected], JSON.stringify(body));
    }
    assert.equal(callback.asked.length - before, 9);
    assert.deepEqual([...await ann.drain(), ...await bob.drain()], []);
    callback.set('ann', room, 403);
    assert.deepEqual((await invalidate(server, { user: 'bob' })).json, { answers: 2, kept: 2, ended: 0 });
    assert.deepEqual((await invalidate(server, { room })).json, { answers: 2, kept: 1, ended: 1 });
    // Once that is answered, nothing that is published reaches her there.
    await tell(server, room, 1);
    await assertPutOut(ann, room);
    assert.deepEqual(await ann.drain(), []);
    assert.deepEqual((await bob.drain()).map(({ data }) => data), [1]);
  });

  it('whoever takes answers back is the application', async () => {
    const { server } = await startWithCallback();
    const post = (token, body = {}) => request(`${server.operators.http}/api/v1/access/invalidate`, { method: 'POST', token, body });
    assertProblem(await post(undefined), 401, 'missing_token');
    assertProblem(await post(server.token('ann')), 401, 'invalid_token');
    assert.equal((await post(server.operatorToken)).status, 200);
    assertProblem(await post(server.serviceToken, { user: 7 }), 400, 'invalid_body');
    assertProblem(await post(server.serviceToken, { room: 'user:ann' }), 400, 'invalid_body');
    assertProblem(await post(server.serviceToken, '['), 400, 'invalid_body');
  });

  it('a callback that is down lets nobody in, is left alone, and is asked again', async () => {
    const open_ms = 2_000;
    const { server, callback } = await startWithCallback('http', {
      TIDINGS__ACCESS__HTTP__TIMEOUT_MS: '300', TIDINGS__ACCESS__BREAKER_FAILURES_MAX: '3', TIDINGS__ACCESS__BREAKER_OPEN_MS: `${open_ms}`,
    });
    callback.set('ann', 'execution:e', { allow: true, ttl_s: 1 });
    const ann = await open(server, 'ann');
    assert.equal(await enters(ann, 'execution:e'), true);
    await callback.close();
    // The answer ends, and nobody says that it goes on.
    await assertPutOut(ann, 'execution:e');
    const breaker = () => metric(server, 'tidings_access_breaker_open{rule="http"}');
    while (await breaker() === 0) assert.equal(await enters(ann, 'execution:e'), false);
    assert.deepEqual((await request(`${server.workflows.http}/health`)).json.degraded, ['access_http']);
    const failed = await metric(server, 'tidings_access_decisions_total{rule="http",outcome="failed"}');
    assert.ok(failed >= 3, `${failed}`);
    // It comes back, and hangs: the one question that is asked to see fails again.
    callback.isHanging = true;
    await callback.listen();
    const before = callback.asked.length;
    await until(async () => { await enters(ann, 'execution:e'); return callback.asked.length > before; }, WAIT_MS, 'one question');
    const asked = callback.asked.length;
    const until_ms = performance.now() + open_ms / 4;
    while (performance.now() < until_ms) assert.equal(await enters(ann, 'execution:e'), false);
    assert.equal(callback.asked.length, asked, 'nobody else is asked');
    callback.release();
    await until(() => enters(ann, 'execution:e'), WAIT_MS, 'it is asked again');
    assert.equal(await breaker(), 0);
    assert.equal((await request(`${server.workflows.http}/health`)).json.degraded, undefined);
  });

  it('who waits for a callback keeps nobody else waiting', async () => {
    const { server, callback } = await startWithCallback('claim,http', { TIDINGS__ACCESS__HTTP__TIMEOUT_MS: '2000' });
    const [slow, other] = [await open(server, 'ann'), await open(server, 'bob', '--claim', 'rooms=["execution:b"]')];
    callback.isHanging = true;
    slow.send({ type: 'subscribe', room_id: 'execution:e' });
    slow.send({ type: 'ping' });
    await until(() => callback.asked.length === 1, WAIT_MS, 'a question');
    assert.equal(await enters(other, 'execution:b'), true);
    callback.release();
    assert.deepEqual([(await slow.json()).type, (await slow.json()).type], ['error', 'pong'], 'in the order of the questions');
  });

  it('with a grace an outage is not the end of what was allowed', async () => {
    const { server, callback } = await startWithCallback('http', {
      TIDINGS__ACCESS__OUTAGE_GRACE_MS: '60000', TIDINGS__ACCESS__BREAKER_OPEN_MS: '300', TIDINGS__ACCESS__HTTP__TIMEOUT_MS: '300',
    });
    callback.set('ann', 'execution:e', { allow: true, ttl_s: 1 });
    const ann = await open(server, 'ann');
    assert.equal(await enters(ann, 'execution:e'), true);
    await callback.close();
    const deferred = () => metric(server, 'tidings_access_rechecks_total{outcome="deferred"}');
    await until(async () => await deferred() >= 2, WAIT_MS, 'it is tried again');
    await tell(server, 'execution:e', 1);
    assert.deepEqual((await ann.drain()).map(({ data }) => data), [1]);
    assert.equal(await enters(await open(server, 'ann'), 'execution:e'), false, 'nobody new');
    callback.set('ann', 'execution:e', { allow: false });
    await callback.listen();
    await assertPutOut(ann, 'execution:e');
  });
});

describe('a foreign room and one that does not exist', () => {
  const count = 150;
  /** Each room is asked about so often. */
  const rounds = 8;

  /** A server, and rooms that belong to somebody else and to nobody. */
  const arrangements = {
    registry: async () => {
      const server = await start('registry');
      const [owned, missing] = ['o', 'm'].map((letter) => Array.from({ length: count }, () => `execution:${letter}${randomUUID()}`));
      await server.backend('PUT', '/api/v1/workflows/w', { owner_id: 'owner' });
      for (const room of owned) await server.backend('PUT', `/api/v1/executions/${room.slice('execution:'.length)}`, { workflow_id: 'w' });
      return { server, foreign: owned, missing };
    },
    sql: async () => {
      const database = grants();
      const [owned, missing] = ['o', 'm'].map((letter) => Array.from({ length: count }, () => `execution:${letter}${randomUUID()}`));
      database.execute(`INSERT INTO grants VALUES ${owned.map((room) => `('owner', 'execution', '${room.slice('execution:'.length)}')`).join(', ')}`, 'ANALYZE grants');
      return { server: await start('sql', sqlEnv(database.url)), foreign: owned, missing };
    },
    http: async () => {
      const { server, callback } = await startWithCallback();
      const [owned, missing] = ['o', 'm'].map((letter) => Array.from({ length: count }, () => `execution:${letter}${randomUUID()}`));
      // As an application says it, and no slower.
      owned.forEach((room) => callback.set('stranger', room, 403));
      return { server, foreign: owned, missing };
    },
  };
  arrangements['registry,claim,sql,http'] = async () => {
    const database = grants();
    const callback = await startCallback();
    const { foreign, missing, server } = await arrangements.registry();
    await server.stop();
    servers.splice(servers.indexOf(server), 1);
    const chained = await start('registry,claim,sql,http', { ...sqlEnv(database.url), TIDINGS__ACCESS__HTTP__URL: callback.url, TIDINGS__ACCESS__HTTP__DENIAL_TTL_MS: '0' });
    await chained.backend('PUT', '/api/v1/workflows/w', { owner_id: 'owner' });
    for (const room of foreign) await chained.backend('PUT', `/api/v1/executions/${room.slice('execution:'.length)}`, { workflow_id: 'w' });
    return { server: chained, foreign, missing };
  };

  for (const [rules, arrange] of Object.entries(arrangements)) {
    it(`are the same in bytes and in time: ${rules}`, { timeout: 120_000 }, async (context) => {
      const { server, foreign, missing } = await arrange();
      const stranger = await open(server, 'stranger', '--claim', 'rooms=["workflow:else"]');
      const times_ms = { foreign: [], missing: [], malformed: [] };
      const bytes = new Set();
      const malformed = foreign.map((room) => room.replace('execution', 'exekution'));
      const all = Object.entries({ foreign, missing, malformed }).flatMap(([kind, rooms]) => rooms.map((room) => [kind, room]));
      for (let round = 0; round <= rounds; round += 1) {
        // In random order, so that whatever else happens on the machine happens to all.
        for (let n = all.length - 1; n > 0; n -= 1) {
          const other = Math.floor(Math.random() * (n + 1));
          [all[n], all[other]] = [all[other], all[n]];
        }
        for (const [kind, room] of all) {
          const start_ms = performance.now();
          const text = await ask(stranger, room);
          const time_ms = performance.now() - start_ms;
          // The first round warms up.
          if (round > 0) times_ms[kind].push(time_ms);
          bytes.add(text.replace(room, ''));
        }
      }
      assert.deepEqual([...bytes], ['{"type":"error","message":"Access denied to room","room_id":""}']);
      const medians_ms = Object.fromEntries(Object.entries(times_ms).map(([kind, times]) => [kind, median(times).toFixed(4)]));
      const told = precedence(times_ms.foreign, times_ms.missing);
      const control = precedence(times_ms.malformed, times_ms.missing);
      context.diagnostic(`${rules}: ${count * rounds} each, medians in ms ${JSON.stringify(medians_ms)}, foreign before missing ${told.toFixed(3)}, malformed before missing ${control.toFixed(3)}`);
      // Chance alone moves it by 0.012 (one standard deviation of 1,200 against 1,200).
      assert.ok(Math.abs(told - 0.5) < 0.1, `foreign before missing: ${told}`);
      const ratio = medians_ms.foreign / medians_ms.missing;
      assert.ok(ratio > 0.8 && ratio < 1.25, `medians ${JSON.stringify(medians_ms)}`);
      // What is refused without a question is told apart: the test would see a difference if there was one.
      assert.ok(control > 0.6, `malformed before missing: ${control}`);
    });
  }

  it('are the same to a stream', async () => {
    const { server, foreign, missing } = await arrangements.http();
    const refusal = async (room) => {
      const answer = await request(`${server.workflows.http}/api/v1/sse?token=${server.token('stranger')}&room=${room}`);
      assertProblem(answer, 403, 'forbidden');
      return answer.text;
    };
    assert.equal(await refusal(foreign[0]), await refusal(missing[0]));
  });
});
