import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { FlowClient } from '../lib/flow.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());
afterEach(() => Inbox.endAll());

const isPong = (message) => message.type === 'pong';
const post = (target, body, token = server.operatorToken) => request(`${server.operators.http}/api/v1${target}`, { method: 'POST', token, body });
const get = (target, token) => request(`${server.operators.http}${target}`, { token });

async function task(user) {
  const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`);
  await inbox.json();
  return inbox;
}

async function workflow(user) {
  const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token(user)}`);
  inbox.id = (await inbox.json()).connection_id;
  await inbox.json();
  return inbox;
}

const names = () => `user-${randomUUID()}`;

describe('operators: publish', () => {
  it('reaches a room on every gateway, in the form of each', async () => {
    const user = names();
    const [onTasks, onWorkflows] = [await task(user), await workflow(user)];
    const answer = await post('/publish', { room: `user:${user}`, kind: 'notice', event: 'hello', data: { b: 1, a: [2.50] } });
    assert.equal(answer.status, 200);
    assert.match(answer.json.id, /^evt_/);
    const [task_update] = await onTasks.drain(isPong);
    assert.match(task_update.timestamp, TIMESTAMP);
    assert.equal(JSON.stringify({ ...task_update, timestamp: 0 }), '{"type":"notice","event":{"b":1,"a":[2.5]},"timestamp":0}');
    const [push] = await onWorkflows.drain(isPong);
    assert.equal(JSON.stringify({ ...push, timestamp: 0 }), '{"type":"notice","event":"hello","data":{"b":1,"a":[2.5]},"timestamp":0}');
    await onTasks.close();
    await onWorkflows.close();
  });

  it('reaches a tenant as a Socket.IO event', async () => {
    const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1 });
    await server.publish({ room: `tenant:${client.welcome.tenantId}`, kind: 'price', data: { now: 7 } });
    assert.deepEqual(await client.next('price'), { now: 7 });
    client.close();
  });

  it('to several rooms: once per connection', async () => {
    const user = names();
    const workflowId = names();
    await server.backend('PUT', `/api/v1/workflows/${workflowId}`, { owner_id: user });
    const inbox = await workflow(user);
    inbox.send({ type: 'subscribe', room_id: `workflow:${workflowId}` });
    await inbox.json();
    await server.publish({ rooms: [`user:${user}`, `workflow:${workflowId}`, `user:${user}`], kind: 'once', event: 'e', data: null });
    assert.deepEqual((await inbox.drain()).map(({ type }) => type), ['once']);
    await inbox.close();
  });

  it('only to the gateways it names', async () => {
    const user = names();
    const [onTasks, onWorkflows] = [await task(user), await workflow(user)];
    await server.publish({ room: `user:${user}`, kind: 'narrow', event: 'e', data: 1, gateways: ['workflows'] });
    assert.deepEqual(await onTasks.drain(isPong), []);
    assert.deepEqual((await onWorkflows.drain()).map(({ type }) => type), ['narrow']);
    await onTasks.close();
    await onWorkflows.close();
  });

  it('not to the connections it excludes', async () => {
    const user = names();
    const [one, two] = [await workflow(user), await workflow(user)];
    await server.publish({ room: `user:${user}`, kind: 'others', event: 'e', data: 1, exclude: [one.id] });
    assert.deepEqual(await one.drain(), []);
    assert.deepEqual((await two.drain()).map(({ type }) => type), ['others']);
    await one.close();
    await two.close();
  });

  it('a repeated idempotency key publishes once', async () => {
    const user = names();
    const inbox = await task(user);
    const event = { room: `user:${user}`, kind: 'k', data: 1, idempotency_key: randomUUID() };
    const [first, second] = [await post('/publish', event), await post('/publish', event)];
    assert.deepEqual([first.status, second.status], [200, 200]);
    assert.equal(second.json.id, first.json.id);
    assert.equal((await inbox.drain(isPong)).length, 1);
    await inbox.close();
  });

  it('a service may publish too; users and strangers may not', async () => {
    const event = { room: 'user:x', kind: 'k', data: 1 };
    assert.equal((await post('/publish', event, server.serviceToken)).status, 200);
    for (const token of [undefined, 'x.y.z']) {
      const answer = await request(`${server.operators.http}/api/v1/publish`, { method: 'POST', token, body: event });
      assertProblem(answer, 401);
    }
    const user = await post('/publish', event, server.token('x'));
    assert.ok(user.status === 401 || user.status === 403, `${user.status}`);
  });

  for (const [name, body] of Object.entries({
    'no room': { kind: 'k', data: 1 },
    'no kind': { room: 'user:x', data: 1 },
    'no data': { room: 'user:x', kind: 'k' },
    'an empty room': { room: '', kind: 'k', data: 1 },
    'a room of 257 bytes': { room: 'r'.repeat(257), kind: 'k', data: 1 },
    'no rooms in the list': { rooms: [], kind: 'k', data: 1 },
    'an unknown gateway': { room: 'user:x', kind: 'k', data: 1, gateways: ['fax'] },
    'an exclusion that is no id': { room: 'user:x', kind: 'k', data: 1, exclude: ['me'] },
    'text that is no JSON': '{"room":',
    'a list': [],
  })) {
    it(`${name} is a problem`, async () => {
      const answer = await post('/publish', body);
      assert.ok(answer.status === 400 || answer.status === 422, `${answer.status} ${answer.text}`);
      assertProblem(answer, answer.status);
    });
  }
});

describe('operators: batch', () => {
  it('publishes in order, each answered on its own', async () => {
    const user = names();
    const inbox = await task(user);
    const event = (n) => ({ room: `user:${user}`, kind: 'k', data: n });
    const answer = await post('/batch', { events: [event(1), { kind: 'k', data: 2 }, event(3)] });
    assert.ok(answer.status === 200 || answer.status === 207, `${answer.status} ${answer.text}`);
    const [results] = Object.values(answer.json);
    assert.equal(results.length, 3);
    assert.match(results[0].id, /^evt_/);
    assert.equal(results[1].id, undefined);
    assert.match(results[2].id, /^evt_/);
    assert.deepEqual((await inbox.drain(isPong)).map((message) => message.event), [1, 3]);
    await inbox.close();
  });

  it('of more than 1,000 events is refused whole', async () => {
    const answer = await post('/batch', { events: Array.from({ length: 1_001 }, () => ({ room: 'user:x', kind: 'k', data: 1 })) });
    assert.ok([400, 413, 422].includes(answer.status), `${answer.status}`);
    assertProblem(answer, answer.status);
  });

  it('of more than 1 MiB is refused', async () => {
    const answer = await post('/batch', { events: [{ room: 'user:x', kind: 'k', data: 'x'.repeat(1_100_000) }] });
    assertProblem(answer, 413);
  });
});

describe('operators: health and metrics', () => {
  for (const target of ['/livez', '/readyz', '/readyz?verbose', '/startupz', '/health']) {
    it(`${target} is 200 without a token`, async () => assert.equal((await get(target)).status, 200));
  }

  it('metrics count connections and publishes', async () => {
    const value = async (pattern) => {
      const { status, text } = await get('/metrics');
      assert.equal(status, 200);
      return text.split('\n').filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };
    const inbox = await task(names());
    const connections = /^tidings_connections\{.*tasks.*\}/;
    await until(async () => (await value(connections)) >= 1, 5_000, 'the connection is counted');
    await inbox.close();
    await until(async () => (await value(connections)) === 0, 5_000, 'the closed connection is no longer counted');
    const publishes = /^tidings_publish(es|ed)?_total/;
    const before_count = await value(publishes);
    await server.publish({ room: 'user:x', kind: 'k', data: 1 });
    await until(async () => (await value(publishes)) === before_count + 1, 5_000, 'the publish is counted');
  });

  it('in development flow has the metrics too', async () => {
    const { status, headers, text } = await request(`${server.flow.http}/metrics`);
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^application\/openmetrics-text|^text\/plain/);
    assert.match(text, /^tidings_/m);
  });

  it('an unknown path is a problem', async () => assertProblem(await get('/api/v1/no-such-verb', server.operatorToken), 404));
});

describe('operators: the process', () => {
  it('closes clients with 1001 and ends with 0 on SIGTERM', async () => {
    const own = await Server.start();
    const inbox = await Inbox.open(`${own.tasks.ws}/ws?user_id=leaver`);
    await inbox.json();
    const stopped = own.stop();
    assert.deepEqual(await inbox.closing(15_000), { code: 1001, reason: 'shutting_down' });
    await stopped;
    assert.equal(own.exitCode, 0);
  });

  it('a data directory serves one server at a time', () => {
    assert.throws(() => server.command('serve'), /lock|in use|already|another/i);
  });
});
