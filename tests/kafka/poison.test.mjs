// Records that can never be delivered: they hold up nobody, are all kept with reason and origin, and are delivered after all
// when the rule is mended.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Inbox } from '../lib/inbox.mjs';
import { Broker } from '../lib/kafka.mjs';
import { asked, numbers, Reader } from '../lib/reader.mjs';
import { until } from '../lib/wait.mjs';

const RECORDS = 100_000;
const POISON_EVERY = 100;
/** How often the flow is measured; the fastest counts. */
const ROUNDS = 3;
const WAIT_MS = 60_000;

/** What no server can read, with the reason that it is told by. */
const POISONS = [
  { reason: 'not_json', value: Buffer.from('{"user_id":"nobody","n":') },
  { reason: 'not_json', value: Buffer.from([0xff, 0xfe, 0x00, 0x9f]) },
  { reason: 'not_json', value: null },
  { reason: 'mislabelled', value: Buffer.from('{"user_id":"nobody"}'), headers: { 'content-type': 'application/cloudevents+json' } },
  { reason: 'mislabelled', value: Buffer.from('{"specversion":"2.0","id":"1","source":"s","type":"t","data":{"user_id":"nobody"}}') },
];
const poisonAt = (n) => POISONS[Math.floor(n / POISON_EVERY) % POISONS.length];
const isPoison = (n) => n % POISON_EVERY === POISON_EVERY - 1;
const event = (n, user, more = {}) => JSON.stringify({ specversion: '1.0', id: String(n), source: '/tests', type: 'task.updated', data: { user_id: user, n }, ...more });

describe('poison', { timeout: 600_000 }, () => {
  let broker;
  let reader;
  let folder;
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'tidings-kafka-test-'));
    broker = await Broker.start();
    reader = new Reader(broker);
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    return broker?.stop();
  });
  afterEach(() => reader?.stop());

  const counted = async (...outcomes) => {
    const counts = await Promise.all(outcomes.map(([outcome, reason]) => reader.events(outcome, reason)));
    return counts.reduce((total, count) => total + count, 0);
  };

  /** What all records would take, in milliseconds: by those that were left when the first were seen. Infinity if most were done by then. */
  async function flow() {
    await until(() => reader.metric('tidings_kafka_records_total'), WAIT_MS, 'the first record');
    const done = () => counted(['accepted'], ['dead_letter', 'not_json'], ['dead_letter', 'mislabelled']);
    const left = RECORDS - await done();
    const began = performance.now();
    await until(async () => (await done()) >= RECORDS, WAIT_MS, 'all records done');
    return left < RECORDS / 2 ? Infinity : (performance.now() - began) * RECORDS / left;
  }

  it('one in a hundred: the partition flows, each is in the dead letter topic once, with reason and origin', async (t) => {
    for (const topic of ['clean', 'poisoned']) await broker.createTopic(topic, 1);
    for (const topic of ['rounds-dead', 'poisoned-dead']) await broker.createTopic(topic, 3);
    const clean = Array.from({ length: RECORDS }, (_, n) => ({ key: 'key', value: event(n, 'nobody') }));
    await broker.produce('clean', clean);
    await broker.produce('poisoned', clean.map((record, n) => {
      if (!isPoison(n)) return record;
      const { value, headers } = poisonAt(n);
      return { key: `poison-${n}`, value, headers: { ...headers, origin: `record ${n}` } };
    }));

    const dead = { TIDINGS__KAFKA__DEAD_LETTER_TOPIC: 'poisoned-dead' };
    const fastest_ms = { clean: Infinity, poisoned: Infinity };
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const topic of ['clean', 'poisoned']) {
        const last = round === ROUNDS ? dead : { TIDINGS__KAFKA__GROUP_ID: `round-${round}`, TIDINGS__KAFKA__DEAD_LETTER_TOPIC: 'rounds-dead' };
        await reader.start(reader.env(topic, last));
        fastest_ms[topic] = Math.min(fastest_ms[topic], await flow());
      }
    }
    t.diagnostic(`${RECORDS} records in ${Math.round(fastest_ms.clean)} ms; one in ${POISON_EVERY} of them poison: ${Math.round(fastest_ms.poisoned)} ms`);
    const { clean: clean_ms, poisoned: poisoned_ms } = fastest_ms;
    assert.ok(Number.isFinite(clean_ms) && poisoned_ms <= 2 * clean_ms, `${poisoned_ms} ms with poison, ${clean_ms} ms without`);
    await reader.allCommitted('poisoned');

    const poisons = Array.from({ length: RECORDS }, (_, n) => n).filter(isPoison);
    assert.equal(await reader.events('accepted'), RECORDS - poisons.length);
    assert.equal(await reader.metric('tidings_kafka_dead_letters_total'), poisons.length);
    // In order, and started again: nothing is read and nothing buried once more.
    await reader.restart(reader.env('poisoned', dead));
    const inbox = await reader.open('ann');
    await broker.produce('poisoned', [{ value: event(RECORDS, 'ann') }]);
    assert.equal((await inbox.json('the event behind all poison', WAIT_MS)).event.n, RECORDS);
    await until(() => reader.metric('tidings_kafka_records_total'), WAIT_MS, 'the count of the burst with it');
    assert.equal(await reader.metric('tidings_kafka_records_total'), 1);

    const letters = await broker.consumeAll('poisoned-dead');
    letters.sort((one, other) => Number(one.headers['dlq-offset']) - Number(other.headers['dlq-offset']));
    assert.deepEqual(letters.map(({ key, value, headers }) => ({ key, value, headers })), poisons.map((n) => {
      const { reason, value, headers } = poisonAt(n);
      const origin = { 'dlq-reason': reason, 'dlq-topic': 'poisoned', 'dlq-partition': '0', 'dlq-offset': String(n) };
      return { key: `poison-${n}`, value, headers: { ...headers, origin: `record ${n}`, ...origin } };
    }));
    assert.deepEqual(reader.letters(), []);
  });

  const RULES = {
    wrong: '[[routing.rules]]\nwhen = { type = "task.created" }\nrooms = ["user:{data.user_id}"]\n',
    worse: '[[routing.rules]]\nwhen = { type = "task.*" }\nrooms = ["user:{data.owner}"]\n',
    mended: '[[routing.rules]]\nwhen = { type = "task.*" }\nrooms = ["user:{data.user_id}"]\nkind = "mended"\n',
  };
  /** (Re)starts the server in order, with these rules in its configuration file. */
  async function startWith(rules, environment) {
    const file = path.join(folder, 'tidings.toml');
    writeFileSync(file, RULES[rules]);
    const env = { ...environment, TIDINGS_CONFIG: file };
    await (reader.server ? reader.restart(env) : reader.start(env));
  }

  it('no rule for it: in the dead letter topic, and delivered once by `replay --topic` when the rule is mended', async () => {
    for (const topic of ['unruled', 'unruled-dead']) await broker.createTopic(topic, 2);
    const environment = reader.env('unruled', { TIDINGS__KAFKA__DEAD_LETTER_TOPIC: 'unruled-dead' });
    await startWith('wrong', environment);
    const binary = { 'content-type': 'application/json', ce_specversion: '1.0', ce_id: 'b', ce_source: '/tests', ce_type: 'task.updated' };
    await broker.produce('unruled', [
      { partition: 0, value: event(1, 'ann') },
      { partition: 1, value: '{"user_id":"ann","n":2}', headers: binary },
      { partition: 1, value: event(3, 'ann', { type: 'task.created' }) },
    ]);
    await reader.allCommitted('unruled');
    const letters = await broker.consumeAll('unruled-dead');
    const origins = letters.map(({ headers }) => ['reason', 'topic', 'partition', 'offset'].map((name) => headers[`dlq-${name}`]));
    assert.deepEqual(origins.sort(), [['no_route', 'unruled', '0', '0'], ['no_route', 'unruled', '1', '0']]);
    assert.deepEqual(reader.letters(), []);

    await startWith('mended', environment);
    const ann = await reader.open('ann');
    assert.equal(reader.replay('--topic'), asked(2));
    await reader.allReplayed();
    assert.equal(await reader.events('accepted'), 2);
    const got = await ann.drain();
    assert.deepEqual(got.map(({ type, event: { n } }) => [type, n]).sort(), [['mended', 1], ['mended', 2]]);

    assert.equal(reader.replay('--topic'), asked(0));
    await startWith('mended', environment);
    assert.equal(reader.replay('--topic'), asked(0));
    const again = await reader.open('ann');
    await broker.produce('unruled', [{ partition: 0, value: event(4, 'ann') }]);
    assert.equal((await again.json('the event behind', WAIT_MS)).event.n, 4);
    assert.deepEqual(await numbers(again), []);
  });

  it('without a topic, in the store: replayed while the rule is still wrong it stays with the new reason, then it is delivered and gone', async () => {
    await broker.createTopic('stored', 1);
    await startWith('wrong', reader.env('stored'));
    await broker.produce('stored', [{ value: event(1, 'ann') }, { value: event(2, 'ann') }, { value: 'not json' }]);
    await reader.allCommitted('stored');
    const summary = () => reader.letters().map(({ number, topic, source, reason, replaying }) => [number, source, topic, reason, replaying]);
    assert.deepEqual(summary(), [[3, 'kafka', 'stored', 'not_json', false], [2, 'kafka', 'stored', 'no_route', false], [1, 'kafka', 'stored', 'no_route', false]]);
    assert.equal(reader.server.command('dead-letters', 'show', '1'), event(1, 'ann'));

    await startWith('worse', reader.env('stored'));
    const ann = await reader.open('ann');
    assert.equal(reader.replay('--reason', 'no_route'), asked(2));
    await until(() => summary().every(([,, , reason]) => reason !== 'no_route'), WAIT_MS, () => `the new reason in ${JSON.stringify(summary())}`);
    assert.deepEqual(summary().map(([number,, , reason, replaying]) => [number, reason, replaying]), [[3, 'not_json', false], [2, 'no_user', false], [1, 'no_user', false]]);
    assert.deepEqual(await numbers(ann), []);
    await Inbox.endAll();

    await startWith('mended', reader.env('stored'));
    const again = await reader.open('ann');
    assert.equal(reader.replay('1'), asked(1));
    await until(() => reader.letters().length === 2, WAIT_MS, 'the first one gone');
    assert.deepEqual(await numbers(again), [1]);
    assert.equal(reader.replay('--all'), asked(2));
    await until(() => reader.letters().length === 1 && !reader.letters()[0].replaying, WAIT_MS, 'only what is no JSON left');
    assert.deepEqual(summary().map(([number,, , reason]) => [number, reason]), [[3, 'not_json']]);
    assert.deepEqual(await numbers(again), [2]);
    assert.throws(() => reader.replay('1'), /there is no dead letter 1/);
  });
});
