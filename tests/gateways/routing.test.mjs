import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { envelope, structured } from '../lib/cloudevent.mjs';
import { request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { metric } from '../lib/metrics.mjs';
import { BINARY } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';

const RULES = `[
  { when = { type = "com.example.*.deleted" }, rooms = ["user:{data.owner}", "user:{subject}"], kind = "gone" },
  { when = { topic = "task-updates", "data.priority" = 1 }, rooms = ["user:{data.user_id|data.owner}"], kind = "urgent" },
  { when = { source = "backend" }, rooms = ["user:{data.user_id}"], gateways = ["tasks", "flow"] },
]`;
const isPong = (message) => message.type === 'pong';

describe('routing', () => {
  let server;
  before(async () => { server = await Server.start({ env: { TIDINGS__ROUTING__RULES: RULES } }); });
  after(() => server?.stop());
  afterEach(() => Inbox.endAll());

  async function open(user) {
    const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`);
    await inbox.json('the welcome');
    return inbox;
  }

  const post = async (data, more) => {
    const answer = await request(`${server.tasks.http}/task-updates`, { method: 'POST', ...structured(data, more) });
    assert.equal(answer.status, 200);
    return answer.json.status;
  };

  const kinds = async (inbox) => (await inbox.drain(isPong)).map(({ type, event }) => [type, event.n]);

  it('the first rule that an event meets says to which rooms it goes, and as what', async () => {
    const [ann, bob] = [await open('ann'), await open('bob')];
    assert.equal(await post({ n: 1, owner: 'ann', priority: 1 }, { type: 'com.example.task.deleted', subject: 'bob' }), 'SUCCESS');
    assert.equal(await post({ n: 2, owner: 'ann', priority: 1 }), 'SUCCESS');
    assert.equal(await post({ n: 3, user_id: 'bob', priority: 2 }), 'SUCCESS');
    assert.deepEqual(await kinds(ann), [['gone', 1], ['urgent', 2]]);
    assert.deepEqual(await kinds(bob), [['gone', 1], ['task_update', 3]]);
  });

  it('an event that meets no rule, or does not name whom its rule asks for, is a dead letter with the reason', async () => {
    const dropped = (reason) => metric(server, `tidings_drops_total{reason="${reason}"}`);
    const counts = async () => Promise.all(['no_route', 'no_user', 'invalid_user'].map(dropped));
    const before = await counts();
    const ann = await open('ann');
    assert.equal(await post({ n: 1, user_id: 'ann' }, { source: 'elsewhere' }), 'DROP');
    assert.equal(await post({ n: 2, user_id: 'ann' }, { type: 'com.example.task.deleted' }), 'DROP');
    assert.equal(await post({ n: 3, user_id: ['ann'] }), 'DROP');
    assert.deepEqual(await kinds(ann), []);
    assert.deepEqual(await counts(), before.map((count) => count + 1));
  });

  const routeTest = (event, ...more) => {
    const file = path.join(server.dataDir, 'event.json');
    writeFileSync(file, JSON.stringify(event));
    const { status, stdout, stderr } = spawnSync(BINARY, ['--data-dir', server.dataDir, 'route', 'test', '--event', file, ...more], { env: { ...process.env, ...server.env }, encoding: 'utf8' });
    return { status, lines: stdout.trim().split('\n'), stderr };
  };

  it('`tidings route test` prints where an event would go and why', () => {
    const data = { owner: 'ann', priority: 1 };
    assert.deepEqual(routeTest(envelope(data)), {
      status: 0,
      lines: ['rule 1 is not met: type = `com.example.*.deleted`, found `com.dapr.event.sent`', 'rule 2 decides', 'room: user:ann', 'kind: urgent', 'gateways: tasks'],
      stderr: '',
    });
    const elsewhere = routeTest(envelope({ ...data, user_id: 'ann' }), '--topic', 'other');
    assert.deepEqual(elsewhere.lines.slice(1), ['rule 2 is not met: topic = `task-updates`, found `other`', 'rule 3 decides', 'room: user:ann', 'kind: task_update', 'gateways: flow, tasks']);
    const bare = routeTest({ user_id: 'ann' });
    assert.equal(bare.status, 64);
    assert.deepEqual(bare.lines.slice(2), ['rule 3 is not met: source = `backend`, found nothing']);
    assert.match(bare.stderr, /the event would become a dead letter: no_route/);
    const nobodys = routeTest(envelope(undefined, { type: 'com.example.x.deleted' }));
    assert.deepEqual(nobodys.lines, ['rule 1 decides']);
    assert.match(nobodys.stderr, /the event would become a dead letter: no_user/);
  });

  it('a rule that is none stops the server, with its place and what is wrong', () => {
    for (const [rules, message] of [
      ['[{ rooms = ["user:{data.user_id"] }]', /TIDINGS__ROUTING__RULES.*rule 1: a room is a name such as `user:\{data\.user_id\}`, found `user:\{data\.user_id`/],
      ['[{ rooms = ["a"] }, { rooms = ["a"], gateways = ["chat"] }]', /rule 2: there is no gateway `chat`/],
      ['[{ when = { Type = "x" }, rooms = ["a"] }]', /rule 1: a field is `topic`, .*, found `Type`/],
      ['[{ room = "a" }]', /rule 1: there is no key `room`/],
      ['[{}]', /rule 1: expected 1 to 8 rooms/],
      ['no list', /expected a list of tables/],
    ]) {
      const { status, stderr } = spawnSync(BINARY, ['check-config'], { env: { ...process.env, TIDINGS__ROUTING__RULES: rules }, encoding: 'utf8' });
      assert.equal(status, 64, rules);
      assert.match(stderr, message);
    }
  });
});
