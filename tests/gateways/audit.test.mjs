// The audit log: every command, by whom and with which outcome, without personal data; and what shows when somebody
// changes it in the database.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DATABASES } from '../lib/database.mjs';
import { FlowClient } from '../lib/flow.mjs';
import { request } from '../lib/http.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

for (const database of DATABASES) {
  describe(`audit on ${database.name}`, () => {
    let server;
    before(async () => { server = await Server.start({ env: database.env() }); });
    after(() => server?.stop());

    const list = (tenant, ...more) => server.command('audit', 'list', '--tenant', tenant, ...more).split('\n').filter(Boolean).map(JSON.parse);
    /** The log once it has so many entries: reads are written down in rounds. */
    const entries = (tenant, count) => until(() => {
      const found = list(tenant);
      return found.length >= count && found;
    }, 5_000, `${count} entries`);

    it('holds every command and every write, masked', async () => {
      const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1 });
      const john = { name: 'John Doe', email: 'john@example.com', phone: '+45 12345678', notes: 'secret' };
      const { response } = await client.command('create_lead', john);
      const id = response.data.leadId;
      await client.command('get_leads', { limit: 5 });
      await client.command('search_leads', { query: 'doe' });
      await client.command('get_leads', { limit: 500 });
      await client.command('drop_table');
      await client.command('get_leads', {}, { tenantId: 'demo2' });
      client.close();
      const http = (method, path, body) => request(`${server.flow.http}${path}`, { method, key: DEMO_KEYS.demo1, body });
      await http('PATCH', `/leads/${id}`, { payload: { notes: 'other secret' } });
      await http('PATCH', `/leads/${id}/status`, { status: 'LOST' });
      await http('DELETE', `/leads/${id}`);

      const log = await entries('demo1', 9);
      assert.deepEqual(log.map(({ sequence }) => sequence), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const told = log.map(({ action, outcome, detail }) => `${action}: ${outcome} ${JSON.stringify(detail)}`).sort();
      const lead = JSON.stringify({ leadId: id });
      assert.deepEqual(told, [
        'create_lead: success {"name":"J***","email":"j***@example.com","phone":"+***","notes":"s***"}',
        'get_leads: success {"limit":5}',
        'search_leads: success {"query":"d***"}',
        'get_leads: Invalid parameters {}',
        'unknown_command: Unknown command {}',
        'get_leads: Access denied {}',
        `update_lead: success ${lead}`,
        `change_lead_status: success ${lead}`,
        `delete_lead: success ${lead}`,
      ].sort());
      assert.equal(new Set(log.map(({ actor }) => actor)).size, 1);
      assert.match(log[0].actor, /^key_/);
      const text = JSON.stringify(log);
      for (const secret of ['John', 'Doe', 'john@', '12345678', 'secret', DEMO_KEYS.demo1]) assert.ok(!text.includes(secret), secret);
      assert.deepEqual(list('demo2'), []);
      assert.deepEqual(list('demo1', '--after', '3', '--limit', '2').map(({ sequence }) => sequence), [4, 5]);
    });

    it('verifies, also against a head that was written down', async () => {
      const head = server.command('audit', 'head', '--tenant', 'demo1');
      assert.match(head, /^9:[0-9a-f]{64}$/);
      assert.match(server.command('audit', 'verify', '--tenant', 'demo1', '--head', head), /^9 entries, none changed or removed/);
      const later = head.replace('9:', '10:');
      assert.throws(() => server.command('audit', 'verify', '--tenant', 'demo1', '--head', later), /once reached 10/);
      const other = `${head.slice(0, -1)}${head.endsWith('0') ? '1' : '0'}`;
      assert.throws(() => server.command('audit', 'verify', '--tenant', 'demo1', '--head', other), /another hash/);
      assert.throws(() => server.command('audit', 'verify', '--tenant', 'demo1', '--head', 'nonsense'), /64 hexadecimal digits/);
    });

    it('holds what was done right before the server stopped', async () => {
      const client = await FlowClient.open(server, { key: DEMO_KEYS.demo2, transports: ['websocket'] });
      await client.command('get_leads', { limit: 7 });
      await server.kill('SIGTERM');
      server = await Server.start({ env: server.env, dataDir: server.dataDir });
      assert.deepEqual(list('demo2').map(({ action, detail }) => [action, detail]), [['get_leads', { limit: 7 }]]);
    });

    it('anchors its head in the log of the process', async () => {
      await request(`${server.flow.http}/leads`, { method: 'POST', key: DEMO_KEYS.demo1, body: { name: 'Ann', email: 'ann@example.com' } });
      const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1 });
      await client.command('get_leads');
      client.close();
      await until(() => /audit log.*demo1|demo1.*audit log/.test(server.log), 5_000, 'a line about the head');
    });
  });
}
