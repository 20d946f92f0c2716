import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { Child, MOCK_KAFKA, ROOT } from './process.mjs';
import { until, within } from './wait.mjs';

const { Kafka, Partitioners, logLevel } = kafkajs;

const SCRIPT = path.join(ROOT, 'scripts/kafka');
/** The first start may have to fetch the broker. */
const FETCH_AND_START_MS = 300_000;
const RESTART_MS = 130_000;
const READY_MS = 30_000;
const READ_MS = 120_000;
/** A broker takes no batch over 1 MiB, and all records of a request may be for one partition. */
const REQUEST_BYTES_MAX = 512 * 1024;
const REQUEST_RECORDS_MAX = 2_000;

/** What a test does with a cluster of brokers, whatever kind they are. */
export class Cluster {
  #kafka;
  #admin;
  #producer;

  /**
   * `bootstrap` is `host:port`, several of them with commas. The producer is idempotent, so that its own retries put no
   * record twice, unless `isIdempotent` is false: librdkafka's mock cluster names no controller, which this one asks first.
   */
  static async connect(bootstrap, options) {
    return new Cluster(bootstrap, options).open();
  }

  constructor(bootstrap, { isIdempotent = true } = {}) {
    this.bootstrap = bootstrap;
    // While a broker restarts, the client tries again for about half a minute.
    const retry = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 40 };
    this.#kafka = new Kafka({ clientId: 'tests', brokers: bootstrap.split(','), retry, logLevel: logLevel.NOTHING });
    this.#admin = this.#kafka.admin();
    const createPartitioner = Partitioners.DefaultPartitioner;
    this.#producer = this.#kafka.producer({ createPartitioner, allowAutoTopicCreation: false, idempotent: isIdempotent });
  }

  async open() {
    await Promise.all([this.#admin.connect(), this.#producer.connect()]);
    return this;
  }

  async close() {
    await Promise.all([this.#admin.disconnect(), this.#producer.disconnect()]);
  }

  /** A topic that is not there yet. `settings` are its own configuration, such as `retention.ms`. */
  async createTopic(topic, partitions, settings = {}) {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value: String(value) }));
    // The client's own wait for the leaders fails when the broker does not know the topic yet.
    const isNew = await this.#admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] });
    assert.ok(isNew, `the topic ${topic} is new`);
    await this.#offsets(topic);
  }

  /**
   * Records in their order: `{value, key, headers, partition}`, all but `value` optional; without a partition the key
   * decides, as with the Java client. All are acknowledged when it resolves.
   */
  async produce(topic, records) {
    for (const messages of requests(records)) await this.#producer.send({ topic, messages, acks: -1 });
  }

  /**
   * All records up to the end that the topic has now: `{partition, offset, key, value, headers, timestamp}`, by partition
   * and offset. A key and headers are text, a value is bytes, or null. With a `group`, in its name: from where it has
   * committed, and what is read is committed.
   */
  async consumeAll(topic, { group } = {}) {
    const offsets = await this.#offsets(topic);
    const committed = group ? await this.committed(group, topic) : [];
    const ends = offsets.filter(({ partition, low, high }) => Math.max(Number(low), committed[partition] ?? 0) < Number(high))
      .map(({ partition, high }) => [partition, Number(high)]);
    if (ends.length === 0) return [];
    // The client reads in the name of a group only.
    const groupId = group ?? `reader-${randomUUID()}`;
    return ready(() => this.#read(topic, groupId, ends, offsets.length));
  }

  #offsets(topic) {
    return ready(() => this.#admin.fetchTopicOffsets(topic));
  }

  async #read(topic, groupId, ends, partitions) {
    const open = new Map(ends); // the end by partition, of those that are not read to it
    const read = Array.from({ length: partitions }, () => []);
    const consumer = this.#kafka.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 100 });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      const whole = new Promise((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
        const eachBatch = async ({ batch }) => {
          const { partition, messages } = batch;
          const end = open.get(partition);
          if (end === undefined) return;
          read[partition].push(...messages.filter(({ offset }) => Number(offset) < end).map((message) => asRecord(partition, message)));
          if (Number(batch.lastOffset()) + 1 >= end) open.delete(partition);
          if (open.size === 0) resolve();
        };
        consumer.run({ autoCommit: false, eachBatch }).catch(reject);
      });
      await within(whole, READ_MS, () => `${topic} read to its end; open are the partitions ${[...open.keys()]}`);
      await consumer.commitOffsets(ends.map(([partition, end]) => ({ topic, partition, offset: String(end) })));
      return read.flat();
    } finally {
      await consumer.disconnect();
    }
  }

  /** The offset that the group has committed in each partition; null where it has committed none. */
  async committed(group, topic) {
    const [{ partitions }] = await ready(() => this.#admin.fetchOffsets({ groupId: group, topics: [topic] }));
    return byPartition(partitions, ({ offset }) => (Number(offset) < 0 ? null : Number(offset)));
  }

  /** The offset that the next record of each partition will have. */
  async endOffsets(topic) {
    return byPartition(await this.#offsets(topic), ({ high }) => Number(high));
  }

  /** The offset of the first record that is still there, in each partition. */
  async startOffsets(topic) {
    return byPartition(await this.#offsets(topic), ({ low }) => Number(low));
  }

  /** How many records the group has not committed yet, of those that are there. */
  async lag(group, topic) {
    const [ends, starts, committed] = await Promise.all([this.endOffsets(topic), this.startOffsets(topic), this.committed(group, topic)]);
    return ends.reduce((sum, end, partition) => sum + end - Math.max(committed[partition] ?? 0, starts[partition]), 0);
  }

  /** Removes the records before these offsets, one of each partition. */
  async deleteRecords(topic, offsets) {
    // The client knows no leaders of a topic that it was not asked for before.
    await this.#offsets(topic);
    const partitions = offsets.map((offset, partition) => ({ partition, offset: String(offset) }));
    await this.#admin.deleteTopicRecords({ topic, partitions });
  }
}

/** The Apache Kafka that `scripts/kafka` runs: one node, at the same address as long as it is not stopped. */
export class Broker extends Cluster {
  /** A new one, without topics; what a run that was cut short has left is removed. */
  static async start() {
    await script('stop', RESTART_MS);
    return new Broker(await script('start', FETCH_AND_START_MS)).open();
  }

  /** Its addresses with security, and what is needed there: as `scripts/kafka security` says. */
  async security() {
    return JSON.parse(await script('security', RESTART_MS));
  }

  /** Ends it in order, unless it was killed, and starts it again with its data. Resolves when it answers. */
  async restart() {
    assert.equal(await script('restart', RESTART_MS), this.bootstrap);
  }

  /** Ends it with SIGKILL; `restart` brings it back. */
  async kill() {
    await script('kill', RESTART_MS);
  }

  /** Ends it and removes its data. */
  async stop() {
    await this.close().finally(() => script('stop', RESTART_MS));
  }
}

/** librdkafka's mock cluster in a process of its own: one broker, the topics that it is started with, nothing on disk. */
export class MockCluster extends Cluster {
  #child;

  /** With these topics, `name: partitions`. */
  static async start(topics) {
    if (!existsSync(MOCK_KAFKA)) throw new Error(`no ${MOCK_KAFKA}: run \`cargo build --release -p tidings-mock-kafka\` or set TIDINGS_MOCK_KAFKA`);
    const child = new Child(MOCK_KAFKA, Object.entries(topics).map((pair) => pair.join(':')), { stdin: 'pipe' });
    const address = () => {
      if (child.outcome) throw new Error(`the mock cluster ended: ${child.outcome.error ?? child.log}`);
      return /^(\S+)\n/.exec(child.log)?.[1];
    };
    const cluster = new MockCluster(await until(address, READY_MS, 'the address of the mock cluster'), { isIdempotent: false });
    cluster.#child = child;
    return cluster.open();
  }

  async stop() {
    await this.close().finally(() => this.#child.process.stdin.end());
    await within(this.#child.exited, READY_MS, 'the end of the mock cluster');
  }
}

/** Asks until the cluster is ready: after a start, leaders are elected and what groups have committed is read. */
function ready(ask) {
  let failure;
  return until(() => ask().catch((error) => {
    // The client calls a coordinator that is not elected yet a final answer.
    if (!error.retriable && error.name !== 'KafkaJSGroupCoordinatorNotFound') throw error;
    failure = error;
  }), READY_MS, () => `an answer other than ${failure}`);
}

async function script(command, limit_ms) {
  const child = new Child(SCRIPT, [command]);
  try {
    const { code, signal, error } = await within(child.exited, limit_ms, () => `scripts/kafka ${command}\n${child.log}`);
    if (code !== 0) throw new Error(`scripts/kafka ${command} ended with ${error ?? code ?? signal}\n${child.log}`);
  } finally {
    if (!child.outcome) await child.stop();
  }
  return child.log.trim().split('\n').at(-1);
}

/** Cuts the records into requests of bounded size. */
function* requests(records) {
  let request = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(record.value ?? '');
    if (request.length === REQUEST_RECORDS_MAX || (request.length > 0 && bytes + size > REQUEST_BYTES_MAX)) {
      yield request;
      request = [];
      bytes = 0;
    }
    request.push(record);
    bytes += size;
  }
  if (request.length > 0) yield request;
}

function asRecord(partition, { offset, key, value, headers, timestamp }) {
  return {
    partition,
    offset: Number(offset),
    key: key?.toString() ?? null,
    value,
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, text?.toString() ?? null])),
    timestamp: Number(timestamp),
  };
}

function byPartition(partitions, valueOf) {
  const values = [];
  for (const row of partitions) values[row.partition] = valueOf(row);
  return values;
}
