// Kafka as a source, with librdkafka's mock cluster; with a real broker, in tests/kafka.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { envelope, structured } from '../lib/cloudevent.mjs';
import { request } from '../lib/http.mjs';
import { MockCluster } from '../lib/kafka.mjs';
import { BINARY } from '../lib/process.mjs';
import { asked, numbers, Reader } from '../lib/reader.mjs';
import { until } from '../lib/wait.mjs';

const RECORD_BYTES_MAX = 4_096;
const PARTITIONS = 12;
const WAIT_MS = 20_000;
const byNumber = (one, other) => one - other;

/** Headers of a CloudEvent in binary mode. */
const binary = (more = {}) => ({ 'content-type': 'application/json', ce_specversion: '1.0', ce_id: 'b 1', ce_source: '/backend', ce_type: 'task', ...more });
const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=utf-8' };

describe('Kafka', () => {
  let cluster;
  let reader;
  before(async () => {
    cluster = await MockCluster.start({ forms: 1, forwards: PARTITIONS, twice: 2, unruled: 2, 'unruled-dead': 1, stored: 1, health: 3 });
    // The mock cluster waits 3 s for more members of a new group, and forgets those whose session ends meanwhile.
    reader = new Reader(cluster, { TIDINGS__KAFKA__COMMIT_INTERVAL_MS: '100', TIDINGS__KAFKA__SESSION_TIMEOUT_MS: '4000' });
  });
  after(() => cluster?.stop());
  afterEach(() => reader?.stop());

  it('records of every form are delivered, or are dead letters with their reason', async () => {
    await reader.start(reader.env('forms', { TIDINGS__KAFKA__RECORD_BYTES_MAX: String(RECORD_BYTES_MAX) }));
    const ann = await reader.open('ann');
    const data = (n) => ({ user_id: 'ann', n });
    const large = JSON.stringify({ ...data(0), text: 'x'.repeat(RECORD_BYTES_MAX) });
    const fits = JSON.stringify({ ...data(9), text: '' });
    const good = [
      { value: JSON.stringify(envelope(data(1))), headers: STRUCTURED },
      { value: JSON.stringify(data(2)), headers: binary() },
      { value: JSON.stringify(data(3)), headers: binary({ ce_id: 'b 2', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }) },
      { value: JSON.stringify(envelope(data(4))) }, // as Dapr writes it
      { value: JSON.stringify(envelope(undefined, { data_base64: Buffer.from(JSON.stringify(data(5))).toString('base64') })) },
      { value: JSON.stringify(envelope(JSON.stringify(data(6)), { datacontenttype: 'text/plain' })) },
      { value: JSON.stringify(data(7)) },
      { value: JSON.stringify(data(8)), headers: { 'content-type': 'application/json', other: 'x' }, key: 'ann' },
      { value: JSON.stringify({ ...JSON.parse(fits), text: 'x'.repeat(RECORD_BYTES_MAX - fits.length) }) },
    ];
    const bad = [
      ['no_user', JSON.stringify(envelope({ n: 0 }))],
      ['no_user', '{"n":0}', binary({ ce_id: 'b 3' })],
      ['invalid_user', '{"user_id":true}'],
      ['not_json', 'not json'],
      ['not_json', Buffer.from([0xff, 0xfe])],
      ['not_json', '["ann"]'],
      ['not_json', ''],
      ['not_json', null],
      ['mislabelled', JSON.stringify(data(0)), STRUCTURED],
      ['mislabelled', JSON.stringify([envelope(data(0))]), { 'content-type': 'application/cloudevents-batch+json' }],
      ['mislabelled', JSON.stringify(envelope(data(0), { specversion: '0.3' }))],
      ['mislabelled', JSON.stringify(data(0)), binary({ ce_source: '' })],
      ['too_large', large],
      ['too_large', large, binary({ ce_id: 'b 4' })],
    ];
    const mixed = bad.flatMap(([, value, headers], n) => [{ value, headers }, good[n]]).filter(Boolean);
    await cluster.produce('forms', mixed);
    await reader.allCommitted('forms');
    assert.deepEqual(await numbers(ann), good.map((_, n) => n + 1));

    const letters = reader.letters().reverse();
    const bytes = (value) => Buffer.byteLength(value ?? '');
    const inOrder = (rows) => rows.map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(inOrder(letters.map(({ source, topic, reason, eventBytes }) => [source, topic, reason, eventBytes])),
      inOrder(bad.map(([reason, value]) => ['kafka', 'forms', reason, bytes(value)])));
    const { number } = letters.find(({ reason }) => reason === 'invalid_user');
    assert.equal(reader.server.command('dead-letters', 'show', String(number)), '{"user_id":true}');
    for (const reason of new Set(bad.map(([name]) => name))) {
      assert.equal(await reader.events('dead_letter', reason), bad.filter(([name]) => name === reason).length, reason);
    }
    assert.deepEqual([await reader.events('accepted'), await reader.events('duplicate'), await reader.metric('tidings_kafka_records_total')], [good.length, 0, mixed.length]);
  });

  it('each user gets its own in order, once; and goes on from there after a restart, or at the last commit after its death', async () => {
    const users = Array.from({ length: 40 }, (_, n) => `user-${n}`);
    const produce = (first, count) => cluster.produce('forwards', Array.from({ length: count * users.length }, (_, at) => {
      const [user, n] = [users[at % users.length], first + Math.floor(at / users.length)];
      return { key: user, value: JSON.stringify(envelope({ user_id: user, n }, { id: `${user} ${n}` })) };
    }));
    const environment = reader.env('forwards');
    await reader.start(environment);
    let inboxes = await Promise.all(users.map((user) => reader.open(user)));
    const delivered = async (first, count) => {
      await reader.accepted(count * users.length);
      const expected = Array.from({ length: count }, (_, n) => first + n);
      for (const inbox of inboxes) assert.deepEqual(await numbers(inbox), expected);
    };
    await produce(0, 50);
    await delivered(0, 50);

    for (const [first, signal] of [[50, 'SIGTERM'], [60, 'SIGKILL']]) {
      if (signal === 'SIGKILL') await reader.allCommitted('forwards');
      await reader.restart(environment, signal);
      inboxes = await Promise.all(users.map((user) => reader.open(user)));
      await produce(first, 10);
      await delivered(first, 10);
      assert.equal(await reader.metric('tidings_kafka_records_total'), 10 * users.length, 'what was committed is not read again');
    }
    await reader.allCommitted('forwards');
    assert.equal((await cluster.endOffsets('forwards')).reduce((sum, end) => sum + end), 70 * users.length);
  });

  it('an event that comes again is not sent again, whichever way it came first', async () => {
    await reader.start(reader.env('twice'));
    const ann = await reader.open('ann');
    const data = (n) => ({ user_id: 'ann', n });
    const first = structured(data(1), { id: 'x', source: 'backend' });
    assert.deepEqual((await request(`${reader.server.tasks.http}/task-updates`, { method: 'POST', ...first })).json, { status: 'SUCCESS' });
    await cluster.produce('twice', [
      { partition: 0, value: first.body },
      { partition: 0, value: JSON.stringify(envelope(data(2), { id: 'y' })) },
    ]);
    await reader.accepted(2);
    await cluster.produce('twice', [
      { partition: 1, value: JSON.stringify(data(2)), headers: binary({ ce_id: 'y', ce_source: 'backend' }) },
      { partition: 1, value: JSON.stringify(envelope(data(3), { id: 'y', source: 'elsewhere' })) },
    ]);
    await reader.allCommitted('twice');
    assert.deepEqual(await numbers(ann), [1, 2, 3]);
    assert.deepEqual([await reader.events('accepted'), await reader.events('duplicate')], [3, 2]);
  });

  const RULES = { wrong: '[{ when = { type = "never" }, rooms = ["a"] }]', mended: '[{ rooms = ["user:{data.user_id}"], kind = "mended" }]' };

  it('dead letters of the store are delivered by a replay when the rule is mended', async () => {
    const environment = (rules) => reader.env('stored', { TIDINGS__ROUTING__RULES: RULES[rules] });
    await reader.start(environment('wrong'));
    await cluster.produce('stored', [
      { value: JSON.stringify(envelope({ user_id: 'ann', n: 1 })) },
      { value: '{"user_id":"ann","n":2}', headers: binary() },
      { value: '{"user_id":"ann","n":3}' },
    ]);
    await reader.allCommitted('stored');
    assert.deepEqual(reader.letters().map(({ number, reason, replaying }) => [number, reason, replaying]), [[3, 'no_route', false], [2, 'no_route', false], [1, 'no_route', false]]);

    assert.equal(reader.replay('--reason', 'no_route'), asked(3));
    await until(() => reader.letters().every(({ replaying }) => !replaying), WAIT_MS, 'all refused once more');
    assert.deepEqual(reader.letters().map(({ reason }) => reason), ['no_route', 'no_route', 'no_route']);
    assert.equal(await reader.events('dead_letter', 'no_route'), 6);

    await reader.restart(environment('mended'));
    const ann = await reader.open('ann');
    assert.equal(reader.replay('--source', 'kafka'), asked(3));
    await reader.allReplayed();
    assert.deepEqual((await ann.drain()).map(({ type, event: { n } }) => [type, n]), [['mended', 1], ['mended', 2], ['mended', 3]]);
    assert.equal(reader.replay('--all'), asked(0));
  });

  it('with a dead letter topic they are in it, with reason and origin, and `replay --topic` delivers them once', async () => {
    const environment = (rules) => reader.env('unruled', { TIDINGS__ROUTING__RULES: RULES[rules], TIDINGS__KAFKA__DEAD_LETTER_TOPIC: 'unruled-dead' });
    await reader.start(environment('wrong'));
    const sent = [
      { partition: 0, key: 'k', value: '{"user_id":"ann","n":1}', headers: binary({ own: 'kept' }) },
      { partition: 1, key: null, value: JSON.stringify(envelope({ user_id: 'ann', n: 2 })), headers: {} },
    ];
    await cluster.produce('unruled', sent);
    await reader.allCommitted('unruled');
    const letters = await cluster.consumeAll('unruled-dead');
    letters.sort((one, other) => byNumber(one.headers['dlq-partition'], other.headers['dlq-partition']));
    assert.deepEqual(letters.map(({ key, value, headers }) => [key, value.toString(), headers]), sent.map(({ partition, key, value, headers }) => [
      key, value, { ...headers, 'dlq-reason': 'no_route', 'dlq-topic': 'unruled', 'dlq-partition': String(partition), 'dlq-offset': '0' },
    ]));
    assert.deepEqual([reader.letters(), await reader.metric('tidings_kafka_dead_letters_total')], [[], 2]);

    await reader.restart(environment('mended'));
    const ann = await reader.open('ann');
    assert.equal(reader.replay('--topic'), asked(2));
    await reader.allReplayed();
    assert.deepEqual((await numbers(ann)).sort(byNumber), [1, 2]);
    assert.equal(reader.replay('--topic'), asked(0));
    assert.deepEqual(await numbers(ann), []);
  });

  it('health and metrics tell of it: in the group, then without its broker', async () => {
    const lost = await MockCluster.start({ health: 3 });
    try {
      await reader.start({ ...reader.env('health'), TIDINGS__KAFKA__BROKERS: lost.bootstrap });
      const kafka = async () => {
        const { status, json } = await request(`${reader.server.operators.http}/readyz?verbose`);
        assert.deepEqual([status, json.status], [200, 'ready']);
        return json.checks.find(({ name }) => name === 'kafka');
      };
      const degraded = async () => {
        const { status, json } = await request(`${reader.server.tasks.http}/health`);
        assert.deepEqual([status, json.status], [200, 'healthy']);
        return json.degraded;
      };
      await lost.produce('health', [0, 0, 2].map((partition) => ({ partition, value: '{"user_id":"ann"}' })));
      await reader.accepted(3);
      await reader.inGroup();
      assert.deepEqual([await kafka(), await degraded()], [{ name: 'kafka', status: 'ok', partitions: 3 }, undefined]);
      const series = async (...names) => Promise.all(names.map((name) => reader.metric(`tidings_kafka_${name}`)));
      assert.deepEqual(await series('records_total', 'errors_total', 'dead_letters_total', 'partitions', 'partitions_paused'), [3, 0, 0, 3, 0]);
      assert.ok(await reader.metric('tidings_kafka_rebalances_total') >= 1);
      await until(async () => (await reader.metric('tidings_kafka_lag_records{topic="health",partition="2"}').catch(() => -1)) === 0, WAIT_MS, 'a lag');

      await lost.stop();
      await until(async () => (await degraded())?.includes('kafka'), WAIT_MS, 'kafka among what is degraded');
      const { detail, ...rest } = await kafka();
      assert.deepEqual([rest.name, rest.status], ['kafka', 'degraded']);
      assert.match(detail, /\S/);
      assert.equal(await reader.metric('tidings_kafka_up'), 0);
      assert.ok(await reader.metric('tidings_kafka_errors_total') >= 1);
    } finally {
      await lost.stop().catch(() => {});
    }
  });

  it('without a broker among the settings, nothing tells of it', async () => {
    await reader.start();
    const { json } = await request(`${reader.server.operators.http}/readyz?verbose`);
    assert.ok(!json.checks.some(({ name }) => name === 'kafka'));
    await assert.rejects(reader.metric('tidings_kafka_up'), /no tidings_kafka_up among the metrics/);
    assert.throws(() => reader.replay('--topic'), /ended with 64[^]*kafka\.brokers is empty/);
  });

  it('settings that cannot work stop the server, with what is wrong', () => {
    const dataDir = mkdtempSync(path.join(os.tmpdir(), 'tidings-'));
    const listens = Object.fromEntries(['FLOW', 'TASKS', 'WORKFLOWS', 'OPERATORS'].map((name) => [`TIDINGS__${name}__LISTEN`, '127.0.0.1:0']));
    try {
      for (const [settings, message] of [
        [{ DEAD_LETTER_TOPIC: 'task-updates' }, /kafka: the dead letter topic `task-updates` is consumed itself/],
        [{ PROPERTIES: 'enable.auto.commit=false' }, /kafka: the property `enable\.auto\.commit` has a setting of its own, or must stay as it is/],
        [{ PROPERTIES: 'client.rack=a,no.such.property=1' }, /kafka: .*No such configuration property.*no\.such\.property/],
        [{ PROPERTIES: 'fetch.wait.max.ms' }, /TIDINGS__KAFKA__PROPERTIES.*`name=value`/],
        [{ TOPICS: '' }, /kafka: topics is empty/],
        [{ GROUP_ID: '' }, /TIDINGS__KAFKA__GROUP_ID.*expected text/],
        [{ TLS: 'true' }, /kafka: this build has no TLS and no SCRAM for Kafka: build it with the feature `kafka-tls`/],
        [{ SASL_MECHANISM: 'SCRAM-SHA-512', SASL_USERNAME: 'u', SASL_PASSWORD: 'p' }, /feature `kafka-tls`/],
        [{ SASL_MECHANISM: 'GSSAPI' }, /TIDINGS__KAFKA__SASL_MECHANISM.*`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`/],
        [{ START_AT: 'now' }, /TIDINGS__KAFKA__START_AT.*`earliest` or `latest`/],
        [{ SESSION_TIMEOUT_MS: '1' }, /TIDINGS__KAFKA__SESSION_TIMEOUT_MS.*1000/],
      ]) {
        const set = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`TIDINGS__KAFKA__${name}`, value]));
        const { status, stderr } = spawnSync(BINARY, ['--data-dir', dataDir], {
          env: { ...process.env, ...listens, TIDINGS__KAFKA__BROKERS: '127.0.0.1:9', ...set }, encoding: 'utf8', timeout: WAIT_MS,
        });
        assert.equal(status, 64, `${JSON.stringify(settings)}: ${stderr}`);
        assert.match(stderr, message);
      }
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
