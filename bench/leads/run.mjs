// What a tenant with a million leads waits for, on each database: `scripts/bench-leads [LEADS] [RUNS]`. The stock
// Socket.IO client sends one command after the other, and the time to each answer is taken; totals are checked.
import { createWriteStream, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { spawnSync } from 'node:child_process';
import { DATABASES } from '../../tests/lib/database.mjs';
import { FlowClient } from '../../tests/lib/flow.mjs';
import { BINARY } from '../../tests/lib/process.mjs';
import { Server } from '../../tests/lib/server.mjs';

const LEADS = Number(process.argv[2] ?? 1_000_000);
const RUNS = Number(process.argv[3] ?? 1_000);
const STATUSES = ['NEW', 'NEW', 'NEW', 'CONTACTED', 'CONTACTED', 'QUALIFIED', 'LOST', 'LOST', 'LOST', 'LOST'];
const DAYS = 700;

const file = path.join(os.tmpdir(), `leads-${process.pid}.jsonl`);
const start = Date.now() - DAYS * 86_400_000;

/** Every `every`-th lead has a word of its own kind, so that the hits of a query are known. */
const WORDS = [['one', LEADS], ['thousandth', 1_000], ['hundredth', 100]];

function lead(n) {
  const words = WORDS.filter(([, every]) => n % every === 0).map(([word]) => word).join(' ');
  return {
    source: ['voice', 'form', 'http', 'web-shop'][n % 4],
    status: STATUSES[n % STATUSES.length],
    createdAt: new Date(start + n * (DAYS * 86_400_000 / LEADS)).toISOString(),
    payload: {
      name: `${syllables(n)} ${syllables(n * 7 + 3)}`,
      email: `${syllables(n)}.${n}@${syllables(n % 5_000)}.example.com`,
      company: `${syllables(n % 5_000)} ${['Ltd', 'A/S', 'GmbH', 'Inc'][n % 4]}`,
      phone: `+45 ${10_000_000 + (n % 90_000_000)}`,
      notes: `${words} asked about ${syllables(n % 300)} and ${syllables(n % 700)}`,
    },
  };
}

function syllables(n) {
  const parts = ['ba', 'do', 'fi', 'ga', 'ku', 'le', 'mo', 'na', 'pi', 'ro', 'sa', 'tu', 've', 'wi', 'xo', 'ze'];
  let text = '';
  for (let rest = (n * 2_654_435_761) % 65_536, i = 0; i < 4; i += 1, rest = Math.floor(rest / 16)) text += parts[rest % 16];
  return text;
}

const out = createWriteStream(file);
for (let n = 0; n < LEADS; n += 1) {
  if (!out.write(`${JSON.stringify(lead(n))}\n`)) await once(out, 'drain');
}
out.end();
await once(out, 'close');

const count = (test) => { let found = 0; for (let n = 0; n < LEADS; n += 1) found += test(n); return found; };
const CASES = [
  ['get_leads', { limit: 10 }, LEADS],
  ['get_leads', { limit: 100, status: 'LOST' }, count((n) => STATUSES[n % 10] === 'LOST')],
  ['get_leads', { limit: 100, source: 'form' }, count((n) => n % 4 === 1)],
  ['search_leads', { query: 'one' }, 1],
  ['search_leads', { query: 'thousandth' }, Math.ceil(LEADS / 1_000)],
  ['search_leads', { query: 'hundredth' }, Math.min(10_000, Math.ceil(LEADS / 100))],
  ['search_leads', { query: 'hundredth asked', status: 'NEW' }, null],
  ['search_leads', { query: 'hundredth', date_range: 'year' }, null],
  ['search_leads', { query: 'h hundredth' }, Math.min(10_000, Math.ceil(LEADS / 100))],
  ['search_leads', { query: 'asked', date_range: 'today' }, null],
  ['get_metrics', { metric_type: 'leads', period: 'month' }, null],
  ['get_metrics', { metric_type: 'leads', period: 'all' }, LEADS],
  ['get_metrics', { metric_type: 'all', period: 'year' }, null],
];

console.log(`| database | command | total | p50 ms | p99 ms | max ms |\n| --- | --- | --- | --- | --- | --- |`);
try {
  for (const database of DATABASES) {
    const server = await Server.start({ env: { ...database.env(), TIDINGS__LOG__LEVEL: 'warn' } });
    try {
      const begin = performance.now();
      const done = spawnSync(BINARY, ['--data-dir', server.dataDir, 'lead', 'import', '--tenant', 'demo1', file], { env: { ...process.env, ...server.env }, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stderr);
      const seconds = (performance.now() - begin) / 1_000;
      console.log(`| ${database.name} | import, ${Math.round(LEADS / seconds)} leads/s | ${LEADS} | - | - | - |`);
      // Leads come in over years. What PostgreSQL does by itself within minutes of an import is not measured.
      const url = server.env.TIDINGS__STORE__URL;
      if (url) spawnSync('psql', [url, '--quiet', '--command', 'VACUUM ANALYZE lead', '--command', 'VACUUM ANALYZE lead_search'], { stdio: 'inherit' });
      const client = await FlowClient.open(server, { key: 'demo-tenant-key-1', transports: ['websocket'] });
      for (const [command, parameters, expected] of CASES) {
        const times = [];
        let total;
        for (let each = 0; each < RUNS; each += 1) {
          const from = performance.now();
          const { success, data, error } = await client.socket.timeout(60_000).emitWithAck('execute_voice_command', { command, parameters });
          times.push(performance.now() - from);
          if (!success) throw new Error(`${command}: ${error}`);
          total = data.total ?? data.metrics.total ?? data.metrics.leads?.total;
          client.events.length = 0;
        }
        if (expected !== null && total !== expected) throw new Error(`${command} ${JSON.stringify(parameters)}: total ${total}, not ${expected}`);
        times.sort((a, b) => a - b);
        const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(1);
        console.log(`| ${database.name} | \`${command}\` ${JSON.stringify(parameters)} | ${total} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`);
      }
      client.close();
    } finally {
      await server.stop();
    }
  }
} finally {
  rmSync(file, { force: true });
}
