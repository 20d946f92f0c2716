// Backups of tenants: by command under writes, put back elsewhere byte for byte, refused when they are damaged, in a
// directory and in a bucket, on both databases.
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DATABASES } from '../lib/database.mjs';
import { FlowClient } from '../lib/flow.mjs';
import { request } from '../lib/http.mjs';
import { Bucket } from '../lib/s3.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const KEY = DEMO_KEYS.demo1;
const WAIT_MS = 30_000;

const open = (server, key = KEY) => FlowClient.open(server, { key, transports: ['websocket'] });
const folder = (server, tenant = 'demo1') => path.join(server.dataDir, 'backups', tenant);
const exported = (server, tenant = 'demo1') => server.command('lead', 'export', '--tenant', tenant);

/** Starts a backup and waits for its end. */
async function backUp(client, parameters = {}) {
  const { response } = await client.command('start_backup', parameters);
  assert.equal(response.success, true, JSON.stringify(response));
  const { id } = response.data.backup;
  return until(() => {
    const ends = client.events.filter(({ name, data }) => name === 'integration_event' && data.type !== 'SYNC_STARTED');
    return ends.map(({ data }) => data).find(({ data }) => data.result?.id === id || data.error) ?? null;
  }, WAIT_MS, `the end of backup ${id}`);
}

/** What a command says that fails with this exit code. */
function refusal(server, code, ...args) {
  try {
    server.command(...args);
  } catch (error) {
    assert.match(error.message, new RegExp(`\\b${code}\\b`), error.message);
    return error.message;
  }
  return assert.fail(`${args.join(' ')} was not refused`);
}

const create = (server, n, key = KEY) => request(`${server.flow.http}/leads`, { method: 'POST', key, body: { name: `Lead ${n}`, email: `lead-${n}@example.com`, notes: 'a\nb "c"' } });

for (const database of DATABASES) {
  describe(`backups on ${database.name}`, () => {
    let server;
    let client;
    before(async () => {
      server = await Server.start({ env: { ...database.env(), TIDINGS__LIMITS__COMMANDS_PER_TENANT_PER_SECOND: '10000', TIDINGS__LIMITS__COMMANDS_PER_TENANT_BURST: '10000' } });
      client = await open(server);
    });
    after(async () => {
      client?.close();
      await server?.stop();
    });

    it('one taken under writes restores exactly its moment, elsewhere', { timeout: 120_000 }, async () => {
      const before = [];
      for (let n = 0; n < 200; n += 1) before.push((await create(server, n)).json);
      let isOver = false;
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let n = 0; !isOver; n += 1) {
          const { json: lead } = await create(server, `${writer}-${n}`);
          await request(`${server.flow.http}/leads/${lead.id}`, { method: 'PATCH', key: KEY, body: { payload: { round: n } } });
          if (n % 3 === 0) await request(`${server.flow.http}/leads/${lead.id}`, { method: 'DELETE', key: KEY });
        }
      });
      const underLoad = await backUp(client, { priority: 'high' });
      assert.equal(underLoad.type, 'SYNC_COMPLETED');
      const second = await backUp(client, { backup_type: 'incremental' });
      isOver = true;
      await Promise.all(writers);
      const last = await backUp(client, { backup_type: 'incremental' });
      assert.equal(last.data.result.base, second.data.result.id);
      assert.equal(second.data.result.base, underLoad.data.result.id);

      const elsewhere = await Server.start({ env: database.env() });
      try {
        cpSync(folder(server), folder(elsewhere), { recursive: true });
        // The demo tenant is there, and has no leads; its log is its own.
        elsewhere.command('backup', 'restore', '--tenant', 'demo1', underLoad.data.result.id);
        const leads = exported(elsewhere).split('\n').map((line) => JSON.parse(line));
        assert.equal(leads.length, underLoad.data.result.leads);
        const ids = new Set(leads.map(({ id }) => id));
        for (const { id } of before) assert.ok(ids.has(id), 'what was acknowledged before is in it');

        assert.match(refusal(elsewhere, 64, 'backup', 'restore', '--tenant', 'demo1'), /say --replace/);
        elsewhere.command('backup', 'restore', '--tenant', 'demo1', '--replace');
        assert.equal(exported(elsewhere), exported(server), 'byte for byte');
        const metrics = async (place) => {
          const asked = await open(place);
          const { response } = await asked.command('get_metrics', { period: 'all' });
          const { response: found } = await asked.command('search_leads', { query: 'lead 199' });
          asked.close();
          return [response.data.metrics, found.data.total];
        };
        assert.deepEqual(await metrics(elsewhere), await metrics(server), 'counted and found alike');
        for (const place of [server, elsewhere]) {
          assert.match(place.command('audit', 'verify', '--tenant', 'demo1'), /none changed or removed/);
        }
      } finally {
        await elsewhere.stop();
      }
    });

    it('a tenant that there is not comes back whole, keys and log too', async () => {
      const key = server.key('gone', 'admin');
      await create(server, 1, key);
      const tenantClient = await open(server, key);
      await tenantClient.command('get_leads');
      const expected = exported(server, 'gone');
      server.command('backup', 'create', '--tenant', 'gone');
      const end = await until(() => tenantClient.events.find(({ data }) => data.type === 'SYNC_COMPLETED'), WAIT_MS, 'word of the backup');
      assert.equal(end.data.source, 'system');
      server.command('tenant', 'delete', 'gone', '--yes');
      assert.equal((await request(`${server.flow.http}/leads`, { key })).status, 401);
      server.command('backup', 'restore', '--tenant', 'gone');
      assert.equal(exported(server, 'gone'), expected);
      assert.equal((await request(`${server.flow.http}/leads`, { key })).status, 200);
      assert.match(server.command('audit', 'verify', '--tenant', 'gone'), /none changed or removed/);
      assert.match(server.command('audit', 'list', '--tenant', 'gone'), /"action":"backup restore"/);
      tenantClient.close();
    });

    it('a restore tells of no lead', async () => {
      const key = server.key('live', 'admin');
      const { json: lead } = await create(server, 1, key);
      server.command('backup', 'create', '--tenant', 'live');
      await request(`${server.flow.http}/leads/${lead.id}`, { method: 'DELETE', key });
      const live = await open(server, key);
      server.command('backup', 'restore', '--tenant', 'live', '--replace');
      assert.equal((await request(`${server.flow.http}/leads/${lead.id}`, { key })).json.id, lead.id);
      // The first that anybody hears of a lead, also whoever the restore has cut off and comes back.
      const after = await open(server, key);
      await create(server, 2, key);
      assert.equal((await after.next('lead_event')).data.payload.name, 'Lead 2');
      const heard = live.events.filter(({ name }) => name === 'lead_event').map(({ data }) => data.data.payload.name);
      assert.deepEqual(heard.filter((name) => name !== 'Lead 2'), []);
      live.close();
      after.close();
    });

    it('what is damaged or foreign is refused, and nothing changes', async () => {
      const place = folder(server);
      const expected = exported(server);
      const [id] = server.command('backup', 'list', '--tenant', 'demo1').split(' ');
      const data = path.join(place, id, 'data.json-seq.gz');
      const whole = readFileSync(data);
      const refused = (pattern, ...more) => {
        for (const verb of ['verify', 'restore']) {
          const replace = verb === 'restore' ? ['--replace'] : [];
          assert.match(refusal(server, 64, 'backup', verb, '--tenant', 'demo1', ...replace, ...more), pattern);
        }
        assert.equal(exported(server), expected);
      };
      truncateSync(data, whole.length - 1);
      refused(/is damaged: its data is cut off/, id);
      const flipped = Buffer.from(whole);
      flipped[Math.floor(whole.length / 2)] ^= 4;
      writeFileSync(data, flipped);
      refused(/is damaged: its data does not hash to what its manifest says/, id);
      writeFileSync(data, whole);

      const [foreign] = server.command('backup', 'list', '--tenant', 'gone').split(' ');
      cpSync(path.join(folder(server, 'gone'), foreign), path.join(place, foreign), { recursive: true });
      refused(/is damaged: it is of tenant gone/, foreign);
      copyFileSync(path.join(place, id, 'manifest.json'), path.join(place, foreign, 'manifest.json'));
      refused(/is damaged: its manifest is that of/, foreign);
      assert.match(refusal(server, 64, 'backup', 'restore', '--tenant', 'demo1', 'job_0192f0c1-7a7b-7c7d-8e8f-909192939495'), /there is no backup job_0192f0c1/);
      assert.match(server.command('backup', 'verify', '--tenant', 'demo1', id), /is whole/);
      server.command('backup', 'delete', '--tenant', 'demo1', foreign);
    });
  });
}

it('a server that is killed in the middle of a backup leaves none, and makes it when it is back', { timeout: 180_000 }, async () => {
  const killed = [];
  try {
    for (const database of DATABASES) killed.push(await killedInABackup(database.env()));
    // It is held for a minute by the server that died; both wait at once.
    await Promise.all(killed.map(async (one) => {
      one.server = await Server.start({ env: one.env, dataDir: one.server.dataDir });
      await until(() => existsSync(path.join(one.place, 'manifest.json')), 90_000, 'the backup, made again');
    }));
    for (const { server, id } of killed) {
      assert.match(server.command('backup', 'verify', '--tenant', 'demo1'), new RegExp(`backup ${id} is whole: 600\\d\\d rows`));
    }
  } finally {
    for (const { server } of killed) await server.stop();
  }
});

/** A server that had begun to write a backup. */
async function killedInABackup(env) {
  const server = await Server.start({ env });
  const rows = Array.from({ length: 30_000 }, (_, n) => JSON.stringify({ name: `Row ${n}`, email: `row-${n}@example.com`, notes: 'x'.repeat(n % 100) }));
  const file = path.join(server.dataDir, 'leads.jsonl');
  writeFileSync(file, rows.join('\n'));
  server.command('lead', 'import', '--tenant', 'demo1', file);
  const client = await open(server);
  const { response } = await client.command('start_backup');
  const { id } = response.data.backup;
  const place = path.join(folder(server), id);
  // The file that is being written has another name until it is whole.
  await until(() => existsSync(place) && readdirSync(place).some((name) => name.includes('#')), WAIT_MS, 'rows of a backup under way');
  await server.kill();
  client.close();
  assert.ok(!existsSync(path.join(place, 'manifest.json')), 'it was killed in the middle');
  assert.equal(server.command('backup', 'list', '--tenant', 'demo1'), '');
  assert.match(refusal(server, 64, 'backup', 'restore', '--tenant', 'demo1'), /there is no backup of tenant demo1/);
  return { env, server, place, id };
}

describe('backups in a bucket', () => {
  let bucket;
  let server;
  before(async () => {
    bucket = await Bucket.start();
    server = await Server.start({ env: bucket.env });
  });
  after(async () => {
    await server?.stop();
    await bucket?.stop();
  });

  it('go there, are checked, and come back', { timeout: 120_000 }, async () => {
    const client = await open(server);
    for (let n = 0; n < 20; n += 1) await create(server, n);
    const full = await backUp(client);
    await create(server, 20);
    const incremental = await backUp(client, { backup_type: 'incremental' });
    assert.equal(incremental.data.result.base, full.data.result.id);
    const names = await bucket.names();
    const prefix = `tidings/demo1/${full.data.result.id}`;
    for (const name of ['manifest.json', 'data.json-seq.gz']) assert.ok(names.includes(`${prefix}/${name}`), names.join());
    assert.equal(names.length, 4);
    assert.match(server.command('backup', 'verify', '--tenant', 'demo1'), /is whole: \d+ rows in 2 backups/);
    const expected = exported(server);
    await create(server, 21);
    server.command('backup', 'restore', '--tenant', 'demo1', '--replace');
    assert.equal(exported(server), expected);
    // Cut off in the bucket.
    await bucket.put(`${prefix}/data.json-seq.gz`, 'half');
    assert.match(refusal(server, 64, 'backup', 'restore', '--tenant', 'demo1', '--replace'), /is damaged: its data is cut off/);
    assert.equal(exported(server), expected);
    client.close();
  });

  it('a bucket that is not there is told', { timeout: 120_000 }, async () => {
    const other = await Server.start({ env: { ...bucket.env, TIDINGS__BACKUP__DIR: 's3://nobody-has-this' } });
    try {
      const client = await open(other);
      const end = await backUp(client);
      assert.equal(end.type, 'EXTERNAL_SERVICE_ERROR');
      assert.deepEqual(end.data, { operation: 'backup', service: 'backup_target', error: 'the backup target failed', retryable: true });
      assert.doesNotMatch(other.log, /test-secret/);
      client.close();
      assert.match(refusal(other, 69, 'backup', 'create', '--tenant', 'demo1'), /no backup was made: backup_target/);
    } finally {
      await other.stop();
    }
  });
});
