// 2,000 WebSockets and 200 Socket.IO connections (half of them polling) in overlapping rooms, 1,000 publishes from four
// publishers, while connections join, leave, come and go. `verify.mjs` says what is demanded. SEED repeats a run's choices.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { pause, until } from '../lib/wait.mjs';
import { FlowMember, TaskMember, WorkflowMember } from './members.mjs';
import { seeded } from './random.mjs';
import { verify } from './verify.mjs';

const OWNERS = 8;
const EXECUTIONS = 8;
const WORKFLOWS = 2;
const STABLE = 120; // per owner: stays in its rooms for the whole run
const MOVERS = 35; // per owner: joins and leaves
const TASKS = { perOwner: 50, users: 20, perUser: 10 };
const FLOW = 200;
const PUBLISHERS = 4;
const PUBLISHES = 1_000;
const WEB_SOCKETS = 2_000;

const random = seeded(Number(process.env.SEED ?? Date.now() % 1_000_000));
let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());

it('every member gets every event of its rooms once, in one order, and nobody else gets any', { timeout: 170_000 }, async (t) => {
  t.diagnostic(`SEED=${random.seed}`);
  const owners = Array.from({ length: OWNERS }, (_, n) => `owner-${n}`);
  const users = Array.from({ length: TASKS.users }, (_, n) => `user-${n}`);
  const roomsOf = new Map();
  for (const owner of owners) roomsOf.set(owner, await registered(owner));

  const members = [];
  const connect = (kind, choice) => {
    const name = `${kind} ${members.length}`;
    const member = kind === 'workflows' ? new WorkflowMember(server, name, choice, server.token(choice))
      : kind === 'tasks' ? new TaskMember(server, name, choice)
        : new FlowMember(server, name, DEMO_KEYS[choice.tenant], choice.transport);
    members.push(member);
    return member;
  };

  // Workflows: a stable part, movers, and leavers; the rest of the 2,000 are of the tasks gateway.
  const tasksCount = OWNERS * TASKS.perOwner + TASKS.users * TASKS.perUser;
  const leaversPerOwner = (WEB_SOCKETS - tasksCount) / OWNERS - STABLE - MOVERS;
  const plan = owners.flatMap((owner) => [
    ...Array(STABLE).fill({ owner, role: 'stable' }), ...Array(MOVERS).fill({ owner, role: 'mover' }), ...Array(leaversPerOwner).fill({ owner, role: 'leaver' }),
  ]);
  const workflows = plan.map(({ owner, role }) => ({ owner, role, member: () => connect('workflows', owner) }));
  const tasks = [...owners.flatMap((owner) => Array(TASKS.perOwner).fill(owner)), ...users.flatMap((user) => Array(TASKS.perUser).fill(user))];
  const flow = Array.from({ length: FLOW }, (_, n) => ({ tenant: n % 4 < 2 ? 'demo1' : 'demo2', transport: n % 2 ? 'polling' : 'websocket' }));

  const byRole = { stable: [], mover: [], leaver: [] };
  await inBatches(workflows, async ({ owner, role, member: open }, n) => {
    const member = open();
    await member.ready();
    byRole[role].push({ member, owner });
    // The first two stay in every room of their owner: the witnesses of each room's order.
    const rooms = roomsOf.get(owner);
    const joined = role === 'mover' ? [] : n % (STABLE + MOVERS + leaversPerOwner) < 2 ? rooms : random.several(rooms, 4);
    for (const room of joined) await member.join(room);
  });
  const taskMembers = [];
  await inBatches(tasks, async (user) => {
    const member = connect('tasks', user);
    taskMembers.push(member);
    await member.ready();
  });
  const flowMembers = [];
  await inBatches(flow, async (choice) => {
    const member = connect('flow', choice);
    flowMembers.push(member);
    await member.ready();
  });
  assert.equal(byRole.stable.length + byRole.mover.length + byRole.leaver.length + taskMembers.length, WEB_SOCKETS);
  assert.equal(flowMembers.length, FLOW);
  const tenants = [...new Set(flowMembers.map((member) => member.room))];
  assert.equal(tenants.length, 2);

  const kinds = [
    [...roomsOf.values()].flat(), [...roomsOf.values()].flat(), [...roomsOf.values()].flat(),
    owners.map((owner) => `user:${owner}`), users.map((user) => `user:${user}`), tenants,
  ];
  const target = () => Array.from({ length: random.below(8) === 0 ? 2 + random.below(2) : 1 }, () => random.of(random.of(kinds)));
  const publishes = [];
  const publish = async (n, rooms) => {
    const record = { n, rooms: [...new Set(rooms)], start: performance.now(), end: Infinity };
    publishes.push(record);
    await server.publish({ rooms, kind: 'probe', event: 'probe', data: { n, padding: 'x'.repeat(40) } });
    record.end = performance.now();
  };

  let publishing = true;
  const churn = [
    ...byRole.mover.map(({ member, owner }) => move(member, roomsOf.get(owner), () => publishing)),
    ...[...byRole.leaver.map(({ member }) => member), ...random.several(taskMembers.slice(OWNERS * TASKS.perOwner / 2, OWNERS * TASKS.perOwner), 40), ...random.several(flowMembers, 20)]
      .map(async (member) => {
        await pause(200 + random.below(4_000));
        member.disconnect(random.below(2) === 0);
      }),
    ...Array.from({ length: 160 }, async (_, n) => {
      await pause(200 + random.below(4_000));
      const owner = random.of(owners);
      const member = n % 8 === 0 ? connect('flow', flow[n]) : n % 8 < 3 ? connect('tasks', owner) : connect('workflows', owner);
      await member.ready();
      if (member instanceof WorkflowMember) for (const room of random.several(roomsOf.get(owner), 3)) await member.join(room);
    }),
  ];
  let next = 0;
  const publishers = Array.from({ length: PUBLISHERS }, async () => {
    while (next < PUBLISHES) {
      await publish(next++, target());
      await pause(random.below(25));
    }
  });
  await Promise.all(publishers);
  publishing = false;
  await Promise.all(churn);

  // One more event in every room: who has got it has got all before it.
  const everyRoom = [...new Set(kinds.flat())];
  const fences = new Map();
  for (const room of everyRoom) {
    fences.set(room, PUBLISHES + fences.size);
    await publish(fences.get(room), [room]);
  }
  const awaits = (member) => member.open && member.rooms.some((room) => !member.stream.includes(fences.get(room)));
  await until(() => !members.some(awaits), 60_000, () => `the last events at ${members.filter(awaits).slice(0, 5).map((member) => member.name)}`);

  const { violations, counts } = verify(publishes, members);
  t.diagnostic(`${members.length} connections, ${JSON.stringify(counts)}`);
  assert.deepEqual(members.flatMap((member) => member.faults.map((fault) => `${member.name}: ${fault}`)).slice(0, 10), []);
  assert.deepEqual(violations, []);
  members.forEach((member) => { if (member.open) member.disconnect(true); });
});

/** The rooms of an owner's executions and workflows, made. */
async function registered(owner) {
  const rooms = [];
  const put = async (target, body) => assert.ok((await server.backend('PUT', `/api/v1${target}`, body)).status < 300, target);
  for (let w = 0; w < WORKFLOWS; w += 1) {
    await put(`/workflows/${owner}-w${w}`, { owner_id: owner });
    rooms.push(`workflow:${owner}-w${w}`);
  }
  for (let e = 0; e < EXECUTIONS; e += 1) {
    await put(`/executions/${owner}-e${e}`, { workflow_id: `${owner}-w0` });
    rooms.push(`execution:${owner}-e${e}`);
  }
  return rooms;
}

async function inBatches(items, run, size = 100) {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map((item, n) => run(item, at + n)));
}

/** Joins and leaves rooms until the publishing is over, then stays in the last one. */
async function move(member, rooms, going) {
  while (going()) {
    const room = random.of(rooms);
    await member.join(room);
    await pause(random.below(400));
    if (!going()) return;
    await member.leave(room);
    await pause(random.below(100));
  }
}
