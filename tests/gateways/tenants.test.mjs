import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { DATABASES } from '../lib/database.mjs';
import { FlowClient } from '../lib/flow.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { run } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

/** From a command's end, or from the end of a key's time, to the end of its connections. */
const LIMIT_MS = 1_000;

for (const { name, env } of DATABASES) {
  describe(`tenants and keys by command on the running server, ${name}`, () => {
    let server;
    let clients = [];
    before(async () => { server = await Server.start({ env: env() }); });
    after(() => server?.stop());
    afterEach(async () => {
      clients.forEach((client) => client.close());
      clients = [];
      await Inbox.endAll();
    });

    const leads = (key, options = {}) => request(`${server.flow.http}/leads`, { key, ...options });
    const lines = (...args) => server.command(...args, '--json').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const listed = (tenant) => lines('key', 'list', '--tenant', tenant);
    const refusal = async (key) => (await FlowClient.refusal(server, { key })).data.code;

    /** A new tenant with a key and its id. */
    function tenant(id) {
      server.command('tenant', 'create', id);
      return { id, ...key(id, 'admin') };
    }

    function key(id, ...more) {
      const known = new Set(listed(id).map((row) => row.id));
      const text = server.key(id, ...more);
      return { key: text, keyId: listed(id).find((row) => !known.has(row.id)).id };
    }

    /** The stock client on WebSocket and on polling, and `ws` on the plain WebSocket, each with when and how it ended. */
    async function connect(text) {
      const connected = await Promise.all([['websocket'], ['polling']].map((transports) => FlowClient.open(server, { key: text, transports })));
      clients.push(...connected);
      const plain = await Inbox.open(`${server.flow.ws}/events`, { headers: { 'x-tenant-key': text } });
      await plain.json('the welcome');
      const ended = Promise.all([
        ...connected.map(({ socket }) => new Promise((resolve) => { socket.once('disconnect', (reason) => resolve({ how: reason, at: Date.now() })); })),
        plain.closed.then((how) => ({ how, at: Date.now() })),
      ]);
      return { client: connected[0], ended, isEnded: () => connected.some(({ socket }) => !socket.connected) || plain.socket.readyState !== plain.socket.OPEN };
    }

    /** Every connection has ended for good, and not later than it may after `since`. */
    async function assertEnded(connections, since, what) {
      const ends = await within(connections.ended, 5_000, `the end of all connections after ${what}`);
      assert.deepEqual(ends.map(({ how }) => how), ['io server disconnect', 'io server disconnect', { code: 4403, reason: 'forbidden' }]);
      const delay_ms = Math.max(...ends.map(({ at }) => at)) - since;
      console.log(`${name}: ${what}: connections ended ${delay_ms} ms after`);
      assert.ok(delay_ms < LIMIT_MS, `${delay_ms} ms after ${what}`);
      return ends;
    }

    /** All three are there, and the server answers. */
    async function assertAlive(connections) {
      assert.equal((await connections.client.command('get_leads')).response.success, true);
      assert.equal(connections.isEnded(), false);
    }

    it('a suspended tenant is shut out at once, and a resumed one let in again', async () => {
      const [mine, other] = [tenant('suspended'), tenant('beside')];
      const [connections, others] = [await connect(mine.key), await connect(other.key)];
      server.command('tenant', 'suspend', mine.id);
      await assertEnded(connections, Date.now(), 'tenant suspend');
      assert.equal(await refusal(mine.key), 'suspended_tenant');
      assertProblem(await leads(mine.key), 403, 'suspended_tenant');
      assert.deepEqual(listed(mine.id).map((row) => row.standing), ['suspended']);
      await assertAlive(others);

      server.command('tenant', 'resume', mine.id);
      await assertAlive(await connect(mine.key));
      assert.equal((await leads(mine.key)).status, 200);
    });

    it('a revoked key takes its connections with it, and no other ones', async () => {
      const mine = tenant('revoking');
      const second = key(mine.id, 'leads:read');
      const [connections, others] = [await connect(mine.key), await connect(second.key)];
      server.command('key', 'revoke', mine.keyId);
      await assertEnded(connections, Date.now(), 'key revoke');
      assert.equal(await refusal(mine.key), 'revoked_api_key');
      await assertAlive(others);
      const [first] = listed(mine.id);
      assert.deepEqual([first.standing, typeof first.revokedAt], ['revoked', 'string']);
    });

    it('a rotation without grace ends the old key, and the new one may do the same', async () => {
      const mine = tenant('rotated');
      const old = key(mine.id, 'leads:read', 'metrics:read');
      const connections = await connect(old.key);
      const next = server.command('key', 'rotate', old.keyId, '--grace', '0s', '--quiet');
      await assertEnded(connections, Date.now(), 'key rotate --grace 0s');
      assert.equal(await refusal(old.key), 'revoked_api_key');
      assert.match(next, /^tk_\S+$/);
      await assertAlive(await connect(next));
      const rows = listed(mine.id);
      assert.deepEqual(rows.map((row) => row.standing), ['good', 'revoked', 'good']);
      assert.deepEqual(rows[2].permissions, ['leads:read', 'metrics:read']);
    });

    it('a rotation with grace lets the old key end when that is over', async () => {
      const mine = tenant('graceful');
      const connections = await connect(mine.key);
      const next = server.command('key', 'rotate', mine.keyId, '--grace', '3s', '--quiet');
      await assertAlive(connections);
      assert.equal((await leads(mine.key)).status, 200);
      const renewed = await connect(next);
      const [old] = listed(mine.id);
      const ends = await assertEnded(connections, Date.parse(old.expiresAt), 'the end of the grace');
      ends.forEach(({ at }) => assert.ok(at >= Date.parse(old.expiresAt), 'not before the end of the grace'));
      assert.equal(await refusal(mine.key), 'expired_api_key');
      await assertAlive(renewed);
    });

    it('a key that expires takes its connections with it', async () => {
      const mine = tenant('expiring');
      const text = server.command('key', 'create', '--tenant', mine.id, '--permission', 'leads:read', '--expires', '3s', '--quiet');
      const connections = await connect(text);
      const { expiresAt } = listed(mine.id).find((row) => row.expiresAt);
      await assertEnded(connections, Date.parse(expiresAt), 'the end of a key');
      assert.equal(await refusal(text), 'expired_api_key');
    });

    it('a tenant is deleted when one says so, with its connections', async () => {
      const [mine, other] = [tenant('deleted'), tenant('kept')];
      for (const { key: text } of [mine, other]) {
        for (let n = 0; n < 3; n += 1) {
          const headers = { 'idempotency-key': `k${n}` };
          assert.equal((await leads(text, { method: 'POST', headers, body: { name: `Ada ${n}`, email: 'ada@example.com' } })).status, 201);
        }
      }
      const [connections, others] = [await connect(mine.key), await connect(other.key)];
      assert.throws(() => server.command('tenant', 'delete', mine.id), /ended with 64\n.*tenant deleted \(leads: 3, keys: 1\) .* say --yes/);
      await assertAlive(connections);
      assert.equal(server.command('tenant', 'delete', mine.id, '--yes'), 'deleted tenant deleted with 3 leads');
      await assertEnded(connections, Date.now(), 'tenant delete');
      assert.equal(await refusal(mine.key), 'invalid_api_key');
      assertProblem(await leads(mine.key), 401, 'invalid_api_key');
      await assertAlive(others);
      assert.equal((await leads(other.key)).json.meta.total, 3);

      const again = tenant(mine.id);
      assert.equal((await leads(again.key)).json.meta.total, 0);
      assert.equal((await leads(again.key, { method: 'POST', headers: { 'idempotency-key': 'k0' }, body: { name: 'New', email: 'new@example.com' } })).status, 201);
      // The server still has uses to record of the tenant that is no more; the others' figures do not suffer.
      const { response } = await others.client.command('get_metrics', { metric_type: 'connections' });
      assert.equal(response.success, true, JSON.stringify(response));
    });

    it('lists say what there is, and when a key was last used', async () => {
      const mine = tenant('listed');
      const unused = key(mine.id, 'leads:read');
      server.command('tenant', 'create', 'named', '--name', 'The "Named"', '--slug', 'nick');
      const tenants = lines('tenant', 'list');
      const { createdAt, ...named } = tenants.find((row) => row.id === 'named');
      assert.deepEqual(named, { id: 'named', slug: 'nick', name: 'The "Named"', suspended: false });
      assert.ok(Number.isFinite(Date.parse(createdAt)));
      assert.deepEqual(tenants.map((row) => row.id), [...tenants.map((row) => row.id)].sort());
      assert.match(server.command('tenant', 'list'), /^named active slug nick created \S+Z name "The \\"Named\\""$/m);

      assert.equal((await leads(mine.key)).status, 200);
      const used = await until(() => listed(mine.id).find((row) => row.lastUsedAt), 10_000, 'the use is recorded');
      assert.equal(used.id, mine.keyId);
      assert.deepEqual(Object.keys(used), ['id', 'tenantId', 'standing', 'permissions', 'createdAt', 'expiresAt', 'revokedAt', 'lastUsedAt']);
      const text = server.command('key', 'list', '--tenant', mine.id);
      assert.match(text, new RegExp(`^${mine.keyId} good admin created \\S+Z last used \\S+Z$`, 'm'));
      assert.match(text, new RegExp(`^${unused.keyId} good leads:read created \\S+Z never used$`, 'm'));
      for (const secret of [mine.key, unused.key]) assert.ok(!text.includes(secret) && !JSON.stringify(listed(mine.id)).includes(secret));
    });

    if (name === 'PostgreSQL') {
      it('nobody is cut while the database cannot tell', async () => {
        const mine = tenant('away');
        const connections = await connect(mine.key);
        const statement = (text) => run('psql', [server.env.TIDINGS__STORE__URL, '--quiet', '--set=ON_ERROR_STOP=1', '--command', text]);
        const failures = () => server.log.split('live keys could not be checked').length - 1;
        statement('ALTER TABLE tenant_key RENAME TO tenant_key_away');
        try {
          const before = failures();
          await until(() => failures() >= before + 3, 10_000, 'three rounds that fail');
          assert.equal(connections.isEnded(), false);
        } finally {
          statement('ALTER TABLE tenant_key_away RENAME TO tenant_key');
        }
        await assertAlive(connections);
        server.command('key', 'revoke', mine.keyId);
        await assertEnded(connections, Date.now(), 'key revoke, the database being back');
      });
    }
  });
}
