// 200 executions of 50 nodes, told of by eight processes in an order of chance, twice, late and against each other, while
// others follow them from a moment of chance on. `history.mjs` says what is demanded. SEED repeats a run's choices.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DATABASES } from '../lib/database.mjs';
import { Child } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { within } from '../lib/wait.mjs';
import { Follower } from './followers.mjs';
import { digestOf, History } from './history.mjs';
import { seeded } from './random.mjs';
import { plans } from './reports.mjs';

const OWNERS = 4;
const EXECUTIONS = { SQLite: 200, PostgreSQL: 80 }; // which is about as long
const NODES = 50;
const REPORTERS = 8;
const FOLLOWERS = 12; // per owner
const ROOMS_MAX = 10; // that a follower is in
const REPORTER = fileURLToPath(new URL('reporter.mjs', import.meta.url));
const LIMITS = {
  // Who does not read for a while is to get everything later.
  OUTBOX_BYTES_MAX: 64 * 1024 * 1024, OUTBOX_FRAMES_MAX: 100_000, OUTBOX_AGE_MS_MAX: 120_000,
  ROOMS_PER_CONNECTION_MAX: 1_000,
};

const random = seeded(Number(process.env.SEED ?? Date.now() % 1_000_000));
const open = { server: null, followers: [], children: [], folder: null };
afterEach(close);
async function close() {
  for (const child of open.children.splice(0)) if (!child.outcome) child.process.kill('SIGKILL');
  for (const follower of open.followers.splice(0)) if (follower.isConnected) await follower.hangUp(true);
  await open.server?.stop();
  if (open.folder) rmSync(open.folder, { recursive: true });
  Object.assign(open, { server: null, folder: null });
}

for (const { name, env } of DATABASES) {
  it(`every subscriber sees what the store has, whenever it comes: ${name}`, { timeout: 240_000 }, async (t) => {
    t.diagnostic(`SEED=${random.seed}`);
    const limits = Object.fromEntries(Object.entries(LIMITS).map(([key, value]) => [`TIDINGS__LIMITS__${key}`, `${value}`]));
    const server = await Server.start({ env: { ...limits, ...env() } });
    open.server = server;
    open.folder = mkdtempSync(path.join(os.tmpdir(), 'tidings-reports-'));
    const executions = Array.from({ length: EXECUTIONS[name] }, (_, n) => `execution-${n}`);
    const ownerOf = (execution) => `owner-${executions.indexOf(execution) % OWNERS}`;
    const owned = Array.from({ length: OWNERS }, (_, n) => executions.filter((execution) => ownerOf(execution) === `owner-${n}`));
    for (let n = 0; n < OWNERS; n += 1) await put(server, `/workflows/workflow-${n}`, { owner_id: `owner-${n}` });
    for (const [n, execution] of executions.entries()) await put(server, `/executions/${execution}`, { workflow_id: `workflow-${n % OWNERS}`, total_nodes: NODES });

    const connect = async (title, owner) => {
      const follower = new Follower(title, `${server.workflows.ws}/api/v1/ws?token=${server.token(`owner-${owner}`)}`);
      open.followers.push(follower);
      await follower.connect();
      return follower;
    };
    const clock = new Clock();
    const witnesses = [];
    for (let n = 0; n < OWNERS; n += 1) {
      const witness = await connect(`the witness of owner-${n}`, n);
      witnesses.push(witness);
      for (const execution of owned[n]) await witness.follow(execution);
      witness.onUpdate = () => clock.tick();
    }

    const plan = plans({ executions, nodes: NODES, reporters: REPORTERS, random });
    const reports = plan.flat().length;
    const starts = performance.now();
    const children = plan.map((list, n) => report(server, open.folder, list, n));
    // About as many updates as reports: those that change nothing stand against those that change an execution too.
    const followers = owned.flatMap((rooms, owner) => Array.from({ length: FOLLOWERS }, (_, n) => ({ rooms, owner, n })))
      .map(({ rooms, owner, n }) => wander({
        connect: () => connect(`follower ${n} of owner-${owner}`, owner), rooms, clock, updates: reports, choice: seeded(random.below(1_000_000_000)), isSlow: n % 4 === 0,
      }));
    const everyone = Promise.all(followers);
    everyone.catch(() => {});
    const answers = (await Promise.all(children)).flat();
    const took_ms = performance.now() - starts;
    clock.stop();
    await everyone;

    // Who comes when all is over is shown what the store has.
    const store = new Map();
    for (let n = 0; n < OWNERS; n += 1) {
      const late = await connect(`who comes late to owner-${n}`, n);
      for (const execution of owned[n]) await late.follow(execution);
      for (const stay of late.stays) store.set(stay.execution, digestOf(stay.shown));
    }
    // One more event in every room: who has got it has got all before it.
    for (const execution of executions) await server.publish({ room: `execution:${execution}`, kind: 'fence', data: execution });
    for (const follower of open.followers) for (const execution of follower.executions) await follower.fenced(execution);

    const wrongs = open.followers.flatMap(({ faults }) => faults);
    const byExecution = grouped(answers);
    const histories = new Map();
    for (const witness of witnesses) {
      for (const stay of witness.stays) {
        const history = new History(stay, byExecution.get(stay.execution));
        histories.set(stay.execution, history);
        if (history.state.digest !== store.get(stay.execution)) history.wrongs.push('the store has another state in the end');
        const ends = witness.notifications.filter(({ data }) => data.execution_id === stay.execution).map(({ event }) => event);
        if (`${ends}` !== `execution_${history.state.overall.status}`) history.wrongs.push(`its owner was told of its end: ${ends}`);
        wrongs.push(...history.wrongs.map((wrong) => `${stay.execution}: ${wrong}`));
      }
    }
    assert.equal(histories.size, executions.length);
    const stays = { over: 0, going: 0, again: 0, amid: 0 };
    for (const follower of open.followers) {
      for (const stay of follower.stays) {
        const goesOn = follower.stayIn(stay.execution) === stay;
        const history = histories.get(stay.execution);
        const wrong = stay.isLive ? history.judge(stay, goesOn) : null; // who hung up before may have been shown a part
        if (wrong) wrongs.push(`${follower.name} in ${stay.execution}: ${wrong}`);
        stays[goesOn ? 'going' : 'over'] += 1;
        if (stay.before) stays.again += 1;
        if (stay.live.length > 0 && stay.live.length < history.texts.length) stays.amid += 1;
      }
    }
    const refused = answers.filter(({ status }) => status === 409).length;
    const updates = [...histories.values()].reduce((sum, { texts }) => sum + texts.length, 0);
    t.diagnostic(`${open.followers.length} connections, ${reports} reports in ${Math.round(took_ms)} ms, ${refused} refused, ${updates} updates, stays ${JSON.stringify(stays)}`);
    assert.deepEqual(wrongs.slice(0, 10), []);
    assert.ok(refused > reports / 100 && updates > executions.length * NODES, 'reports come late, and most are taken');
    assert.ok(stays.amid > open.followers.length && stays.again > FOLLOWERS, 'subscribers come in the middle');
  });
}

async function put(server, target, body) {
  const answer = await server.backend('PUT', `/api/v1${target}`, body);
  assert.equal(answer.status, 201, answer.text);
}

/** Has a process of its own send the reports, and returns them with their answers. */
async function report(server, folder, plan, n) {
  const [planFile, answersFile] = ['plan', 'answers'].map((what) => path.join(folder, `${what}-${n}.json`));
  writeFileSync(planFile, JSON.stringify(plan));
  const child = new Child(process.execPath, [REPORTER, server.workflows.http, planFile, answersFile], { env: { TOKEN: server.serviceToken } });
  open.children.push(child);
  const { code } = await within(child.exited, 180_000, `the reports of process ${n}`);
  assert.equal(code, 0, child.log);
  return JSON.parse(readFileSync(answersFile, 'utf8')).map((answer, at) => ({ report: plan[at], ...answer }));
}

function grouped(answers) {
  const groups = new Map();
  for (const answer of answers) {
    const { execution } = answer.report;
    if (!groups.has(execution)) groups.set(execution, []);
    groups.get(execution).push(answer);
  }
  return groups;
}

/** Time as the number of updates that there were. */
class Clock {
  now = 0;
  isOver = false;
  #waiting = [];

  tick() {
    this.now += 1;
    if (this.now % 16 === 0) this.#wake();
  }

  stop() {
    this.isOver = true;
    this.#wake();
  }

  /** Waits for so many more updates, or for the end of the run. */
  async passes(updates) {
    const until = this.now + updates;
    while (this.now < until && !this.isOver) await new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  #wake() { this.#waiting.splice(0).forEach((wake) => wake()); }
}

/** Comes at some time, goes in and out of executions, is shown some again, hangs up and comes back, and stays in a few at last. */
async function wander({ connect, rooms, clock, updates, choice, isSlow }) {
  await clock.passes(choice.below(updates * 0.8));
  const follower = await connect();
  const enter = async (executions) => {
    if (!isSlow) return Promise.all(executions.map((execution) => follower.follow(execution)));
    // It asks, and does not read what it is told for a while.
    const asked = executions.map((execution) => [execution, follower.stayIn(execution)]);
    executions.forEach((execution) => follower.ask(execution));
    follower.stopReading();
    await clock.passes(choice.below(500));
    follower.readAgain();
    for (const [execution, before] of asked) await follower.follows(execution, before);
  };
  const outside = () => rooms.filter((execution) => !follower.executions.includes(execution));
  const steps = [
    () => enter(choice.several(outside(), Math.min(3, ROOMS_MAX - follower.executions.length))),
    () => enter(choice.several(follower.executions, 2)),
    async () => { for (const execution of choice.several(follower.executions, 2)) await follower.leave(execution); },
    async () => {
      const executions = follower.executions;
      // Sometimes before it has been shown what it has asked for.
      if (choice.below(2) === 0) choice.several(outside(), 2).forEach((execution) => follower.ask(execution));
      await follower.hangUp(choice.below(2) === 0);
      await clock.passes(choice.below(300));
      await follower.connect();
      await enter(executions);
    },
  ];
  while (!clock.isOver) {
    await steps[choice.of([0, 0, 0, 1, 2, 2, 3])]();
    await clock.passes(choice.below(1_000));
  }
  await enter(choice.several(rooms, 3));
}
