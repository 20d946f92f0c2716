// Every frame of the workflows gateway has a test over the built server: the table says which one. Its first column is the
// page's own text, so that a frame that is added to the page, or changed there, is missed here. The tests below are of
// frames that have no other file.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertProblem } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Seed } from '../lib/seed.mjs';
import { Server } from '../lib/server.mjs';
import { EventStream } from '../lib/stream.mjs';

const TESTS = new URL('../', import.meta.url);
const [DOCUMENT, BROWSER, WORKFLOWS, SNAPSHOT, LIFETIME, USERS, CLASSES, STREAMS, HERE] = [
  'documents/workflows.mjs', 'documents/browser.test.mjs', 'gateways/workflows.test.mjs', 'gateways/snapshot.test.mjs', 'gateways/token-lifetime.test.mjs',
  'gateways/abuse-users.test.mjs', 'delivery/classes.test.mjs', 'gateways/sse.test.mjs', 'gateways/workflows-frames.test.mjs',
];

/** Frames of the document, by the headings that they stand under. */
const OF_DOCUMENT = {
  'Subscribe to a Room': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  'Unsubscribe from a Room': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  'Ping (Keepalive)': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  'Connection Confirmation': [[DOCUMENT, 'Endpoint, Authentication, Connection Confirmation, User Room'], [BROWSER, 'the class paints an execution']],
  'Subscription Confirmation': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  'Execution Status Update': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  'Node Execution Update': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  'Pong Response': [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class paints an execution']],
  Error: [[DOCUMENT, 'the printed messages and answers'], [BROWSER, 'the class is told of a room that it may not enter']],
  'Execution Room': [[DOCUMENT, 'the printed messages and answers']],
  'Workflow Room': [[DOCUMENT, 'the printed messages and answers']],
  'Get WebSocket Statistics': [[DOCUMENT, 'Get WebSocket Statistics, Get Active Rooms']],
  'Get Active Rooms': [[DOCUMENT, 'Get WebSocket Statistics, Get Active Rooms']],
};

/** Frames of docs/reference/wire.md, as they are printed there. */
const OF_PAGE = {
  '{"type":"connection","event":"connected","connection_id":uuid,"timestamp"}': [[WORKFLOWS, 'the two opening frames']],
  '{"type":"subscription","event":"subscribed","room_id":"user:<id>","timestamp"}': [[WORKFLOWS, 'the two opening frames']],
  '{"type":"subscription","event":"subscribed","room_id","timestamp"}': [[WORKFLOWS, 'the owner may enter, again and again']],
  '{"type":"subscription","event":"unsubscribed","room_id","timestamp"}': [[WORKFLOWS, 'unsubscribe is confirmed, also when not subscribed'], [HERE, 'a change of owner']],
  '{"type":"subscription","event":"subscribed","room_id","recovered":false,"timestamp"}': [
    [SNAPSHOT, 'stands between two confirmations'], [SNAPSHOT, 'who asks for a recovery'], [SNAPSHOT, 'is one piece within the bound'], ['delivery/executions.test.mjs', 'every subscriber sees what the store has'],
  ],
  '{"type":"pong","timestamp"}': [[WORKFLOWS, 'ping, and what it does not know']],
  '{"type":"refresh","token":…}': [[LIFETIME, 'another token of the same user keeps the connection']],
  '{"type":"refreshed","expires_at"}': [[LIFETIME, 'another token of the same user keeps the connection']],
  '{"type":"expiring","expires_at"}': [[LIFETIME, 'a warning 60 s before'], [LIFETIME, 'a warning at once']],
  '{"type":"error","message":"Access denied to room","room_id":<as sent>}': [[WORKFLOWS, 'a foreign and a non-existent room are denied'], [SNAPSHOT, 'who may not enter is answered as without it']],
  '{"type":"error","message":"Missing room_id"}': [[WORKFLOWS, 'room_id missing or no string']],
  '{"type":"error","message":"Invalid token"}': [[LIFETIME, 'a token that is refused changes nothing']],
  '{"type":"error","message":"Too many rooms","room_id"}': [[HERE, 'a room too many'], [USERS, 'rooms of a user have a bound']],
  '{"type":"error","message":"Rate limited"}': [[USERS, 'messages of a user have a rate']],
  '{"type":"error","message":"Snapshot not available","room_id"}': [[SNAPSHOT, 'while the store does not answer']],
  '{"type":"gap","dropped":N,"timestamp"}': [[CLASSES, 'drop oldest: a gap marker stands where events were dropped']],
  '{"type":kind,"event":event,"data":data,"timestamp"}': [[HERE, 'what the application publishes']],
  // Named by their parts.
  'Unknown message type: <t>': [[WORKFLOWS, 'ping, and what it does not know']],
  'Invalid JSON format': [[WORKFLOWS, 'ping, and what it does not know']],
  execution_update: [[WORKFLOWS, 'an execution from pending to completed'], [STREAMS, 'workflows: its own room and those it names'], [HERE, 'a stream has the frames of the socket']],
  node_update: [[WORKFLOWS, "it('nodes'"], [HERE, 'a stream has the frames of the socket']],
  workflow_update: [[HERE, 'a workflow is created, updated, published and deleted']],
  notification: [[HERE, 'a notification reaches']],
  'execution_completed | execution_failed | execution_cancelled': [[HERE, 'the end of an execution']],
};
/** What begins like a frame of this gateway and is one of another. */
const OF_OTHERS = ['{"type":kind,"event":data,"timestamp"}'];

let server;
before(async () => { server = await Server.start({ env: { TIDINGS__LIMITS__ROOMS_PER_CONNECTION_MAX: '4' } }); });
after(() => server?.stop());
afterEach(async () => { await Inbox.endAll(); await EventStream.endAll(); });

async function backend(method, target, body, status = [200, 201]) {
  const answer = await server.backend(method, `/api/v1${target}`, body);
  assert.ok(status.includes(answer.status), `${method} ${target}: ${answer.status} ${answer.text}`);
  return answer;
}

const fresh = (kind) => `${kind}-${randomUUID()}`;
const url = (path, user, ...claims) => `${server.workflows[path.endsWith('ws') ? 'ws' : 'http']}/api/v1/${path}?token=${server.token(user, ...claims)}`;

/** A connection in these rooms, what it was told of that taken. */
async function open(user, rooms = [], ...claims) {
  const inbox = await Inbox.open(url('ws', user, ...claims));
  for (const room of rooms) inbox.send({ type: 'subscribe', room_id: room });
  for (let n = 0; n < rooms.length + 2; n += 1) assert.notEqual((await inbox.json()).type, 'error');
  return inbox;
}

/** A text but for its time, which must be one. */
function untimed(text) {
  assert.match(text, /,"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"}$/);
  return text.replace(/,"timestamp":"[^"]+"}$/, '}');
}
const nothing = async (...inboxes) => { for (const inbox of inboxes) assert.deepEqual(await inbox.drain(), []); };

describe('every frame', () => {
  const texts = new Map();
  const assertThere = (frame, places) => {
    for (const [file, test] of places) {
      if (!texts.has(file)) texts.set(file, readFileSync(new URL(file, TESTS), 'utf8'));
      assert.ok(texts.get(file).includes(test), `${frame}: ${file} has no test "${test}"`);
    }
  };

  it('of the document has a test', () => {
    const headings = new Seed('workflow-updates.md').blocks.filter(({ language }) => language === 'json').map(({ heading }) => heading);
    assert.deepEqual([...new Set(headings)].sort(), Object.keys(OF_DOCUMENT).sort());
    Object.entries(OF_DOCUMENT).forEach(([frame, places]) => assertThere(frame, places));
  });

  it('of the page has a test', () => {
    const page = readFileSync(new URL('../docs/reference/wire.md', TESTS), 'utf8');
    const sections = page.split(/^(?=##+ )/m).filter((section) => /^##+ (workflows|.*workflows gateway|The state of an execution|Members that do not keep up|Rooms across gateways)\n/.test(section));
    assert.ok(sections.length >= 8, `${sections.length} sections`);
    const printed = [...sections.join('').matchAll(/`(\{"type":.+?\})`/g)].map(([, frame]) => frame);
    const rows = Object.keys(OF_PAGE);
    assert.deepEqual([...new Set(printed)].filter((frame) => !OF_OTHERS.includes(frame)).sort(), rows.filter((row) => row.startsWith('{')).sort());
    for (const row of rows) assert.ok(page.includes(`\`${row}\``), row);
    Object.entries(OF_PAGE).forEach(([frame, places]) => assertThere(frame, places));
  });
});

describe('frames of the workflows gateway', () => {
  it('a workflow is created, updated, published and deleted', async () => {
    const [workflow, execution, owner] = [fresh('workflow'), fresh('execution'), fresh('owner')];
    // A claim opens the room before there is an owner.
    const early = await open('early', [`workflow:${workflow}`], '--claim', 'rooms=["workflow:*"]');
    const update = (event, name, data) => `{"type":"workflow_update","event":"${event}","data":{"workflow_id":"${workflow}","name":${name},"data":${data}}}`;
    await backend('PUT', `/workflows/${workflow}`, `{"owner_id":"${owner}","name":"First","data":{ "b": 1.0, "a": [] }}`, [201]);
    await backend('PUT', `/executions/${execution}`, { workflow_id: workflow });
    assert.equal(untimed(await early.text()), update('created', '"First"', '{"b":1.0,"a":[]}'));
    const inbox = await open(owner, [`workflow:${workflow}`, `execution:${execution}`]);
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner }, [200]);
    await backend('POST', `/workflows/${workflow}/publish`);
    for (const told of [early, inbox]) {
      assert.equal(untimed(await told.text()), update('updated', 'null', 'null'));
      assert.equal(untimed(await told.text()), update('published', 'null', 'null'));
    }
    await backend('DELETE', `/workflows/${workflow}`);
    assert.equal(untimed(await early.text()), update('deleted', 'null', 'null'));
    const left = (await inbox.drain()).map(({ type, event, room_id: room }) => [type, event, room].join(' ').trim());
    const closed = [`workflow:${workflow}`, `execution:${execution}`].map((room) => `subscription unsubscribed ${room}`);
    assert.deepEqual([...left].sort(), [...closed, 'workflow_update deleted'].sort());
    assert.ok(left.indexOf('workflow_update deleted') < left.indexOf(closed[0]), 'it is told before its room is closed');
    await nothing(early);
  });

  it('a notification reaches every connection of its user, and nobody else', async () => {
    const user = fresh('user');
    const [one, two, other] = [await open(user), await open(user), await open('another')];
    const stream = await EventStream.open(url('sse', user));
    for (const _ of ['the connection frame', 'the subscription frame']) await stream.json();
    for (const [body, expected] of [
      ['{"event":"invoice.paid","data":{ "b": 2.50, "a": ["x"] }}', '{"type":"notification","event":"invoice.paid","data":{"b":2.50,"a":["x"]}}'],
      ['{"event":"note"}', '{"type":"notification","event":"note","data":null}'],
    ]) {
      const { json } = await backend('POST', `/users/${user}/notifications`, body);
      assert.match(json.id, /^evt_[0-9a-f-]{36}$/);
      for (const inbox of [one, two]) assert.equal(untimed(await inbox.text()), expected);
      assert.equal(untimed((await stream.next()).data), expected);
    }
    await nothing(one, two, other);
    for (const body of [{}, { event: '' }, { event: 7, data: 1 }]) {
      const answer = await backend('POST', `/users/${user}/notifications`, body, [400, 422]);
      assertProblem(answer, answer.status);
    }
    await nothing(one, other);
  });

  it('the end of an execution is told to its owner, wherever it listens', async () => {
    const [workflow, owner] = [fresh('workflow'), fresh('owner')];
    await backend('PUT', `/workflows/${workflow}`, { owner_id: 'somebody-else' });
    for (const [status, message] of [['completed', undefined], ['failed', 'out of memory'], ['cancelled', undefined]]) {
      const execution = fresh('execution');
      await backend('PUT', `/executions/${execution}`, { workflow_id: workflow, owner_id: owner });
      const [member, elsewhere, ofWorkflow] = [await open(owner, [`execution:${execution}`]), await open(owner), await open('somebody-else', [`workflow:${workflow}`])];
      await backend('POST', `/executions/${execution}/status`, { status, message });
      const end = { execution_id: execution, workflow_id: workflow, status, message: message ?? null };
      const expected = JSON.stringify({ type: 'notification', event: `execution_${status}`, data: end });
      assert.equal((await member.json()).type, 'execution_update');
      for (const inbox of [member, elsewhere]) assert.equal(untimed(await inbox.text()), expected);
      // The same end once more.
      await backend('POST', `/executions/${execution}/status`, { status });
      await nothing(member, elsewhere, ofWorkflow);
      await Inbox.endAll();
    }
  });

  it('a change of owner puts out who was there as the owner, and nobody else', async () => {
    const [workflow, execution, owner, next] = [fresh('workflow'), fresh('execution'), fresh('owner'), fresh('owner')];
    const room = `execution:${execution}`;
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
    await backend('PUT', `/executions/${execution}`, { workflow_id: workflow, total_nodes: 2 });
    const inbox = await open(owner, [room, `workflow:${workflow}`]);
    const byClaim = await open('guest', [room], '--claim', 'rooms=["execution:*"]');
    const stream = await EventStream.open(`${url('sse', owner)}&room=${room}`);
    for (const _ of ['the connection frame', 'its own room', 'the execution']) await stream.json();
    await backend('PUT', `/executions/${execution}`, { workflow_id: workflow, owner_id: next }, [200]);
    const lost = `{"type":"subscription","event":"unsubscribed","room_id":"${room}"}`;
    assert.equal(untimed(await inbox.text()), lost);
    assert.equal(untimed((await stream.next()).data), lost);
    await backend('POST', `/executions/${execution}/nodes/n/status`, { status: 'running' });
    assert.deepEqual((await byClaim.drain()).map(({ type }) => type), ['node_update', 'execution_update']);
    await nothing(inbox);
    inbox.send({ type: 'subscribe', room_id: room });
    assert.equal((await inbox.json()).message, 'Access denied to room');
    const heir = await open(next, [room]);
    await backend('POST', `/executions/${execution}/nodes/n/status`, { status: 'completed' });
    assert.deepEqual((await heir.drain()).map(({ type }) => type), ['node_update', 'execution_update']);
  });

  it('a room too many is refused in one text, whether it may be entered or not', async () => {
    const [workflow, owner] = [fresh('workflow'), fresh('owner')];
    const executions = Array.from({ length: 5 }, () => fresh('execution'));
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
    for (const id of executions) await backend('PUT', `/executions/${id}`, { workflow_id: workflow });
    const inbox = await open(owner, executions.slice(0, 3).map((id) => `execution:${id}`));
    for (const room of [`execution:${executions[3]}`, 'execution:none', 'nonsense']) {
      for (const more of [{}, { snapshot: true }]) {
        inbox.send({ type: 'subscribe', room_id: room, ...more });
        assert.equal(await inbox.text(), `{"type":"error","message":"Too many rooms","room_id":"${room}"}`);
      }
    }
    inbox.send({ type: 'unsubscribe', room_id: `execution:${executions[0]}` });
    inbox.send({ type: 'subscribe', room_id: `execution:${executions[3]}` });
    assert.deepEqual([(await inbox.json()).event, (await inbox.json()).event], ['unsubscribed', 'subscribed']);
  });

  it('what the application publishes has its kind, its event and its data', async () => {
    const user = fresh('user');
    const inbox = await open(user);
    const { json } = await server.operator('POST', '/api/v1/publish', `{"room":"user:${user}","kind":"notice","event":"hello","data":{ "b": 1.0 }}`);
    assert.match(json.id, /^evt_/);
    assert.equal(untimed(await inbox.text()), '{"type":"notice","event":"hello","data":{"b":1.0}}');
    await server.publish({ room: `user:${user}`, kind: 'notice', data: [] });
    assert.equal(untimed(await inbox.text()), '{"type":"notice","event":null,"data":[]}');
    for (const gateways of [['tasks'], ['flow', 'tasks']]) await server.publish({ room: `user:${user}`, kind: 'notice', data: 1, gateways });
    await nothing(inbox);
  });

  it('a stream has the frames of the socket', async () => {
    const [workflow, execution, owner] = [fresh('workflow'), fresh('execution'), fresh('owner')];
    const rooms = [`execution:${execution}`, `workflow:${workflow}`];
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
    await backend('PUT', `/executions/${execution}`, { workflow_id: workflow, total_nodes: 2 });
    const stream = await EventStream.open(`${url('sse', owner)}${rooms.map((room) => `&room=${encodeURIComponent(room)}`).join('')}`);
    for (let n = 0; n < 4; n += 1) await stream.json('the opening');
    const inbox = await open(owner, rooms);
    await backend('POST', `/executions/${execution}/status`, { status: 'running', message: 'Begun' });
    await backend('POST', `/executions/${execution}/nodes/one/status`, { status: 'running', message: 'Working\n' });
    await backend('POST', `/executions/${execution}/nodes/one/status`, { status: 'completed' });
    await backend('POST', `/executions/${execution}/nodes/one/status`, { status: 'running' }, [409]);
    await backend('POST', `/executions/${execution}/nodes/two/status`, { status: 'skipped' });
    await backend('POST', `/workflows/${workflow}/publish`);
    await backend('POST', `/executions/${execution}/status`, { status: 'completed' });
    const types = ['execution_update', 'node_update', 'execution_update', 'node_update', 'execution_update', 'node_update', 'execution_update', 'workflow_update', 'execution_update', 'notification'];
    for (const type of types) {
      const [onSocket, onStream] = [await inbox.text(type), (await stream.next(type)).data];
      assert.equal(onStream, onSocket);
      assert.equal(JSON.parse(onSocket).type, type);
    }
    await nothing(inbox);
  });
});
