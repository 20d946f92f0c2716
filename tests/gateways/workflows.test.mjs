import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertProblem, request } from '../lib/http.mjs';
import { assertRefused, Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());
afterEach(() => Inbox.endAll());

const url = (query) => `${server.workflows.ws}/api/v1/ws${query}`;
const get = (target, token) => request(`${server.workflows.http}/api/v1${target}`, { token });

async function backend(method, target, body, statuses = [200, 201]) {
  const answer = await server.backend(method, `/api/v1${target}`, body);
  assert.ok(statuses.includes(answer.status), `${method} ${target}: ${answer.status} ${answer.text}`);
  return answer;
}

/** A connection, its two opening frames taken. */
async function open(user) {
  const inbox = await Inbox.open(url(`?token=${server.token(user)}`));
  inbox.opening = [await inbox.json('the connection frame'), await inbox.json('the subscription frame')];
  return inbox;
}

async function subscribe(inbox, room) {
  inbox.send({ type: 'subscribe', room_id: room });
  const answer = await inbox.json('the subscription');
  assert.deepEqual({ ...answer, timestamp: null }, { type: 'subscription', event: 'subscribed', room_id: room, timestamp: null });
}

/** A workflow and an execution with names of their own; the owner's connection is in the execution's room. */
async function watched({ total_nodes = 4 } = {}) {
  const [owner, workflow, execution] = ['owner', 'workflow', 'execution'].map((kind) => `${kind}-${randomUUID()}`);
  await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
  await backend('PUT', `/executions/${execution}`, { workflow_id: workflow, total_nodes });
  const inbox = await open(owner);
  await subscribe(inbox, `execution:${execution}`);
  const report = (body, statuses) => backend('POST', `/executions/${execution}/status`, body, statuses);
  const reportNode = (node, body, statuses) => backend('POST', `/executions/${execution}/nodes/${node}/status`, body, statuses);
  return { owner, workflow, execution, inbox, report, reportNode };
}

describe('workflows: who may connect', () => {
  it('the two opening frames', async () => {
    const inbox = await open('opener');
    const [connection, subscription] = inbox.opening;
    assert.deepEqual(Object.keys(connection), ['type', 'event', 'connection_id', 'timestamp']);
    assert.deepEqual([connection.type, connection.event], ['connection', 'connected']);
    assert.match(connection.connection_id, UUID);
    assert.match(connection.timestamp, TIMESTAMP);
    assert.deepEqual(Object.keys(subscription), ['type', 'event', 'room_id', 'timestamp']);
    assert.deepEqual([subscription.type, subscription.event, subscription.room_id], ['subscription', 'subscribed', 'user:opener']);
    await inbox.close();
  });

  it('what is sent before the opening frames were read is answered behind them', async () => {
    const inbox = new Inbox(url(`?token=${server.token('eager')}`));
    inbox.socket.once('open', () => inbox.send({ type: 'subscribe', room_id: 'user:eager' }));
    const types = [await inbox.json(), await inbox.json(), await inbox.json()].map((message) => [message.type, message.room_id]);
    assert.deepEqual(types, [['connection', undefined], ['subscription', 'user:eager'], ['subscription', 'user:eager']]);
    await inbox.close();
  });

  it('the token as a bearer header or as a subprotocol', async () => {
    const token = server.token('header-user');
    const byHeader = await Inbox.open(url(''), { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await byHeader.json()).type, 'connection');
    await byHeader.close();
    const byProtocol = await Inbox.open(url(''), { protocols: ['bearer', token] });
    assert.equal(byProtocol.socket.protocol, 'bearer');
    assert.equal((await byProtocol.json()).type, 'connection');
    await byProtocol.close();
  });

  it('missing_token', async () => {
    for (const query of ['', '?token=', '?user_id=u']) await assertRefused(url(query), 4401, 'missing_token');
  });

  it('invalid_token', async () => {
    const [header, payload, signature] = server.token('signed').split('.');
    const forged = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url')), sub: 'admin' })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const token of ['x', `${header}.${payload}`, `${header}.${forged}.${signature}`, `${none}.${payload}.`]) {
      await assertRefused(url(`?token=${token}`), 4401, 'invalid_token');
    }
  });

  it('a token of another type, and those of operators and services, are invalid', async () => {
    await assertRefused(url(`?token=${server.token('u', '--claim', 'type=refresh')}`), 4401, 'invalid_token');
    await assertRefused(url(`?token=${server.operatorToken}`), 4401, 'invalid_token');
    await assertRefused(url(`?token=${server.serviceToken}`), 4401, 'invalid_token');
    const access = await Inbox.open(url(`?token=${server.token('u', '--claim', 'type=access')}`));
    assert.equal((await access.json()).type, 'connection');
    await access.close();
  });
});

describe('workflows: rooms', () => {
  it('the owner may enter, again and again', async () => {
    const { inbox, workflow, execution, owner } = await watched();
    for (const room of [`execution:${execution}`, `workflow:${workflow}`, `user:${owner}`]) await subscribe(inbox, room);
    await inbox.close();
  });

  it('a foreign and a non-existent room are denied in the same bytes', async () => {
    const { inbox: owned, execution, workflow } = await watched();
    const stranger = await open('stranger');
    const denial = async (room) => {
      stranger.send({ type: 'subscribe', room_id: room });
      const text = await stranger.text();
      assert.equal(text, JSON.stringify({ type: 'error', message: 'Access denied to room', room_id: room }));
      return text.replace(room, '');
    };
    const missing = `execution-${randomUUID()}`;
    assert.equal(await denial(`execution:${execution}`), await denial(`execution:${missing}`));
    assert.equal(await denial(`workflow:${workflow}`), await denial(`workflow:${missing}`));
    for (const room of ['user:someone-else', 'user:', 'execution:', 'tenant:demo1', 'nonsense', ':', '', 'execution', 'x'.repeat(257), 'execution:a\u0000b', 'execution:*']) await denial(room);
    await owned.close();
    await stranger.close();
  });

  it('room_id missing or no string', async () => {
    const inbox = await open('careless');
    inbox.send({ type: 'subscribe' });
    assert.equal(await inbox.text(), '{"type":"error","message":"Missing room_id"}');
    inbox.send({ type: 'unsubscribe' });
    assert.equal(await inbox.text(), '{"type":"error","message":"Missing room_id"}');
    inbox.send({ type: 'subscribe', room_id: 7 });
    assert.equal((await inbox.json()).type, 'error');
    await inbox.close();
  });

  it('unsubscribe is confirmed, also when not subscribed, and stops the events', async () => {
    const { inbox, execution, report } = await watched();
    for (let round = 0; round < 2; round += 1) {
      inbox.send({ type: 'unsubscribe', room_id: `execution:${execution}` });
      const answer = await inbox.json();
      assert.deepEqual(Object.keys(answer), ['type', 'event', 'room_id', 'timestamp']);
      assert.deepEqual([answer.type, answer.event, answer.room_id], ['subscription', 'unsubscribed', `execution:${execution}`]);
    }
    await report({ status: 'running' });
    assert.deepEqual(await inbox.drain(), []);
    await inbox.close();
  });

  it('ping, and what it does not know', async () => {
    const inbox = await open('talker');
    inbox.send({ type: 'ping' });
    const pong = await inbox.json();
    assert.deepEqual(Object.keys(pong), ['type', 'timestamp']);
    assert.match(pong.timestamp, TIMESTAMP);
    inbox.send({ type: 'dance' });
    assert.equal(await inbox.text(), '{"type":"error","message":"Unknown message type: dance"}');
    for (const message of ['ping', '{', '']) {
      inbox.send(message);
      assert.equal(await inbox.text(), '{"type":"error","message":"Invalid JSON format"}', message);
    }
    for (const message of ['[]', '{}', '{"type":null}', 'null', '7']) {
      inbox.send(message);
      assert.equal((await inbox.json()).type, 'error', message);
    }
    assert.deepEqual(await inbox.drain(), []);
    await inbox.close();
  });

  it('a connection may be in 128 rooms, and no more', async () => {
    const owner = `owner-${randomUUID()}`;
    const workflow = `workflow-${randomUUID()}`;
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
    const rooms = Array.from({ length: 140 }, (_, n) => `${workflow}-${n}`);
    for (const id of rooms) await backend('PUT', `/executions/${id}`, { workflow_id: workflow });
    const inbox = await open(owner);
    for (const id of rooms) inbox.send({ type: 'subscribe', room_id: `execution:${id}` });
    const answers = await inbox.drain();
    const confirmed = answers.filter((answer) => answer.type === 'subscription').length;
    assert.ok(confirmed === 127 || confirmed === 128, `${confirmed} confirmed`);
    assert.equal(answers.length, 140);
    await inbox.close();
  });
});

describe('workflows: reports', () => {
  it('an execution from pending to completed', async () => {
    const { inbox, execution, report } = await watched({ total_nodes: 7 });
    await report({ status: 'running', progress_percentage: 45.5, completed_nodes: 3, current_node: 'node-3' });
    const update = await inbox.json();
    assert.deepEqual(Object.keys(update), ['type', 'event', 'data', 'timestamp']);
    assert.equal(JSON.stringify({ ...update, timestamp: null }), JSON.stringify({
      type: 'execution_update', event: 'status_changed',
      data: { execution_id: execution, status: 'running', progress_percentage: 45.5, completed_nodes: 3, total_nodes: 7, current_node: 'node-3' },
      timestamp: null,
    }));
    await report({ status: 'completed', message: 'all done' });
    const messages = await inbox.drain();
    const completed = messages.find((message) => message.type === 'execution_update');
    assert.deepEqual([completed.data.status, completed.data.progress_percentage], ['completed', 100]);
    const notice = messages.find((message) => message.type === 'notification');
    assert.equal(notice.event, 'execution_completed');
    assert.deepEqual(Object.keys(notice.data), ['execution_id', 'workflow_id', 'status', 'message']);
    assert.equal(notice.data.message, 'all done');
    assert.equal(messages.length, 2);
    await inbox.close();
  });

  it('current_node is null when not reported, progress follows from the nodes', async () => {
    const { inbox, report } = await watched({ total_nodes: 4 });
    await report({ status: 'running', completed_nodes: 1 });
    assert.deepEqual(Object.values((await inbox.json()).data).slice(1), ['running', 25, 1, 4, null]);
    await inbox.close();
  });

  it('the same status again: 200 and nothing published', async () => {
    const { inbox, report } = await watched();
    await report({ status: 'running' });
    await inbox.json();
    await report({ status: 'running' }, [200]);
    assert.deepEqual(await inbox.drain(), []);
    await inbox.close();
  });

  for (const [from, to] of [['running', 'pending'], ['completed', 'running'], ['failed', 'completed'], ['cancelled', 'pending'], ['completed', 'failed']]) {
    it(`${from} to ${to}: 409`, async () => {
      const { inbox, report } = await watched();
      await report({ status: from });
      await inbox.drain();
      assertProblem(await report({ status: to }, [409]), 409, 'illegal_transition');
      assert.deepEqual(await inbox.drain(), []);
      await inbox.close();
    });
  }

  for (const status of ['completed', 'failed', 'cancelled']) {
    it(`pending to ${status}: skipping ahead is legal, and the owner is notified`, async () => {
      const { inbox, report } = await watched();
      await report({ status });
      const messages = await inbox.drain();
      assert.deepEqual(messages.map(({ type, event }) => `${type} ${event}`).sort(), ['execution_update status_changed', `notification execution_${status}`]);
      await inbox.close();
    });
  }

  it('nodes', async () => {
    const { inbox, execution, reportNode } = await watched({ total_nodes: 2 });
    await reportNode('node-1', { status: 'running', node_execution_id: 'abc-def-ghi', node_name: 'Agent', message: 'Working' });
    const [first] = await inbox.drain();
    assert.equal(JSON.stringify({ ...first, timestamp: null }), JSON.stringify({
      type: 'node_update', event: 'status_changed',
      data: { execution_id: execution, node_execution_id: 'abc-def-ghi', node_id: 'node-1', node_name: 'Agent', status: 'running', message: 'Working' },
      timestamp: null,
    }));
    await reportNode('node-1', { status: 'completed' });
    const done = await inbox.drain();
    assert.deepEqual(done.map(({ type }) => type), ['node_update', 'execution_update']);
    assert.equal(done[0].data.message, null);
    assert.deepEqual([done[1].data.completed_nodes, done[1].data.progress_percentage], [1, 50]);
    await reportNode('node-2', { status: 'skipped' });
    const skipped = await inbox.drain();
    assert.deepEqual([skipped[0].data.node_name, skipped[0].data.status], ['node-2', 'skipped']);
    assert.match(skipped[0].data.node_execution_id, UUID);
    assert.deepEqual([skipped[1].data.completed_nodes, skipped[1].data.progress_percentage], [1, 100]);
    assertProblem(await reportNode('node-1', { status: 'running' }, [409]), 409, 'illegal_transition');
    await reportNode('node-1', { status: 'completed' }, [200]);
    assert.deepEqual(await inbox.drain(), []);
    await inbox.close();
  });

  it('workflow updates go to the room of the workflow', async () => {
    const { inbox, workflow, owner } = await watched();
    await subscribe(inbox, `workflow:${workflow}`);
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner, name: 'Renamed', data: { nodes: [1] } }, [200]);
    const updated = await inbox.json();
    assert.deepEqual([updated.type, updated.event], ['workflow_update', 'updated']);
    assert.equal(JSON.stringify(updated.data), JSON.stringify({ workflow_id: workflow, name: 'Renamed', data: { nodes: [1] } }));
    await inbox.close();
  });

  it('bodies that are wrong are problems', async () => {
    const { inbox, report, reportNode } = await watched();
    const assertRejected = (answer) => assertProblem(answer, answer.status);
    for (const body of [{ status: 'sleeping' }, {}, { status: 'running', progress_percentage: 101 }, { status: 'running', progress_percentage: -1 }, { status: 'running', completed_nodes: -1 }, '{', []]) {
      assertRejected(await report(body, [400, 422]));
    }
    assertRejected(await reportNode('n', { status: 'sleeping' }, [400, 422]));
    assertProblem(await backend('POST', `/executions/no-such-execution/status`, { status: 'running' }, [404]), 404);
    assertProblem(await backend('PUT', `/executions/${randomUUID()}`, { workflow_id: 'no-such-workflow' }, [404]), 404);
    assertRejected(await backend('PUT', `/workflows/${randomUUID()}`, {}, [400, 422]));
    assert.deepEqual(await inbox.drain(), []);
    await inbox.close();
  });

  it('only the application may report', async () => {
    const { execution, workflow, owner, inbox } = await watched();
    const send = (method, target, token, body) => request(`${server.workflows.http}/api/v1${target}`, { method, token, body });
    for (const [method, target, body] of [
      ['PUT', `/workflows/${workflow}`, { owner_id: 'thief' }], ['PUT', `/executions/${execution}`, { workflow_id: workflow }],
      ['POST', `/executions/${execution}/status`, { status: 'failed' }], ['POST', `/executions/${execution}/nodes/n/status`, { status: 'failed' }],
    ]) {
      const anonymous = await send(method, target, undefined, body);
      assertProblem(anonymous, 401);
      assert.match(anonymous.headers.get('www-authenticate'), /^Bearer/);
      const user = await send(method, target, server.token(owner), body);
      assert.ok(user.status === 401 || user.status === 403, `${method} ${target} by a user: ${user.status}`);
    }
    assert.deepEqual(await inbox.drain(), []);
    await inbox.close();
  });
});

describe('workflows: statistics and rooms', () => {
  it('need a credential', async () => {
    for (const target of ['/ws/stats', '/ws/rooms']) {
      const answer = await get(target);
      assertProblem(answer, 401);
      assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
      assertProblem(await get(target, 'x.y.z'), 401);
    }
  });

  it('statistics count the caller and all', async () => {
    const user = `user-${randomUUID()}`;
    const stats = async () => (await get('/ws/stats', server.token(user))).json;
    await until(async () => (await stats()).total_connections === 0, 5_000, 'no connection of another test');
    const inboxes = [await open(user), await open(user), await open('another')];
    assert.equal(JSON.stringify(await stats()), '{"total_connections":3,"user_connections":2,"active_rooms":2}');
    await inboxes[0].close();
    await until(async () => (await stats()).user_connections === 1, 5_000, 'a closed connection is not counted');
    await Promise.all(inboxes.slice(1).map((inbox) => inbox.close()));
  });

  it('rooms: a user sees its own, an operator all', async () => {
    const { inbox, owner, execution, workflow } = await watched();
    const stranger = await open('room-stranger');
    const mine = (await get('/ws/rooms', server.token(owner))).json;
    assert.deepEqual(Object.keys(mine), ['active_rooms', 'total_rooms']);
    assert.deepEqual(mine.active_rooms.sort(), [`execution:${execution}`, `user:${owner}`]);
    assert.equal(mine.total_rooms, 2);
    assert.deepEqual((await get('/ws/rooms', server.token('room-stranger'))).json, { active_rooms: ['user:room-stranger'], total_rooms: 1 });
    const all = (await get('/ws/rooms?limit=1000', server.operatorToken)).json;
    for (const room of [`execution:${execution}`, `user:${owner}`, 'user:room-stranger']) assert.ok(all.active_rooms.includes(room), room);
    assert.ok(!all.active_rooms.includes(`workflow:${workflow}`), 'a room without members is not active');
    await inbox.close();
    await stranger.close();
  });

  it('health', async () => assert.equal((await request(`${server.workflows.http}/health`)).status, 200));
});
