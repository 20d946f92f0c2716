// The broker of these tests and what they read from it: before it is asked anything about Tidings.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:net';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { Broker } from '../lib/kafka.mjs';
import { ROOT } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const PARTITIONS = 12;
const RECORDS = 10_000;
const KEYS = 500;

const records = Array.from({ length: RECORDS }, (_, n) => ({
  key: `user-${n % KEYS}`,
  value: JSON.stringify({ n }),
  headers: { 'ce-id': `event-${n}`, empty: '' },
}));

describe('the broker', { timeout: 600_000 }, () => {
  let broker;
  before(async () => { broker = await Broker.start(); });
  after(() => broker?.stop());

  /** Every record once, with what it was given, and those of one key in their order in one partition. */
  async function verify(topic) {
    const found = await broker.consumeAll(topic);
    assert.equal(found.length, RECORDS);
    const places = new Map(); // partition and last number by key
    const numbers = new Set();
    for (const { partition, key, value, headers } of found) {
      const { n } = JSON.parse(value);
      numbers.add(n);
      assert.equal(key, records[n].key);
      assert.deepEqual(headers, records[n].headers);
      const place = places.get(key) ?? { partition, n: -1 };
      assert.equal(partition, place.partition, `${key} is in one partition`);
      assert.ok(n > place.n, `${key} is in order`);
      places.set(key, { partition, n });
    }
    assert.equal(numbers.size, RECORDS);
    assert.deepEqual([...new Set(found.map(({ partition }) => partition))], Array.from({ length: PARTITIONS }, (_, partition) => partition));
  }

  it('keeps 10,000 records over 12 partitions, over a restart and over its death', async (t) => {
    await broker.createTopic('kept', PARTITIONS);
    const began = performance.now();
    await broker.produce('kept', records);
    t.diagnostic(`${RECORDS} records produced in ${Math.round(performance.now() - began)} ms`);
    await verify('kept');
    const ends = await broker.endOffsets('kept');
    assert.equal(ends.reduce((sum, end) => sum + end), RECORDS);

    const [host, port] = broker.bootstrap.split(':');
    await broker.restart();
    await verify('kept');
    await broker.kill();
    await assert.rejects(once(connect(port, host), 'connect'), { code: 'ECONNREFUSED' });
    await broker.restart();
    await verify('kept');
    assert.deepEqual(await broker.endOffsets('kept'), ends);
  });

  it('a producer that is cut off puts every record once', async (t) => {
    await broker.createTopic('cut-off', PARTITIONS);
    let isDone = false;
    const many = Array.from({ length: 10 * RECORDS }, (_, n) => ({ key: `user-${n % KEYS}`, value: String(n) }));
    const began = performance.now();
    const produced = broker.produce('cut-off', many).then(() => { isDone = true; });
    await until(async () => (await broker.endOffsets('cut-off')).some((end) => end > 0), 30_000, 'the first record');
    await broker.kill();
    assert.ok(!isDone, 'it was killed in the middle');
    await broker.restart();
    await produced;
    t.diagnostic(`${many.length} records produced in ${Math.round(performance.now() - began)} ms with a restart`);
    const numbers = (await broker.consumeAll('cut-off')).map(({ value }) => Number(value));
    assert.deepEqual(numbers.sort((one, other) => one - other), [...many.keys()]);
  });

  it('makes no topic twice', async () => {
    await broker.createTopic('once', 1);
    await assert.rejects(broker.createTopic('once', 1), /once is new/);
  });

  it('tells what a group has committed', async () => {
    await broker.createTopic('read', 2);
    await broker.produce('read', [0, 0, 0, 1].map((partition) => ({ partition, value: 'x' })));
    assert.deepEqual(await broker.committed('nobody', 'read'), [null, null]);
    assert.equal(await broker.lag('nobody', 'read'), 4);
    assert.equal((await broker.consumeAll('read', { group: 'somebody' })).length, 4);
    assert.deepEqual(await broker.committed('somebody', 'read'), [3, 1]);
    assert.equal(await broker.lag('somebody', 'read'), 0);
    await broker.produce('read', [{ partition: 1, value: 'y' }]);
    await broker.restart();
    assert.deepEqual(await broker.committed('somebody', 'read'), [3, 1]);
    assert.equal(await broker.lag('somebody', 'read'), 1);
    const read = await broker.consumeAll('read', { group: 'somebody' });
    assert.deepEqual(read.map(({ partition, offset, value }) => [partition, offset, String(value)]), [[1, 1, 'y']]);
  });

  it('removes records from the start of a partition', async () => {
    await broker.createTopic('trimmed', 2);
    await broker.produce('trimmed', [0, 0, 0, 1].map((partition, n) => ({ partition, value: String(n) })));
    await broker.deleteRecords('trimmed', [2, 0]);
    assert.deepEqual(await broker.startOffsets('trimmed'), [2, 0]);
    assert.deepEqual(await broker.endOffsets('trimmed'), [3, 1]);
    assert.deepEqual((await broker.consumeAll('trimmed')).map(({ partition, offset, value }) => [partition, offset, String(value)]), [[0, 2, '2'], [1, 0, '3']]);
    assert.equal(await broker.lag('nobody', 'trimmed'), 2);
  });

  it('keeps bytes, empty values and tombstones as they are', async () => {
    await broker.createTopic('bytes', 1);
    const values = [Buffer.from([0, 0xff, 0xfe]), Buffer.alloc(0), null];
    await broker.produce('bytes', values.map((value) => ({ value })));
    assert.deepEqual((await broker.consumeAll('bytes')).map(({ key, value }) => [key, value]), values.map((value) => [null, value]));
  });

  it('gives what it has compressed', async () => {
    await broker.createTopic('compressed', 1, { 'compression.type': 'gzip' });
    const values = Array.from({ length: 2_000 }, (_, n) => JSON.stringify({ n, text: 'again and '.repeat(n % 50) }));
    await broker.produce('compressed', values.map((value) => ({ value })));
    assert.deepEqual((await broker.consumeAll('compressed')).map(({ value }) => String(value)), values);
  });

  it('leaves nothing behind', async () => {
    await broker.stop();
    broker = undefined;
    const services = path.resolve(ROOT, process.env.TIDINGS_SERVICES ?? 'target/services');
    for (const name of ['kafka.folder', 'kafka.bootstrap']) assert.ok(!existsSync(path.join(services, name)), name);
  });
});
