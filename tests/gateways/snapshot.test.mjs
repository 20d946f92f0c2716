// `subscribe` with `"snapshot": true` or `recover`, and what may be in the place of the state, by docs/reference/wire.md.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { PostgresSchema } from '../lib/database.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Server } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

const ANSWER = /"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"}$/;

/** A frame as it came, but for its time. */
function untimed(text) {
  assert.match(text, ANSWER);
  return text.replace(ANSWER, '"timestamp":T}');
}

const subscribed = (room, more = '') => `{"type":"subscription","event":"subscribed","room_id":"${room}"${more},"timestamp":T}`;
const confirmedTwice = (room) => [subscribed(room), subscribed(room, ',"recovered":false')];
const update = (type, data) => `{"type":"${type}","event":"status_changed","data":${JSON.stringify(data)},"timestamp":T}`;

/** What a test does with a server. */
function on(server) {
  const backend = async (method, target, body) => {
    const answer = await server.backend(method, `/api/v1${target}`, body);
    assert.ok([200, 201].includes(answer.status), `${method} ${target}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
  const open = async (user, ...claims) => {
    const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token(user, ...claims)}`);
    for (const what of ['the connection frame', 'the subscription frame']) await inbox.json(what);
    return inbox;
  };
  /** An execution with a name of its own. */
  const execution = async (total_nodes = 3) => {
    const [owner, workflow, id] = ['owner', 'workflow', 'execution'].map((kind) => `${kind}-${randomUUID()}`);
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
    await backend('PUT', `/executions/${id}`, { workflow_id: workflow, total_nodes });
    return {
      owner, workflow, id, room: `execution:${id}`,
      report: (body) => backend('POST', `/executions/${id}/status`, body),
      reportNode: (node, body) => backend('POST', `/executions/${id}/nodes/${node}/status`, body),
    };
  };
  return { backend, open, execution };
}

/** All that a subscription is answered, up to the answer to a ping. */
async function show(inbox, room, more = { snapshot: true }) {
  inbox.send({ type: 'subscribe', room_id: room, ...more });
  inbox.send({ type: 'ping' });
  const texts = [];
  for (;;) {
    const text = await inbox.text('a frame of the state, or the pong');
    if (text.startsWith('{"type":"pong"')) return texts;
    texts.push(text.startsWith('{"type":"error"') ? text : untimed(text));
  }
}

describe('the state of an execution', () => {
  let server;
  let [backend, open, execution] = [];
  before(async () => {
    server = await Server.start();
    ({ backend, open, execution } = on(server));
  });
  after(() => server?.stop());
  afterEach(() => Inbox.endAll());

  it('stands between two confirmations, and what is reported later follows once', async () => {
    const { owner, id, room, report, reportNode } = await execution();
    await report({ status: 'running', current_node: 'first' });
    await reportNode('b', { status: 'running', node_execution_id: 'of-b', node_name: 'Agent', message: 'Working' });
    await reportNode('a', { status: 'completed', node_execution_id: 'of-a' });
    const node = (node_id, node_name, status, message) => update('node_update', { execution_id: id, node_execution_id: `of-${node_id}`, node_id, node_name, status, message });
    const overall = (progress_percentage, completed_nodes) => update('execution_update', { execution_id: id, status: 'running', progress_percentage, completed_nodes, total_nodes: 3, current_node: 'b' });
    const state = [subscribed(room), overall(100 / 3, 1), node('a', 'a', 'completed', null), node('b', 'Agent', 'running', 'Working'), subscribed(room, ',"recovered":false')];
    const inbox = await open(owner);
    assert.deepEqual(await show(inbox, room), state);
    await reportNode('b', { status: 'completed' });
    const followed = [node('b', 'Agent', 'completed', null), overall(200 / 3, 2)];
    for (const text of followed) assert.equal(untimed(await inbox.text()), text);
    assert.deepEqual(await inbox.drain(), []);
    // Who is in the room already is shown it again.
    assert.deepEqual(await show(inbox, room), [subscribed(room), followed[1], state[2], followed[0], state.at(-1)]);
    assert.deepEqual(await show(inbox, room, {}), [subscribed(room)]);
    await report({ status: 'failed' });
    assert.deepEqual((await inbox.drain()).map(({ type }) => type), ['execution_update', 'notification']);
  });

  it('of one that has not begun, and of one that has ended', async () => {
    const { owner, id, room, report } = await execution(0);
    const inbox = await open(owner);
    const overall = (status, progress_percentage) => [
      subscribed(room), update('execution_update', { execution_id: id, status, progress_percentage, completed_nodes: 0, total_nodes: 0, current_node: null }), subscribed(room, ',"recovered":false'),
    ];
    assert.deepEqual(await show(inbox, room), overall('pending', 0));
    await report({ status: 'completed' });
    await inbox.drain();
    assert.deepEqual(await show(inbox, room), overall('completed', 100));
  });

  it('who asks for a recovery is shown it too; any other value asks for nothing', async () => {
    const { owner, room } = await execution();
    const inbox = await open(owner);
    for (const more of [{ recover: { epoch: 'e', offset: 7 } }, { recover: {}, snapshot: true }]) {
      const [first, state, last, ...rest] = await show(inbox, room, more);
      assert.deepEqual([first, last, rest], [...confirmedTwice(room), []]);
      assert.match(state, /^\{"type":"execution_update"/);
    }
    for (const more of [{ snapshot: false }, { snapshot: 'true' }, { snapshot: 1 }, { recover: null }, { recover: 'e' }]) {
      assert.deepEqual(await show(inbox, room, more), [subscribed(room)], JSON.stringify(more));
    }
  });

  it('other rooms, and what the store does not know, are confirmed twice', async () => {
    const { owner, workflow } = await execution();
    const inbox = await open(owner, '--claim', 'rooms=["execution:elsewhere"]');
    for (const room of [`workflow:${workflow}`, `user:${owner}`, 'execution:elsewhere']) assert.deepEqual(await show(inbox, room), confirmedTwice(room));
  });

  it('who may not enter is answered as without it', async () => {
    const { room, reportNode } = await execution();
    await reportNode('a', { status: 'running' });
    const stranger = await open('stranger');
    const denied = (asked) => `{"type":"error","message":"Access denied to room","room_id":${JSON.stringify(asked)}}`;
    for (const asked of [room, 'execution:none', 'user:owner', 'nonsense', 7]) assert.deepEqual(await show(stranger, asked), [denied(asked)]);
    assert.deepEqual(await show(stranger, undefined), ['{"type":"error","message":"Missing room_id"}']);
  });

  it('the number of nodes may change under way', async () => {
    const { owner, id, workflow, room } = await execution(4);
    const inbox = await open(owner);
    await show(inbox, room);
    await backend('PUT', `/executions/${id}`, { workflow_id: workflow, total_nodes: 9 });
    const changed = await inbox.json();
    assert.deepEqual([changed.type, changed.data.total_nodes], ['execution_update', 9]);
    await backend('PUT', `/executions/${id}`, { workflow_id: workflow, total_nodes: 9 });
    assert.deepEqual(await inbox.drain(), []);
  });
});

describe('a state that cannot be shown whole', () => {
  const servers = [];
  const start = async (env) => {
    const server = await Server.start({ env });
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    await Inbox.endAll();
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });
  after(() => Promise.all(servers.map((server) => server.stop())));

  it('is one piece within the bound of the outbox: the nodes beyond it are counted', async () => {
    const { open, execution } = on(await start({ TIDINGS__LIMITS__OUTBOX_BYTES_MAX: '8192' }));
    const { owner, room, reportNode } = await execution(40);
    for (let n = 0; n < 40; n += 1) await reportNode(`node-${10 + n}`, { status: 'running', node_execution_id: `${n}` });
    const inbox = await open(owner);
    const texts = await show(inbox, room);
    const nodes = texts.filter((text) => text.startsWith('{"type":"node_update"')).map((text) => JSON.parse(text.replace(':T}', ':0}')).data.node_id);
    const shown = nodes.length;
    assert.ok(shown > 5 && shown < 40, `${shown} nodes`);
    assert.deepEqual(nodes, nodes.map((_, n) => `node-${10 + n}`), 'the first ones by their ids');
    assert.equal(texts.at(-1), subscribed(room, `,"recovered":false,"omitted_nodes":${40 - shown}`));
    await reportNode('node-49', { status: 'completed' });
    assert.deepEqual((await inbox.drain()).map(({ type }) => type), ['node_update', 'execution_update']);
  });

  it('while the store does not answer, the room is entered without it', async () => {
    const database = new PostgresSchema();
    const through = new Set();
    const door = net.createServer((client) => {
      const backend = net.connect(database.port, '127.0.0.1');
      client.pipe(backend).pipe(client);
      for (const socket of [client, backend]) {
        through.add(socket);
        socket.on('error', () => {}).on('close', () => { client.destroy(); backend.destroy(); through.delete(socket); });
      }
    });
    door.listen(0, '127.0.0.1');
    await once(door, 'listening');
    const { port } = door.address();
    const server = await start({ TIDINGS__STORE__URL: database.urlBy(port), TIDINGS__STORE__MIGRATE: 'true', TIDINGS__ACCESS__RULES: 'claim' });
    const { open, execution } = on(server);
    const { owner, room, id } = await execution();
    const inbox = await open(owner, '--claim', 'rooms=["execution:*"]');
    const shut = once(door, 'close');
    door.close();
    through.forEach((socket) => socket.destroy());
    await shut;
    const answered = once(inbox.socket, 'message');
    inbox.send({ type: 'subscribe', room_id: room, snapshot: true });
    // The store waits for a connection to its database.
    await within(answered, 30_000, 'an answer');
    assert.equal(untimed(await inbox.text()), subscribed(room));
    assert.equal(await inbox.text(), `{"type":"error","message":"Snapshot not available","room_id":"${room}"}`);
    await server.publish({ room, kind: 'told', event: 'told', data: 1 });
    assert.equal((await inbox.json()).type, 'told', 'it is in the room');
    door.listen(port, '127.0.0.1');
    await once(door, 'listening');
    await until(async () => (await show(inbox, room))[1].includes(id), 30_000, 'the state, once the store answers again');
    await Inbox.endAll();
    await server.stop();
    servers.splice(servers.indexOf(server), 1);
    door.close();
  });
});
