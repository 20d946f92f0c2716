// Leads from files and into files, on both databases, beside the running server.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DATABASES } from '../lib/database.mjs';
import { FlowClient } from '../lib/flow.mjs';
import { request } from '../lib/http.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';

/** What a file keeps. Leads of the same moment stand in no order. */
const kept = (leads) => leads.map((lead) => ({ ...lead, id: null, tenantId: null, updatedAt: null })).sort((a, b) => a.payload.email.localeCompare(b.payload.email));

for (const database of DATABASES) {
  describe(`leads in files on ${database.name}`, () => {
    let server;
    before(async () => { server = await Server.start({ env: database.env() }); });
    after(() => server?.stop());

    const file = (name, text) => {
      const place = path.join(server.dataDir, name);
      writeFileSync(place, text);
      return place;
    };
    const total = async (key) => (await request(`${server.flow.http}/leads?limit=1`, { key })).json.meta.total;

    it('JSON Lines: good rows are kept, bad ones refused, and the room hears of it', async () => {
      const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1, transports: ['websocket'] });
      const rows = Array.from({ length: 1_203 }, (_, n) => JSON.stringify({ name: `Row ${n}`, email: `row-${n}@example.com` }));
      rows.splice(2, 0, 'nonsense', '{"name":"Nobody"}');
      const told = server.command('lead', 'import', '--tenant', 'demo1', file('leads.jsonl', rows.join('\n')));
      assert.equal(told, '1203 leads imported, 2 rows refused');
      assert.equal(await total(DEMO_KEYS.demo1), 1_203);
      const [first, second] = [await client.next('integration_event'), await client.next('integration_event')];
      assert.deepEqual([first.type, first.data], ['SYNC_STARTED', { operation: 'import', result: null }]);
      assert.deepEqual([second.type, second.source, second.data.operation], ['SYNC_COMPLETED', 'import', 'import']);
      assert.deepEqual(second.data.result, { created: 1_203, updated: 0, failed: 2 });
      assert.equal(client.events.filter(({ name }) => name === 'lead_event').length, 0);
      const { response } = await client.command('search_leads', { query: 'row 77' });
      assert.equal(response.data.total, 11, 'row 77 and rows 770 to 779');
      client.close();
    });

    it('--events tells of every lead', async () => {
      const client = await FlowClient.open(server, { key: DEMO_KEYS.demo2, transports: ['websocket'] });
      const rows = 'name,email,city,status\nAnn,ann@example.com,Aarhus,QUALIFIED\n"Doe, John",john@example.com,"Ribe\nDK",\nbad,nobody,,\n';
      server.command('lead', 'import', '--tenant', 'demo2', '--events', file('leads.csv', rows));
      const created = [await client.next('lead_event'), await client.next('lead_event')];
      assert.deepEqual(created.map(({ type, source, data }) => [type, source, data.status, data.payload]), [
        ['LEAD_CREATED', 'import', 'QUALIFIED', { name: 'Ann', email: 'ann@example.com', city: 'Aarhus' }],
        ['LEAD_CREATED', 'import', 'NEW', { name: 'Doe, John', email: 'john@example.com', city: 'Ribe\nDK' }],
      ]);
      client.close();
    });

    for (const format of ['jsonl', 'csv']) {
      it(`what is exported as ${format} is imported the same`, async () => {
        const place = path.join(server.dataDir, `export.${format}`);
        server.command('lead', 'export', '--tenant', 'demo2', '--format', format, '--output', place);
        const tenant = `copy-${format}`;
        const key = server.key(tenant, 'admin');
        server.command('lead', 'import', '--tenant', tenant, place);
        const list = async (key) => (await request(`${server.flow.http}/leads`, { key })).json.data;
        assert.deepEqual(kept(await list(key)), kept(await list(DEMO_KEYS.demo2)));
        assert.throws(() => server.command('lead', 'export', '--tenant', 'demo2', '--output', place), /cannot make/, 'no file is written over');
        assert.ok(readFileSync(place, 'utf8').length > 0);
      });
    }

    it('the oldest is exported first, so that an import stores it first', () => {
      const to = path.join(server.dataDir, 'out.jsonl');
      const from = file('in.jsonl', [3, 1, 2].map((day) => JSON.stringify({ createdAt: `2026-01-0${day}T00:00:00Z`, payload: { name: `day ${day}`, phone: '+45 12345678' } })).join('\n'));
      server.key('ordered', 'admin');
      server.command('lead', 'import', '--tenant', 'ordered', from);
      server.command('lead', 'export', '--tenant', 'ordered', '--output', to);
      const names = readFileSync(to, 'utf8').trim().split('\n').map((line) => JSON.parse(line).payload.name);
      assert.deepEqual(names, ['day 1', 'day 2', 'day 3']);
    });

    it('what cannot be done says why', async () => {
      const before = await total(DEMO_KEYS.demo1);
      const place = file('leads.txt', '{}');
      for (const [args, why] of [
        [['--tenant', 'nobody', place], /there is no tenant nobody/],
        [['--tenant', 'demo1', place], /give --format/],
        [['--tenant', 'demo1', '--format', 'jsonl', place], /no row was a lead/],
        [['--tenant', 'demo1', 'missing.csv'], /cannot read missing.csv/],
      ]) assert.throws(() => server.command('lead', 'import', ...args), why);
      assert.equal(await total(DEMO_KEYS.demo1), before, 'and nothing was added');
    });
  });
}
