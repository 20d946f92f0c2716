// The AsyncAPI documents against the servers that serve them: what comes is what they describe, all that they describe comes,
// and what they say a client may send is taken.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { assertAsyncApi, Channel } from '../lib/asyncapi.mjs';
import { sql } from '../lib/database.mjs';
import { request } from '../lib/http.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

const WAIT_MS = 10_000;
const GATEWAYS = ['flow', 'tasks', 'workflows'];
const PADDING = 'x'.repeat(64 * 1024);
const PUBLISHES_MAX = 2_000;
const ROOMS_MAX = 4;
const MESSAGES_BURST = 100;
const KEY = DEMO_KEYS.demo1;

/** Somebody who listens on a channel: everything is judged by the document as it comes. */
class Listener {
  got = [];
  failure = null;
  #waiting = [];

  constructor(channel) { this.channel = channel; }

  take(payload, more) {
    try {
      this.got.push({ id: this.channel.recognise(payload, more), payload });
    } catch (error) {
      this.failure ??= error;
    }
    this.#waiting.splice(0).forEach((tell) => tell());
  }

  /** The next message with one of these ids, from `from` on. */
  async next(ids, from = this.got.length) {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      if (this.failure) throw this.failure;
      const found = this.got.slice(from).find(({ id }) => ids.includes(id));
      if (found) return found;
      const told = new Promise((resolve) => { this.#waiting.push(resolve); });
      await within(told, Math.max(1, deadline - performance.now()), () => `${ids} on ${this.channel.name}; there were ${this.got.map(({ id }) => id)}`);
    }
  }

  /** Sends the example of a request, or something in its place, and gives the answer, which must be one of the document's. */
  async ask(request, message = request.example) {
    const from = this.got.length;
    this.send(message, request.name);
    this.channel.seen.add(request.id);
    return this.next(request.replies, from);
  }

  async says(id, message) {
    const from = this.got.length;
    this.send(message);
    return (await this.next([id], from)).payload;
  }
}

class SocketListener extends Listener {
  static async open(channel, url, options) {
    const listener = new SocketListener(channel);
    listener.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    listener.socket.on('message', (data) => listener.take(JSON.parse(data)));
    listener.socket.on('error', (error) => { listener.failure ??= error; });
    await listener.next(['connected'], 0);
    return listener;
  }

  send(message) { this.socket.send(typeof message === 'string' ? message : JSON.stringify(message)); }
  pause() { this.socket.pause(); }
  resume() { this.socket.resume(); }
  end() { this.socket.terminate(); }
}

/** An event stream whose reading can be put off. */
class StreamListener extends Listener {
  static async open(channel, url) {
    const listener = new StreamListener(channel);
    const closing = (message) => message['x-sse-event'] !== undefined;
    listener.request = http.get(url, (response) => {
      assert.equal(response.statusCode, 200);
      listener.response = response.setEncoding('utf8');
      let text = '';
      response.on('data', (chunk) => {
        const events = (text + chunk).split('\n\n');
        text = events.pop();
        for (const event of events) {
          const [, data] = /^data: (.*)$/m.exec(event) ?? [];
          const [, name] = /^event: (.*)$/m.exec(event) ?? [];
          if (data !== undefined) listener.take(JSON.parse(data), (message) => (name === undefined ? !closing(message) : message['x-sse-event'] === name));
        }
      });
    });
    listener.request.on('error', () => {});
    await listener.next(['connected'], 0);
    return listener;
  }

  pause() { this.response.pause(); }
  resume() { this.response.resume(); }
  end() { this.request.destroy(); }
}

class SocketIoListener extends Listener {
  constructor(channel, url, options) {
    super(channel);
    this.socket = io(`${url}${channel.document.channels[channel.name]['x-socket.io'].namespace}`, { forceNew: true, reconnection: false, ...options });
    const isNamed = (name) => (message) => message.name === name || (message.name === '*' && !message['x-socket.io-names-never'].includes(name));
    this.socket.onAny((name, ...args) => {
      assert.equal(args.length, 1, name);
      this.take(args[0], isNamed(name));
    });
    this.socket.on('connect_error', ({ message, data }) => {
      this.take(data === undefined ? { message } : { message, data }, (of) => of['x-socket.io-packet'] === 'CONNECT_ERROR');
    });
  }

  static async open(...args) {
    const listener = new SocketIoListener(...args);
    await listener.next(['connected'], 0);
    return listener;
  }

  send(message, name) {
    this.socket.timeout(WAIT_MS).emit(name, message, (error, acknowledgement) => { this.acknowledgement = error ?? acknowledgement; });
  }

  pause() { this.socket.io.engine.transport.ws.pause(); }
  resume() { this.socket.io.engine.transport.ws.resume(); }
  end() { this.socket.disconnect(); }
}

/** On workflows a message is an event named by its type, with its other members as the argument. */
class RoomsListener extends SocketIoListener {
  static async open(...args) {
    const listener = new RoomsListener(...args);
    await listener.next(['connected'], 0);
    return listener;
  }

  send(message, name = message.type) {
    if (typeof message === 'string') return super.send(message, 'message');
    const { type, ...members } = message;
    return super.send(members, name ?? type);
  }
}

describe('AsyncAPI', { timeout: 240_000 }, () => {
  let server;
  const listeners = [];
  const channels = {};
  before(async () => {
    server = await Server.start({
      env: {
        // What is compressed to nothing fills no socket.
        TIDINGS__COMPRESSION__ENABLED: 'false',
        TIDINGS__SLOW_CONSUMERS__DROP_OLDEST: 'user:gap,tenant:demo2',
        TIDINGS__LIMITS__OUTBOX_FRAMES_MAX: '32',
        TIDINGS__LIMITS__OUTBOX_BYTES_MAX: `${64 * 1024 * 1024}`,
        TIDINGS__LIMITS__ROOMS_PER_CONNECTION_MAX: `${ROOMS_MAX}`,
        TIDINGS__LIMITS__MESSAGES_PER_USER_PER_SECOND: '20',
        TIDINGS__LIMITS__MESSAGES_PER_USER_BURST: `${MESSAGES_BURST}`,
        TIDINGS__ACCESS__RULES: 'claim,registry',
      },
    });
    // Making a token holds everything up, and a connection that nobody watches may be gone when it is used again.
    assert.ok(server.serviceToken && server.operatorToken);
    for (const gateway of GATEWAYS) {
      const { json } = await request(`${server[gateway].http}/asyncapi.json`);
      for (const name of Object.keys(json.channels)) channels[name] = new Channel(json, name);
    }
  });
  after(async () => {
    listeners.forEach((listener) => listener.end());
    await server?.stop();
  });

  async function listen(opening) {
    const listener = await opening;
    listeners.push(listener);
    return listener;
  }
  const onTasks = (user) => listen(SocketListener.open(channels.tasks, `${server.tasks.ws}/ws?user_id=${user}`));
  const onTasksStream = (user) => listen(StreamListener.open(channels.tasksStream, `${server.tasks.http}/sse?user_id=${user}`));
  const onWorkflows = (token, more = '') => listen(SocketListener.open(channels.workflows, `${server.workflows.ws}/api/v1/ws?token=${token}${more}`));
  const onWorkflowsStream = (token, more = '') => listen(StreamListener.open(channels.workflowsStream, `${server.workflows.http}/api/v1/sse?token=${token}${more}`));
  const onRooms = (token, more = {}) => listen(RoomsListener.open(channels.workflowsSocketIo, server.workflows.http, { transports: ['websocket'], auth: { token, ...more } }));
  const onFlow = (key) => listen(SocketIoListener.open(channels.flow, server.flow.http, { transports: ['websocket'], extraHeaders: { 'x-tenant-key': key } }));
  const onPlain = (key) => listen(SocketListener.open(channels.flowPlain, `${server.flow.ws}/events`, { headers: { 'x-tenant-key': key } }));

  async function dropped() {
    const { text } = await request(`${server.operators.http}/metrics`);
    return Number(/^tidings_drops_total\{reason="gap"\} (\d+)$/m.exec(text)[1]);
  }

  /** Does not read until events were dropped for it. */
  async function falls(listener, room, gateway) {
    const before = await dropped();
    listener.pause();
    for (let n = 0; await dropped() === before; n += 1) {
      assert.ok(n < PUBLISHES_MAX, 'events enough to drop some');
      await server.publish({ room, kind: 'probe', event: 'e', data: PADDING, gateways: [gateway] });
    }
    const gap = listener.next(['gap']);
    listener.resume();
    await gap;
  }

  it('by the schema of AsyncAPI itself, and by their own schemas', () => {
    const all = JSON.parse(server.command('asyncapi'));
    for (const document of [all, ...GATEWAYS.map((gateway) => JSON.parse(server.command('asyncapi', gateway)))]) assertAsyncApi(document);
    assert.throws(() => assertAsyncApi({ ...all, channels: { x: { address: 7 } } }));
    for (const channel of Object.values(channels)) channel.assertExamples();
    assert.deepEqual(Object.keys(all.channels).sort(), Object.keys(channels).sort());
  });

  it('what a channel ends with is in its table', async () => {
    const refused = new WebSocket(`${server.tasks.ws}/ws`);
    const [code, reason] = await new Promise((resolve) => { refused.on('close', (...end) => resolve(end)); });
    const table = channels.tasks.document.channels.tasks['x-close-codes'];
    assert.deepEqual(table.filter((entry) => entry.code === code && entry.reason === String(reason)).length, 1);
    assert.ok(!channels.workflows.document.channels.workflows['x-close-codes'].some((entry) => entry.reason === 'missing_user_id'));
  });

  it('tasks: every message', async () => {
    const user = 'gap-tasks';
    const [socket, stream] = [await onTasks(user), await onTasksStream(user)];
    for (const of of channels.tasks.requests) await socket.ask(of);
    const told = [socket, stream].map((listener) => listener.next(['taskUpdate']));
    await request(`${server.tasks.http}/task-updates`, { method: 'POST', body: { user_id: user, event_type: 'task.created', title: 'Milk' } });
    await Promise.all(told);
    const others = [socket, stream].map((listener) => listener.next(['event']));
    await server.publish({ room: `user:${user}`, kind: 'announcement', data: null });
    await Promise.all(others);
    await falls(socket, `user:${user}`, 'tasks');
    await falls(stream, `user:${user}`, 'tasks');
    channels.tasks.assertAllSeen();
  });

  /** All that is said on a socket of workflows; `beside` is told of what everybody is told. Its user's first token ends soon. */
  async function talk(socket, beside, { user, token }) {
    const [subscribe, unsubscribe, ping, refresh] = socket.channel.requests;
    const id = subscribe.example.room_id.replace('execution:', '');
    for (const listener of [socket, ...beside]) await listener.next(['expiring'], 0);

    const from = socket.got.length;
    assert.equal((await socket.ask(subscribe)).id, 'subscribed');
    await socket.next(['snapshotTaken'], from);
    assert.deepEqual(socket.got.slice(from).map((message) => message.id), ['subscribed', 'executionUpdate', 'nodeUpdate', 'snapshotTaken']);
    assert.equal((await socket.ask(ping)).id, 'pong');
    assert.equal((await socket.ask(refresh)).id, 'invalidToken', 'the example is nobody\'s token');
    assert.equal((await socket.ask(refresh, { ...refresh.example, token })).id, 'refreshed');
    await socket.says('missingRoomId', { type: 'subscribe' });
    await socket.says('accessDenied', { type: 'subscribe', room_id: { not: 'a room' } });
    await socket.says('invalidJson', 'ping');
    await socket.says('unknownType', { type: 'dance' });

    const told = (id) => Promise.all([socket, ...beside].map((listener) => listener.next([id])));
    let all = told('workflowUpdate');
    assert.equal((await socket.ask(subscribe, { type: 'subscribe', room_id: 'workflow:w1' })).id, 'subscribed');
    await server.backend('PUT', '/api/v1/workflows/w1', { owner_id: user, name: 'Support' });
    await all;
    await socket.says('subscribed', { type: 'subscribe', room_id: 'workflow:w2' });
    await socket.says('tooManyRooms', { type: 'subscribe', room_id: 'workflow:w3' });

    const nodes = socket.next(['nodeUpdate']);
    await server.backend('POST', `/api/v1/executions/${id}/nodes/n2/status`, { status: 'running', message: 'Reading' });
    await nodes;
    all = told('executionEnded');
    await server.backend('POST', `/api/v1/executions/${id}/status`, { status: 'failed', message: 'No more ink' });
    await all;
    all = told('notification');
    await server.backend('POST', `/api/v1/users/${user}/notifications`, { event: 'invited' });
    await all;
    all = told('event');
    await server.publish({ room: `user:${user}`, kind: 'announcement', data: 7 });
    await all;
    assert.equal((await socket.ask(unsubscribe)).id, 'unsubscribed');
    await falls(socket, `user:${user}`, 'workflows');
  }

  /** Workflows of the user's and an execution that has begun, in the place of those that were there. */
  async function begin(user, id) {
    for (const name of ['w1', 'w2', 'w3', 'w4']) {
      await server.backend('DELETE', `/api/v1/workflows/${name}`);
      assert.equal((await server.backend('PUT', `/api/v1/workflows/${name}`, { owner_id: user })).status, 201);
    }
    await server.backend('PUT', `/api/v1/executions/${id}`, { workflow_id: 'w1', total_nodes: 2 });
    await server.backend('POST', `/api/v1/executions/${id}/nodes/n1/status`, { status: 'completed' });
  }

  /** What a user who is fast is told, and one whose execution the store cannot show. */
  async function fails(open, name) {
    const fast = await open(server.token(`fast-${name}`));
    const limited = fast.next(['rateLimited']);
    for (let n = 0; n < 2 * MESSAGES_BURST; n += 1) fast.send({ type: 'ping' });
    await limited;

    const blind = await open(server.token(`blind-${name}`, '--claim', 'rooms=["execution:*"]'));
    sql(server, 'ALTER TABLE execution RENAME TO execution_away');
    const unknown = blind.next(['snapshotNotAvailable']);
    blind.send({ type: 'subscribe', room_id: 'execution:away', snapshot: true });
    await unknown;
    sql(server, 'ALTER TABLE execution_away RENAME TO execution');
  }

  it('workflows: every message', async () => {
    const user = 'gap-ann';
    await begin(user, channels.workflows.requests[0].example.room_id.replace('execution:', ''));
    const [token, soon] = [server.token(user), server.token(user, '--ttl', '30s')];
    const socket = await onWorkflows(soon, '&warn=1');
    const stream = await onWorkflowsStream(soon, '&warn=1&room=workflow:w1');
    await talk(socket, [stream], { user, token });

    // Of an execution, nodes and its owner's change on the stream too.
    await server.backend('PUT', '/api/v1/executions/e2', { workflow_id: 'w2', total_nodes: 2 });
    const another = await onWorkflowsStream(token, '&room=execution:e2');
    const updates = [another.next(['nodeUpdate']), another.next(['executionUpdate'])];
    await server.backend('POST', '/api/v1/executions/e2/nodes/n1/status', { status: 'running' });
    await Promise.all(updates);
    const lost = another.next(['unsubscribed']);
    await server.backend('PUT', '/api/v1/executions/e2', { workflow_id: 'w2', owner_id: 'bob' });
    await lost;

    await falls(stream, `user:${user}`, 'workflows');
    await fails(onWorkflows, 'socket');
    channels.workflows.assertAllSeen();
  });

  it('workflows over Socket.IO: every event', async () => {
    const user = 'gap-ben';
    await begin(user, channels.workflowsSocketIo.requests[0].example.room_id.replace('execution:', ''));
    const [token, soon] = [server.token(user), server.token(user, '--ttl', '30s')];
    const socket = await onRooms(soon, { warn: 1 });
    await talk(socket, [], { user, token });
    await fails(onRooms, 'rooms');
    const refused = await listen(new RoomsListener(channels.workflowsSocketIo, server.workflows.http, { transports: ['websocket'], auth: { token: 'no' } }));
    await refused.next(['connectionRefused'], 0);
    channels.workflowsSocketIo.assertAllSeen();
  });

  it('flow: every event on Socket.IO and every message of the plain WebSocket', async () => {
    const [caller, plain] = [await onFlow(KEY), await onPlain(KEY)];
    const both = [caller, plain];
    const refused = new SocketIoListener(channels.flow, server.flow.http, { extraHeaders: { 'x-tenant-key': 'x' } });
    listeners.push(refused);
    await refused.next(['connectionRefused'], 0);
    for (const listener of both) {
      for (const of of listener.channel.requests) {
        const answer = await listener.ask(of);
        assert.notEqual(answer.id, 'commandFailed', JSON.stringify(answer.payload));
        if (listener === caller) {
          await until(() => caller.acknowledgement, WAIT_MS, 'an acknowledgement');
          assert.deepEqual(caller.acknowledgement, answer.payload);
          caller.acknowledgement = null;
        }
      }
      const failed = await listener.ask(listener.channel.requests[0], inFormOf(listener, { command: 'get_leads', parameters: { limit: 0 } }));
      assert.equal(failed.id, 'commandFailed');
    }
    for (const listener of both) await listener.next(['syncCompleted'], 0);

    const http = (method, target, body) => request(`${server.flow.http}${target}`, { method, key: KEY, body });
    const told = both.map((listener) => Promise.all(['leadCreated', 'leadUpdated', 'leadStatusChanged', 'leadDeleted'].map((id) => listener.next([id]))));
    const { json: { id } } = await http('POST', '/ingest/form', { payload: { email: 'ann@example.com' } });
    await http('PATCH', `/leads/${id}`, { payload: { company: 'Acme', email: null } });
    await http('PATCH', `/leads/${id}/status`, { status: 'CONTACTED' });
    await http('DELETE', `/leads/${id}`);
    await Promise.all(told);

    const imported = both.map((listener) => listener.next(['syncStarted']));
    const file = path.join(server.dataDir, 'leads.jsonl');
    writeFileSync(file, '{"email":"bob@example.com"}\n');
    server.command('lead', 'import', '--tenant', 'demo1', file);
    await Promise.all(imported);

    // Where backups should be, there is something else.
    rmSync(path.join(server.dataDir, 'backups'), { recursive: true, force: true });
    writeFileSync(path.join(server.dataDir, 'backups'), '');
    const failures = both.map((listener) => listener.next(['externalServiceError']));
    caller.send({ command: 'start_backup' }, 'execute_voice_command');
    await Promise.all(failures);

    const others = both.map((listener) => listener.next(['event']));
    await server.publish({ room: 'tenant:demo1', kind: 'announcement', data: ['x'] });
    await Promise.all(others);
    await falls(await onFlow(DEMO_KEYS.demo2), 'tenant:demo2', 'flow');
    await falls(await onPlain(DEMO_KEYS.demo2), 'tenant:demo2', 'flow');
    channels.flow.assertAllSeen();
    channels.flowPlain.assertAllSeen();
  });

  it('streams: the last message of each', async () => {
    const streams = listeners.filter((listener) => listener instanceof StreamListener);
    const ends = streams.map((stream) => stream.next(['close'], 0));
    server.signal('SIGTERM');
    await Promise.all(ends);
    channels.tasksStream.assertAllSeen();
    channels.workflowsStream.assertAllSeen();
  });

  it('nothing came that no document has', () => {
    for (const { failure } of listeners) if (failure && !/ECONNRE|socket hang up|closed/.test(failure.message)) throw failure;
  });
});

const inFormOf = ({ channel }, data) => (channel.name === 'flowPlain' ? { event: 'execute_voice_command', data } : data);
