// Kafka to the hub, and Kafka to a socket: `scripts/bench-kafka [RECORDS] [RUNS]`. The broker has one core, and whoever reads has
// the other: the bare consumer and Tidings in turn, each from the beginning of the same topic in a group of its own. A reader that
// does not use its core up waits for the broker.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Broker } from '../../tests/lib/kafka.mjs';
import { metric } from '../../tests/lib/metrics.mjs';
import { ROOT } from '../../tests/lib/process.mjs';
import { Server } from '../../tests/lib/server.mjs';

const { WebSocket } = createRequire(path.join(ROOT, 'tests/package.json'))('ws');

const RECORDS = Number(process.argv[2] ?? 2_000_000);
const RUNS = Number(process.argv[3] ?? 3);
const RECORD_BYTES = 512;
const PARTITIONS = 12;
const RATE = 5_000;
const LATENCY_SECONDS = 20;
// The group is joined, the first fetches are made and the broker's code is compiled.
const WARM_UP_SECONDS = 10;
const TICKS_PER_SECOND = 100;
const BENCH = path.join(ROOT, 'target/release/examples/kafka_bench');

const pin = (pid, core) => execFileSync('taskset', ['-acp', String(core), String(pid)]);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const at = (values, share) => values[Math.min(values.length - 1, Math.floor(values.length * share))];
const round = (value, digits = 0) => value.toFixed(digits);

function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function bare(broker) {
  const run = spawnSync('taskset', ['-c', '0', BENCH, 'consume', broker.bootstrap, 'full', String(RECORDS)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

const environment = (broker, topic, group) => ({
  TIDINGS__KAFKA__BROKERS: broker.bootstrap, TIDINGS__KAFKA__TOPICS: topic, TIDINGS__KAFKA__GROUP_ID: group, TIDINGS__LOG__LEVEL: 'warn',
});

async function tidings(broker, run) {
  const server = await Server.start({ env: environment(broker, 'full', `run-${run}`) });
  try {
    pin(server.pid, 0);
    const read = () => metric(server, 'tidings_source_events_total{outcome="accepted",reason=""}');
    const first = { records: 0 };
    for (;;) {
      const records = await read();
      const now = { records, time: performance.now(), processor: processorSeconds(server.pid) };
      // From the first reading that is not 0: before it, the group is joined.
      if (records > 0 && first.records === 0) Object.assign(first, now);
      if (records === RECORDS) {
        return { records: records - first.records, seconds: (now.time - first.time) / 1_000, processorSeconds: now.processor - first.processor };
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await server.stop();
  }
}

/** Milliseconds from the time an event was due to the socket, at a steady rate. */
async function latencies(broker) {
  await broker.createTopic('paced', PARTITIONS);
  const server = await Server.start({ env: environment(broker, 'paced', 'paced') });
  try {
    const socket = new WebSocket(`${server.tasks.http.replace('http', 'ws')}/ws?user_id=u`);
    const taken = [];
    await new Promise((resolve, reject) => { socket.once('message', resolve); socket.once('error', reject); });
    const expected = RATE * (WARM_UP_SECONDS + LATENCY_SECONDS);
    const came = new Promise((resolve) => {
      socket.on('message', (text) => {
        taken.push(performance.timeOrigin + performance.now() - JSON.parse(text).event.at);
        if (taken.length === expected) resolve();
      });
    });
    execFile(BENCH, ['pace', broker.bootstrap, 'paced', String(RATE), String(WARM_UP_SECONDS + LATENCY_SECONDS)]);
    await Promise.race([came, new Promise((resolve) => setTimeout(resolve, (WARM_UP_SECONDS + LATENCY_SECONDS + 10) * 1_000))]);
    if (taken.length !== expected) throw new Error(`${taken.length} of ${expected} events came`);
    socket.close();
    return taken.slice(RATE * WARM_UP_SECONDS).toSorted((a, b) => a - b);
  } finally {
    await server.stop();
  }
}

// A broker of its own, beside the tests'.
process.env.TIDINGS_SERVICES = path.join(ROOT, 'target/bench-kafka');
const broker = await Broker.start();
try {
  await broker.createTopic('full', PARTITIONS);
  execFileSync(BENCH, ['produce', broker.bootstrap, 'full', String(RECORDS), String(RECORD_BYTES)]);
  const folder = readFileSync(path.join(process.env.TIDINGS_SERVICES, 'kafka.folder'), 'utf8').trim();
  const brokerProcess = readFileSync(path.join(folder, 'pid'), 'utf8').trim();
  pin(brokerProcess, 1);
  const runs = { bare: [], tidings: [] };
  for (let run = 0; run < RUNS; run += 1) {
    runs.bare.push(bare(broker));
    runs.tidings.push(await tidings(broker, run));
  }
  console.log(`${RECORDS} records of ${RECORD_BYTES} bytes, ${PARTITIONS} partitions, ${RUNS} interleaved runs\n`);
  console.log('| reader | records/s, median | to bare | us of processor per record | bare to it | of its core |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  const rate = ({ records, seconds }) => records / seconds;
  const cost = ({ records, processorSeconds }) => processorSeconds * 1e6 / records;
  const use = ({ seconds, processorSeconds }) => processorSeconds / seconds;
  for (const [name, figures] of Object.entries(runs)) {
    // Of the two runs beside each other: the machine is not the same from one minute to the next.
    const ratio = (of) => round(median(figures.map((figure, run) => of(figure, runs.bare[run]))), 2);
    const cells = [
      round(median(figures.map(rate))), ratio((figure, bare) => rate(figure) / rate(bare)),
      round(median(figures.map(cost)), 2), ratio((figure, bare) => cost(bare) / cost(figure)),
      `${round(100 * median(figures.map(use)))} %`,
    ];
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
  pin(brokerProcess, '0,1');
  const taken = await latencies(broker);
  console.log(`\n${RATE} events/s to one socket for ${LATENCY_SECONDS} s: p50 ${round(at(taken, 0.5), 1)} ms, p99 ${round(at(taken, 0.99), 1)} ms, max ${round(at(taken, 1), 1)} ms`);
} finally {
  await broker.stop();
}
