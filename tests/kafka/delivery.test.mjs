// From a real broker to the sockets: exact while nothing fails, at least once over the death of the server, a restart of the
// broker, and a broker that is not there.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Broker } from '../lib/kafka.mjs';
import { metric } from '../lib/metrics.mjs';
import { Server } from '../lib/server.mjs';
import { pause, until } from '../lib/wait.mjs';
import { verify } from './account.mjs';
import { Crowd } from './crowd.mjs';

const PARTITIONS = 12;
const USERS = Array.from({ length: 500 }, (_, n) => `user-${n}`);
const EVENTS = 100_000;
const COMMIT_INTERVAL_MS = 1_000;
const SESSION_TIMEOUT_MS = 45_000;
/** How long a commit may take to be made, beyond its interval. */
const COMMIT_MS = 2_000;
const WAIT_MS = 60_000;
/** The load while things fail: records of a batch, and the pause behind each. */
const BATCH = 200;
const BATCH_PAUSE_MS = 50;
/** As much of it has been committed in each life, with all connected, before the server is killed. */
const COMMITTED_MIN = 10_000;
/** As much has been accepted since the last commit when it is killed. */
const UNCOMMITTED_MIN = 500;
/** So many of the records of each life had somebody connected who had to get them. */
const DEMANDED_MIN = 4_000;
const isPong = (message) => message.type === 'pong';

/** The nth event: a CloudEvent for one user, whose events are all in one partition. */
function record(n) {
  const user = USERS[n % USERS.length];
  const event = { specversion: '1.0', id: String(n), source: '/tests/kafka', type: 'task.updated', datacontenttype: 'application/json', data: { user_id: user, n } };
  return { key: user, value: JSON.stringify(event) };
}

const sum = (numbers) => numbers.reduce((total, number) => total + (number ?? 0), 0);
const seconds = (from, to = performance.now()) => ((to - from) / 1_000).toFixed(1);
const outcome = (server, name) => metric(server, `tidings_source_events_total{outcome="${name}",reason=""}`);

describe('delivery', { timeout: 600_000 }, () => {
  let broker;
  let server;
  before(async () => { broker = await Broker.start(); });
  after(() => broker?.stop());
  afterEach(async () => {
    await Inbox.endAll();
    await server?.stop();
    server = undefined;
  });

  const env = (topic) => ({
    TIDINGS__KAFKA__BROKERS: broker.bootstrap,
    TIDINGS__KAFKA__TOPICS: topic,
    TIDINGS__KAFKA__GROUP_ID: `group-of-${topic}`,
    TIDINGS__KAFKA__GROUP_INSTANCE_ID: 'node-0',
    TIDINGS__KAFKA__SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
    TIDINGS__KAFKA__COMMIT_INTERVAL_MS: String(COMMIT_INTERVAL_MS),
  });
  const committed = async (topic) => (await broker.committed(`group-of-${topic}`, topic)).map((offset) => offset ?? 0);
  const allCommitted = (topic) => until(async () => (await broker.lag(`group-of-${topic}`, topic)) === 0, WAIT_MS, `all of ${topic} committed`);

  it('100,000 events over 12 partitions: each of 500 users gets exactly its own, in order, once', async (t) => {
    await broker.createTopic('exact', PARTITIONS);
    server = await Server.start({ env: env('exact') });
    const crowd = new Crowd(USERS);
    await crowd.join(server);
    const began = performance.now();
    await broker.produce('exact', Array.from({ length: EVENTS }, (_, n) => record(n)));
    const produced = performance.now();
    await until(async () => (await outcome(server, 'accepted')) >= EVENTS, WAIT_MS, 'all accepted');
    await allCommitted('exact');
    await crowd.drain();
    t.diagnostic(`${EVENTS} events produced in ${seconds(began, produced)} s, accepted, committed and delivered ${seconds(produced)} s later`);

    assert.deepEqual(crowd.faults, []);
    USERS.forEach((user, first) => {
      const own = Array.from({ length: EVENTS / USERS.length }, (_, times) => first + times * USERS.length);
      assert.deepEqual(crowd.stream(user).map(({ n }) => n), own, user);
    });
    const counts = await Promise.all([outcome(server, 'accepted'), outcome(server, 'duplicate'), metric(server, 'tidings_kafka_records_total')]);
    assert.deepEqual(counts, [EVENTS, 0, EVENTS]);
    const ends = await broker.endOffsets('exact');
    assert.ok(ends.every((end) => end > 0) && sum(ends) === EVENTS, `all partitions have some: ${ends}`);
    assert.equal(server.command('dead-letters', 'list'), '');
    await crowd.leave();
  });

  it('the server killed three times and the broker restarted once: all accepted, repeats only since the last commit', async (t) => {
    const topic = 'restarts';
    await broker.createTopic(topic, PARTITIONS);
    const crowd = new Crowd(USERS);
    const load = new Load(broker, topic);
    const lives = [];
    let watch;
    let dataDir;
    async function begin(from = Array(PARTITIONS).fill(0)) {
      const began = performance.now();
      server = await Server.start({ env: env(topic), dataDir });
      ({ dataDir } = server);
      const first = until(() => metric(server, 'tidings_kafka_records_total'), SESSION_TIMEOUT_MS + WAIT_MS, 'the first record').then(() => performance.now());
      await crowd.join(server);
      lives.push({ from, endedAt: Infinity });
      return { began, first };
    }
    async function watched() {
      watch = new Watch(server, () => committed(topic), lives.at(-1).from, await outcome(server, 'accepted'));
      await until(() => watch.committed >= COMMITTED_MIN, WAIT_MS, () => `${COMMITTED_MIN} records committed in life ${crowd.life}, and not ${watch.committed}`);
    }
    /** Returns what was committed. */
    async function kill() {
      await until(() => load.produced && watch.uncommitted >= UNCOMMITTED_MIN, WAIT_MS, () => `${UNCOMMITTED_MIN} records not committed, and not ${watch.uncommitted}`);
      const endedAt = Date.now();
      await server.kill();
      await crowd.gone();
      const to = await committed(topic);
      Object.assign(lives.at(-1), { endedAt, to, watched: await watch.end() });
      return to;
    }

    try {
      await begin();
      await watched();
      const restarts = [await begin(await kill())];
      await watched();

      const restarting = performance.now();
      await broker.restart();
      const back = performance.now();
      const [produced, received, before] = [load.produced, crowd.received(), watch.committed];
      await until(() => load.produced > produced && crowd.received() > received + 2 * BATCH, WAIT_MS, 'events from the broker that is back');
      t.diagnostic(`the broker was back after ${seconds(restarting, back)} s, and events came again ${seconds(back)} s later`);
      await until(() => watch.committed > before + 2 * BATCH, WAIT_MS, 'a commit to the broker that is back');
      restarts.push(await begin(await kill()));
      await watched();

      // Now the broker is away until all are connected, so that they get every repeat.
      const to = await kill();
      await broker.kill();
      await begin(to);
      await broker.restart();
      await watched();
      const events = await load.end();
      await allCommitted(topic);
      await crowd.drain();
      Object.assign(lives.at(-1), { to: await committed(topic), watched: await watch.end() });

      const records = (await broker.consumeAll(topic)).map(({ partition, offset, key, value }) => ({ partition, offset, user: key, n: JSON.parse(value).data.n }));
      assert.equal(records.length, events);
      const { violations, counts } = verify({ records, crowd, lives, uncommittedAge_ms: COMMIT_INTERVAL_MS + COMMIT_MS });
      counts.forEach((count, life) => t.diagnostic(`life ${life}: ${JSON.stringify(count)}`));
      const restarts_ms = await Promise.all(restarts.map(async ({ began, first }) => Math.round((await first) - began)));
      t.diagnostic(`${events} events; from the start of a server to its first record: ${restarts_ms} ms`);
      assert.deepEqual(violations, []);
      assert.deepEqual(crowd.faults, []);
      assert.deepEqual(lives.at(-1).to, await broker.endOffsets(topic), 'what is committed was accepted, and that is all');
      const accepted = sum(lives.at(-1).to) - sum(lives.at(-1).from);
      assert.equal(await outcome(server, 'accepted'), accepted);
      assert.equal(await outcome(server, 'duplicate'), await metric(server, 'tidings_kafka_records_total') - accepted, 'what came twice within a life is counted');
      for (const restart_ms of restarts_ms) assert.ok(restart_ms < SESSION_TIMEOUT_MS / 4, `${restart_ms} ms to the first record`);
      assert.ok(counts.every(({ demanded }) => demanded >= DEMANDED_MIN), 'records that somebody had to get');
      assert.ok(counts.at(-1).repeats > 0, 'repeats, where all were connected before they came');
      assert.equal(server.command('dead-letters', 'list'), '');
    } finally {
      await load.end().catch(() => {});
      await watch?.end().catch(() => {});
    }
    await crowd.leave();
  });

  it('a broker that is away, at the start and later: clients are served, health tells, and all is caught up', async (t) => {
    await broker.createTopic('away', 1);
    const produce = (first, count) => broker.produce('away', Array.from({ length: count }, (_, n) => ({ value: JSON.stringify({ user_id: 'ann', n: first + n }) })));
    await produce(0, 100);
    await broker.kill();
    server = await Server.start({ env: env('away') });
    const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=ann`);
    await inbox.json('the welcome');

    const health = async () => {
      const { status, json } = await request(`${server.tasks.http}/health`);
      return [status, json.status, json.degraded ?? []];
    };
    const told = async () => {
      const { status, json } = await request(`${server.operators.http}/readyz?verbose`);
      const { name, detail, ...kafka } = json.checks.find((check) => check.name === 'kafka');
      return { status, ready: json.status, detail, ...kafka };
    };
    const isDegraded = async () => {
      assert.deepEqual(await health(), [200, 'healthy', ['kafka']]);
      const { detail, ...rest } = await told();
      assert.equal(rest.status, 'degraded');
      assert.ok(detail.length > 0);
      assert.equal((await request(`${server.operators.http}/readyz`)).status, 200);
      assert.equal(await metric(server, 'tidings_kafka_up'), 0);
      await server.publish({ rooms: ['user:ann'], kind: 'notice', data: { n: 'meanwhile' } });
      assert.equal((await inbox.json('what an operator publishes meanwhile')).type, 'notice');
    };
    const isBack = async () => {
      await until(async () => (await health())[2].length === 0, WAIT_MS, 'health without kafka among what is degraded');
      assert.deepEqual([await told(), await metric(server, 'tidings_kafka_up')], [{ status: 'ok', ready: 'ready', detail: undefined, partitions: 1 }, 1]);
    };
    const numbers = async (count) => {
      const found = [];
      while (found.length < count) found.push((await inbox.json(() => `${count} events instead of ${found.length}`, WAIT_MS)).event.n);
      return found;
    };

    await isDegraded();
    await until(async () => await metric(server, 'tidings_kafka_errors_total') > 0, WAIT_MS, 'an error in the count');
    await broker.restart();
    const back = performance.now();
    assert.deepEqual(await numbers(100), Array.from({ length: 100 }, (_, n) => n));
    t.diagnostic(`caught up ${seconds(back)} s after the broker came`);
    await isBack();

    await broker.kill();
    await until(async () => (await health())[2].length > 0, WAIT_MS, 'kafka among what is degraded');
    await isDegraded();
    await broker.restart();
    await produce(100, 100);
    assert.deepEqual(await numbers(100), Array.from({ length: 100 }, (_, n) => 100 + n));
    await isBack();
    assert.deepEqual(await inbox.drain(isPong), []);
    assert.equal(await outcome(server, 'accepted'), 200);
  });
});

/** Produces until it is told to end. */
class Load {
  #produced = 0;
  #isEnding = false;
  #running;
  #failure;

  constructor(broker, topic) {
    this.#running = this.#run(broker, topic);
    this.#running.catch((error) => { this.#failure = error; });
  }

  get produced() {
    if (this.#failure) throw this.#failure;
    return this.#produced;
  }

  async #run(broker, topic) {
    while (!this.#isEnding) {
      await broker.produce(topic, Array.from({ length: BATCH }, (_, n) => record(this.#produced + n)));
      this.#produced += BATCH;
      await pause(BATCH_PAUSE_MS);
    }
    return this.#produced;
  }

  /** How many it has produced. */
  end() {
    this.#isEnding = true;
    return this.#running;
  }
}

/** Notes what is committed during a life of the server, and that it was accepted before. */
class Watch {
  #committed = 0;
  #uncommitted = 0;
  #seen = [];
  #isEnding = false;
  #running;
  #failure;

  /** `from`: what was committed at the start of the server, `joined`: how many it had accepted once all were connected. */
  constructor(server, committed, from, joined) {
    this.#running = this.#run(server, committed, sum(from), joined);
    this.#running.catch((error) => { this.#failure = error; });
  }

  /** How much was committed of what was accepted since all were connected. */
  get committed() {
    if (this.#failure) throw this.#failure;
    return this.#committed;
  }

  /** How much was accepted and not committed. */
  get uncommitted() {
    if (this.#failure) throw this.#failure;
    return this.#uncommitted;
  }

  async #run(server, committed, before, joined) {
    while (!this.#isEnding) {
      // In the end the server is gone, and there is nothing more to ask.
      const now = await committed();
      const at = Date.now();
      const accepted = await outcome(server, 'accepted').catch(() => Infinity);
      const count = sum(now) - before;
      assert.ok(accepted >= count, `${count} committed, and only ${accepted} accepted`);
      this.#uncommitted = accepted - count;
      this.#seen.push({ at, committed: now });
      this.#committed = count - joined;
      await pause(100);
    }
    return this.#seen;
  }

  end() {
    this.#isEnding = true;
    return this.#running;
  }
}
