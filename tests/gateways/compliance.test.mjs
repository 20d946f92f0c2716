// The command `compliance_check` and its reports: each check over real state, which is changed so that the check goes from a
// pass to a finding and back.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DATABASES, idLiteral, sql } from '../lib/database.mjs';
import { FlowClient } from '../lib/flow.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { run } from '../lib/process.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';

const DAY_MS = 24 * 60 * 60 * 1000;
const GDPR = ['permission_unused', 'listener_tls', 'demo_key', 'backup_recency', 'lead_retention', 'lost_lead_retention', 'lead_consent', 'lead_contact', 'tenant_isolation', 'audit_log'];
const NIS2 = ['key_age', 'key_without_expiry', 'key_unused', 'permission_unused', 'listener_tls', 'development_mode', 'demo_key', 'backup_recency', 'tenant_isolation', 'audit_log'];
const ALL = [...NIS2.slice(0, 8), 'lead_retention', 'lost_lead_retention', 'lead_consent', 'lead_contact', 'tenant_isolation', 'audit_log'];
const SEVERITIES = ['critical', 'high', 'medium', 'low'];

for (const database of DATABASES) {
  describe(`compliance checks on ${database.name}`, () => {
    let server;
    before(async () => { server = await Server.start({ env: database.env() }); });
    after(() => server?.stop());

    /** A tenant with a key that may do everything and ends in a month, and a client by that key. */
    async function tenant(id) {
      const key = server.command('key', 'create', '--tenant', id, '--permission', 'admin', '--expires', '30d', '--quiet');
      const client = await FlowClient.open(server, { key });
      return new Tenant(id, key, client);
    }

    class Tenant {
      constructor(id, key, client) { Object.assign(this, { id, key, client }); }

      /** The result of a check, once it has come. */
      async check(parameters = { check_type: 'all', severity: 'low' }) {
        const { response } = await this.client.command('compliance_check', parameters);
        assert.equal(response.success, true, JSON.stringify(response));
        for (;;) {
          const event = await this.client.next('integration_event');
          if (event.type === 'SYNC_COMPLETED' && event.data.result.id === response.data.compliance.id) return event.data.result;
        }
      }

      http(method, target, body) {
        return request(`${server.flow.http}${target}`, { method, key: this.key, body });
      }

      async lead(body) {
        const answer = await this.http('POST', '/ingest/form', { payload: body });
        assert.equal(answer.status, 201, answer.text);
        return answer.json.id;
      }

      /** What one check found: its only finding, or nothing if it passed. */
      async finding(name) {
        const result = await this.check();
        const { outcome } = result.checks.find(({ check }) => check === name);
        const found = result.findings.filter(({ check }) => check === name);
        assert.equal(found.length, outcome === 'passed' ? 0 : 1, JSON.stringify(result));
        return found[0];
      }

      /** `name` passes, is found as soon as `spoil` was done, and passes again as soon as `mend` was done. */
      async goesThere(name, severity, spoil, mend) {
        assert.equal(await this.finding(name), undefined, `${name} before`);
        await spoil();
        const found = await this.finding(name);
        assert.equal(found?.severity, severity, name);
        assert.ok(found.message && found.recommendation, name);
        await mend();
        assert.equal(await this.finding(name), undefined, `${name} after`);
        return found;
      }

      keys() {
        return server.command('key', 'list', '--tenant', this.id, '--json').split('\n').filter(Boolean).map(JSON.parse);
      }

      /** A key with its id, made so many days ago. */
      oldKey(days, ...permissions) {
        const known = new Set(this.keys().map(({ id }) => id));
        const args = permissions.flatMap((permission) => ['--permission', permission]);
        const key = server.command('key', 'create', '--tenant', this.id, ...args, '--expires', '30d', '--quiet');
        const { id } = this.keys().find((row) => !known.has(row.id));
        sql(server, `UPDATE tenant_key SET created_at = created_at - ${days * DAY_MS} WHERE id = ${idLiteral(server, id)}`);
        return { key, id };
      }
    }

    it('answers at once, tells the room in order, and keeps the report', async () => {
      const mine = await tenant('order');
      const reader = await FlowClient.open(server, { key: server.key('order', 'leads:read') });
      const acknowledged = await mine.client.socket.emitWithAck('execute_voice_command', { command: 'compliance_check' });
      const heard = [];
      while (!heard.some((event) => event.type === 'SYNC_COMPLETED')) {
        const { name, data } = await mine.client.next();
        heard.push(name === 'voice_command_response' ? { type: 'response', data } : data);
      }
      assert.deepEqual(heard.map(({ type }) => type), ['VOICE_PROCESSING_STARTED', 'SYNC_STARTED', 'VOICE_COMMAND_EXECUTED', 'VOICE_PROCESSING_COMPLETED', 'response', 'SYNC_COMPLETED']);
      const [, started, executed, , { data: response }, completed] = heard;
      assert.deepEqual(response, acknowledged);
      const { compliance, message } = response.data;
      const { id, timestamp } = compliance;
      assert.match(id, /^job_/);
      assert.deepEqual(compliance, { id, type: 'nis2', severity: 'medium', status: 'running', timestamp });
      assert.equal(message, 'Compliance check started');
      assert.deepEqual(executed.data.response, { id, type: 'nis2', severity: 'medium', message });
      assert.deepEqual(executed.data.parameters, {});
      assert.deepEqual([started.source, completed.source, started.tenantId], ['voice', 'system', 'order']);
      assert.deepEqual(started.data, { operation: 'compliance_check', result: { id, type: 'nis2', severity: 'medium' } });
      const { operation, result, duration } = completed.data;
      assert.equal(operation, 'compliance_check');
      assert.ok(Number.isInteger(duration) && duration >= 0);
      assert.deepEqual(Object.keys(result), ['id', 'type', 'severity', 'startedAt', 'completedAt', 'checks', 'counts', 'findings']);
      assert.deepEqual(result.checks.map(({ check }) => check), NIS2);
      assert.deepEqual(result.findings.map(({ check, severity }) => `${check} ${severity}`).sort(), ['backup_recency high', 'development_mode high']);
      assert.equal(result.counts.low, 2, 'no TLS on loopback, and a key without an end');

      const report = await mine.http('GET', `/compliance/reports/${id}`);
      assert.equal(report.status, 200, report.text);
      assert.deepEqual(report.json, { id, type: 'nis2', severity: 'medium', status: 'completed', timestamp, result });
      // The other client of the tenant heard the same.
      assert.deepEqual(await reader.next('integration_event'), started);
      assert.deepEqual(await reader.next('integration_event'), completed);
      reader.close();
    });

    it('reports are for who may', async () => {
      const mine = await tenant('refusals');
      const limited = server.key('refusals', 'leads:read', 'leads:write', 'metrics:read', 'backup:run');
      const { id } = await mine.check();
      const other = await tenant('others');
      const get = (target, key) => request(`${server.flow.http}/compliance/reports/${target}`, { key });
      assert.equal((await get(id, mine.key)).status, 200);
      assertProblem(await get(id, other.key), 404, 'not_found');
      assertProblem(await get(`${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`, mine.key), 404, 'not_found');
      assertProblem(await get('nonsense', mine.key), 404, 'not_found');
      assertProblem(await get(id, limited), 403, 'forbidden');
      assertProblem(await get(id), 401, 'missing_api_key');
    });

    it('checks what is asked for and tells of what is severe enough', async () => {
      const mine = await tenant('filters');
      await mine.lead({ phone: '+45 12345678' });
      for (const [type, expected] of [['gdpr', GDPR], ['nis2', NIS2], ['security', NIS2], ['all', ALL]]) {
        const result = await mine.check({ check_type: type, severity: 'low' });
        assert.deepEqual(result.checks.map(({ check }) => check), expected, type);
      }
      const all = await mine.check();
      const told = all.findings.map(({ severity }) => severity);
      assert.deepEqual(told, [...told].sort((a, b) => SEVERITIES.indexOf(a) - SEVERITIES.indexOf(b)), 'the worst first');
      assert.deepEqual(all.counts, { critical: 0, high: 2, medium: 1, low: 1 });
      for (const [severity, count] of [['medium', 3], ['high', 2], ['critical', 0]]) {
        const result = await mine.check({ check_type: 'all', severity });
        assert.deepEqual([result.severity, result.findings.length, result.counts], [severity, count, all.counts]);
        assert.deepEqual(result.checks, all.checks);
      }
    });

    it('looks at keys', async () => {
      const mine = await tenant('keys');
      let old;
      let found = await mine.goesThere('key_age', 'medium', () => { old = mine.oldKey(100, 'leads:read'); }, () => {
        server.command('key', 'rotate', old.id, '--grace', '0s');
      });
      assert.deepEqual(found.evidence, { count: 1, keys: [old.id], oldestDays: 100 });

      let endless;
      await mine.goesThere('key_without_expiry', 'low', () => { endless = server.key('keys', 'leads:read'); }, () => {
        const { id } = mine.keys().find((row) => !row.expiresAt);
        server.command('key', 'revoke', id);
      });
      assert.ok(endless);

      let idle;
      found = await mine.goesThere('key_unused', 'medium', () => { idle = mine.oldKey(91, 'leads:read', 'leads:write'); }, async () => {
        assert.equal((await request(`${server.flow.http}/leads`, { key: idle.key })).status, 200);
      });
      assert.deepEqual(found.evidence, { count: 1, keys: [idle.id], neverUsed: 1 });

      // Now it is in use, and what it reads is seen; that it writes is not, because it never did.
      found = await mine.finding('permission_unused');
      assert.deepEqual(found.evidence, { count: 1, days: 90, keys: [{ key: idle.id, unused: ['leads:write'] }] });
      const written = await request(`${server.flow.http}/leads`, { method: 'POST', key: idle.key, body: { name: 'Ann', email: 'ann@example.com' } });
      assert.equal(written.status, 201, written.text);
      assert.equal(await mine.finding('permission_unused'), undefined);

      const demo = new Tenant('demo1', DEMO_KEYS.demo1, await FlowClient.open(server, { key: DEMO_KEYS.demo1 }));
      found = await demo.finding('demo_key');
      assert.deepEqual([found.severity, found.evidence], ['critical', { count: 1, keys: [demo.keys()[0].id] }]);
      const replaced = await tenant('demo1');
      server.command('key', 'revoke', found.evidence.keys[0]);
      assert.equal(await replaced.finding('demo_key'), undefined);
    });

    it('looks at leads', async () => {
      const mine = await tenant('leads');
      const id = await mine.lead({ name: 'Ann', email: 'ann@example.com', gdprConsent: true });
      const patch = async (payload) => assert.equal((await mine.http('PATCH', `/leads/${id}`, { payload })).status, 200);
      const status = async (word) => assert.equal((await mine.http('PATCH', `/leads/${id}/status`, { status: word })).status, 200);
      const age = (days) => sql(server, `UPDATE lead SET updated_at = updated_at - ${days * DAY_MS} WHERE id = ${idLiteral(server, id)}`);
      const evidence = { count: 1, leads: [id], lookedAt: 1, total: 1 };

      let found = await mine.goesThere('lead_retention', 'medium', () => age(731), () => patch({ notes: 'called' }));
      assert.deepEqual(found.evidence, { ...evidence, days: 730, oldestDays: 731 });
      found = await mine.goesThere('lost_lead_retention', 'medium', async () => { await status('LOST'); age(181); }, () => status('NEW'));
      assert.deepEqual(found.evidence, { ...evidence, days: 180, oldestDays: 181 });
      found = await mine.goesThere('lead_consent', 'medium', () => patch({ gdprConsent: false }), () => patch({ consent_at: '2026-02-07' }));
      assert.deepEqual(found.evidence, evidence);
      found = await mine.goesThere('lead_contact', 'low', () => patch({ email: null }), () => patch({ phone: '+45 12345678' }));
      assert.deepEqual(found.evidence, evidence);
      assert.ok(!JSON.stringify(await mine.check()).includes('ann'), 'no personal data');

      // More than are read at once, of another tenant than the one above.
      const many = await tenant('many');
      const file = `${Array.from({ length: 620 }, (_, n) => JSON.stringify({ phone: `+45 1234${String(n).padStart(4, '0')}`, consent: n % 2 === 0 })).join('\n')}\n`;
      run('sh', ['-c', `cat > '${server.dataDir}/leads.jsonl'`], { input: file });
      server.command('lead', 'import', '--tenant', 'many', path.join(server.dataDir, 'leads.jsonl'));
      found = await many.finding('lead_consent');
      assert.deepEqual([found.evidence.count, found.evidence.lookedAt, found.evidence.total, found.evidence.leads.length], [310, 620, 620, 10]);
    });

    it('finds what was changed in the audit log', async () => {
      const mine = await tenant('audited');
      await mine.lead({ email: 'ann@example.com' });
      const lift = server.env.TIDINGS__STORE__URL
        ? ['ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_is_not_changed']
        : ['DROP TRIGGER audit_entry_is_not_changed', 'DROP TRIGGER audit_entry_is_not_removed'];
      const change = (action) => sql(server, `UPDATE audit_entry SET action = '${action}' WHERE tenant_id = 'audited' AND sequence = 1`);
      sql(server, ...lift);
      const found = await mine.goesThere('audit_log', 'critical', () => change('get_leads'), () => change('create_lead'));
      assert.match(found.message, /entry 1 was changed/);
    });

    it('reaches for other tenants', async () => {
      const mine = await tenant('inside');
      const other = await tenant('outside');
      await other.lead({ email: 'bo@example.com' });
      if (!server.env.TIDINGS__STORE__URL) {
        assert.equal(await mine.finding('tenant_isolation'), undefined);
        return;
      }
      const wall = (word) => () => sql(server, `ALTER TABLE lead ${word} ROW LEVEL SECURITY`);
      const found = await mine.goesThere('tenant_isolation', 'critical', wall('NO FORCE'), wall('FORCE'));
      assert.deepEqual([found.evidence.leaks, found.evidence.unwalledTables], [['lead'], ['lead']]);
      assert.ok(!JSON.stringify(found).includes('outside'), 'nothing of the other');
    });

    it('takes a check that cannot look for a finding', async () => {
      const mine = await tenant('broken');
      sql(server, 'ALTER TABLE lead_total RENAME TO lead_total_away');
      const result = await mine.check().finally(() => sql(server, 'ALTER TABLE lead_total_away RENAME TO lead_total'));
      const of = (outcome) => result.checks.filter((check) => check.outcome === outcome).map(({ check }) => check);
      const broken = ['lead_retention', 'lost_lead_retention', 'lead_consent', 'lead_contact', 'tenant_isolation'];
      assert.deepEqual(of('could_not_run'), broken);
      const found = result.findings.filter(({ check }) => broken.includes(check));
      assert.deepEqual(found.map(({ check, severity }) => `${check} ${severity}`), ['tenant_isolation critical', ...broken.slice(0, 4).map((check) => `${check} high`)]);
      for (const { message } of found) assert.match(message, /^the check could not run: /);
      for (const check of broken) assert.equal(await mine.finding(check), undefined, `${check} afterwards`);
    });

    it('looks at backups', async () => {
      const mine = await tenant('saved');
      assert.match((await mine.finding('backup_recency')).message, /has no backup/);
      server.command('backup', 'create', '--tenant', 'saved');
      assert.equal(await mine.finding('backup_recency'), undefined);
      sql(server, `UPDATE job SET finished_at = finished_at - ${25 * 60 * 60 * 1000}, started_at = started_at - ${25 * 60 * 60 * 1000}, requested_at = requested_at - ${25 * 60 * 60 * 1000} WHERE kind = 'backup'`);
      const found = await mine.finding('backup_recency');
      assert.deepEqual([found.severity, found.evidence.ageHours, found.evidence.failedSince], ['high', 25, 0]);
      server.command('backup', 'create', '--tenant', 'saved', '--type', 'incremental');
      assert.equal(await mine.finding('backup_recency'), undefined);
    });

    it('looks at how the server is set up', async () => {
      const mine = await tenant('setup');
      const before = await mine.check();
      const outcomes = (result) => Object.fromEntries(result.checks.map(({ check, outcome }) => [check, outcome]));
      assert.deepEqual([outcomes(before).listener_tls, outcomes(before).development_mode], ['findings', 'findings']);
      // A production server on the same data refuses demo keys, so that these go first.
      for (const name of ['demo1', 'demo2']) {
        const rows = server.command('key', 'list', '--tenant', name, '--json').split('\n').filter(Boolean).map(JSON.parse);
        for (const { id } of rows) server.command('key', 'revoke', id);
      }
      mine.client.close();
      await server.kill('SIGTERM');
      const env = {
        ...server.env,
        TIDINGS__SERVER__MODE: 'production',
        TIDINGS__AUTH__JWT__SECRET: randomBytes(32).toString('hex'),
        TIDINGS__ORIGINS__ALLOWED: 'https://app.example.com',
        TIDINGS__TASKS__DAPR__API_TOKEN: randomBytes(32).toString('hex'),
        TIDINGS__PROXIES__TRUSTED: '192.0.2.1',
        TIDINGS__PROXIES__HEADER: 'x-forwarded-for',
      };
      server = await Server.start({ env, dataDir: server.dataDir });
      const again = new Tenant('setup', mine.key, await FlowClient.open(server, { key: mine.key }));
      const now = outcomes(await again.check());
      assert.deepEqual([now.listener_tls, now.development_mode], ['passed', 'passed']);
    });
  });
}
