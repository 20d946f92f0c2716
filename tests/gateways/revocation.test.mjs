import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, afterEach, before, describe, it } from 'node:test';
import { DATABASES } from '../lib/database.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { assertRefused, Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { hmacToken, now_s } from '../lib/issuer.mjs';
import { BINARY } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { EventStream } from '../lib/stream.mjs';
import { until } from '../lib/wait.mjs';

const SECRET = '4c6f63616c2073656372657420666f72207468652074657374732c2036342062';
const FORBIDDEN = { code: 4403, reason: 'forbidden' };
/** What a revocation may take from the end of its command to the end of a connection. */
const EFFECT_MS = 1_000;

for (const database of DATABASES) {
  describe(`revoked tokens on ${database.name}`, () => {
    let server;
    before(async () => { server = await Server.start({ env: { ...database.env(), TIDINGS__AUTH__JWT__SECRET: SECRET } }); });
    after(() => server?.stop());
    afterEach(async () => { await Inbox.endAll(); await EventStream.endAll(); });

    const jwt = (sub, more = {}) => hmacToken('HS256', SECRET, { sub, iat: now_s(), exp: now_s() + 600, ...more });
    const urls = (token) => [`${server.tasks.ws}/ws?token=${token}`, `${server.workflows.ws}/api/v1/ws?token=${token}`];
    const streams = (token) => [`${server.tasks.http}/sse?token=${token}`, `${server.workflows.http}/api/v1/sse?token=${token}`];

    /** Both sockets and both streams of a token, open. */
    async function openAll(token) {
      const inboxes = await Promise.all(urls(token).map((url) => Inbox.open(url)));
      await Promise.all(inboxes.map((inbox) => inbox.json('the welcome')));
      const events = await Promise.all(streams(token).map((url) => EventStream.open(url)));
      // One frame of the tasks gateway, two of the workflows gateway.
      for (const stream of [events[0], events[1], events[1]]) await stream.next('the welcome');
      return { inboxes, events };
    }

    /** They are ended in time by what `revoke` does. */
    async function assertEnded({ inboxes, events }, revoke) {
      const ends = Promise.all([...inboxes.map((inbox) => inbox.closed), ...events.map((stream) => stream.closing())]);
      revoke();
      const start = performance.now();
      for (const end of await ends) assert.deepEqual({ code: end.code, reason: end.reason }, FORBIDDEN);
      const elapsed_ms = performance.now() - start;
      assert.ok(elapsed_ms < EFFECT_MS, `ended after ${elapsed_ms} ms`);
    }

    async function assertServed(token) {
      const { inboxes, events } = await openAll(token);
      await Promise.all(inboxes.map((inbox) => inbox.close()));
      await Promise.all(events.map((stream) => stream.close()));
    }

    async function assertForbidden(token) {
      for (const url of urls(token)) await assertRefused(url, FORBIDDEN.code, FORBIDDEN.reason);
      for (const url of streams(token)) assertProblem(await request(url), 403, 'forbidden');
      assertProblem(await request(`${server.workflows.http}/api/v1/ws/stats`, { token }), 403, 'forbidden');
    }

    const command = (...args) => {
      const { status, stdout, stderr } = spawnSync(BINARY, ['--data-dir', server.dataDir, 'token', ...args], { env: { ...process.env, ...server.env }, encoding: 'utf8' });
      return { status, stdout, stderr };
    };
    const list = () => server.command('token', 'revoked', '--json').split('\n').filter(Boolean).map((line) => JSON.parse(line));

    it('by jti: the one token and its connections, within a second', async () => {
      const [one, other] = [jwt('ada', { jti: 'ada-1' }), jwt('ada', { jti: 'ada-2' })];
      const [ending, staying] = [await openAll(one), await openAll(other)];
      await assertEnded(ending, () => server.command('token', 'revoke', '--jti', 'ada-1', '--until', '10m'));
      await assertForbidden(one);
      for (const inbox of staying.inboxes) await inbox.drain();
      await assertServed(other);
      await assertServed(jwt('ada'));
    });

    it('by sub: what was issued before, and nothing that is issued later', async () => {
      const tokens = [jwt('bob', { iat: now_s() - 100 }), jwt('bob', { jti: 'bob-1' }), jwt('bob', { iat: undefined })];
      const open = await Promise.all(tokens.map(openAll));
      const carol = await openAll(jwt('carol', { iat: now_s() - 100 }));
      await assertEnded({ inboxes: open.flatMap(({ inboxes }) => inboxes), events: open.flatMap(({ events }) => events) },
        () => server.command('token', 'revoke', '--sub', 'bob'));
      for (const token of tokens) await assertForbidden(token);
      for (const inbox of carol.inboxes) await inbox.drain();
      const iat = now_s() + 1;
      const later = jwt('bob', { iat });
      await assertServed(later);
      // Once more, from then on.
      await until(() => now_s() > iat, 5_000, 'the second behind the one that it was issued in');
      const again = await openAll(later);
      await assertEnded(again, () => server.command('token', 'revoke', '--sub', 'bob'));
      await assertForbidden(later);
    });

    it('a number as the user, and as the id', async () => {
      const [byUser, byId] = [await openAll(jwt(42)), await openAll(jwt(43, { jti: 4711 }))];
      await assertEnded(byUser, () => server.command('token', 'revoke', '--sub', '42'));
      await assertEnded(byId, () => server.command('token', 'revoke', '--jti', '4711'));
    });

    it("operators' and services' tokens, by the id that they were made with", async () => {
      for (const scope of ['--operator', '--service']) {
        const made = command('create', scope);
        const token = made.stdout.trim();
        const [, id] = /, jti (\S+)\n$/.exec(made.stderr);
        const publish = () => request(`${server.operators.http}/api/v1/publish`, { method: 'POST', token, body: { room: 'user:ada', kind: 'x', data: {} } });
        assert.equal((await publish()).status, 200);
        server.command('token', 'revoke', '--jti', id);
        await until(async () => (await publish()).status === 403, EFFECT_MS, 'the operators\' listener refuses it');
        assertProblem(await publish(), 403, 'forbidden');
        assertProblem(await request(`${server.workflows.http}/api/v1/workflows/w`, { method: 'PUT', token, body: { owner_id: 'x' } }), 403, 'forbidden');
      }
      // A user who is called like them is somebody else.
      server.command('token', 'revoke', '--sub', 'operator');
      await server.publish({ room: 'user:ada', kind: 'x', data: {} });
    });

    it('a made token says its id', async () => {
      const made = command('create', '--user', 'dora');
      const [, id] = /^for user dora, valid for 3600 seconds, jti ([\w-]{22})\n$/.exec(made.stderr);
      const claims = JSON.parse(Buffer.from(made.stdout.split('.')[1], 'base64url'));
      assert.equal(claims.jti, id);
      const open = await openAll(made.stdout.trim());
      await assertEnded(open, () => server.command('token', 'revoke', '--jti', id));
    });

    it('the list, and what cannot be revoked', async () => {
      const revoked = command('revoke', '--jti', 'listed "1"', '--until', '2100-01-01T00:00:00Z');
      assert.deepEqual(revoked, { status: 0, stdout: 'revoked jti "listed \\"1\\"" until 2100-01-01T00:00:00.000Z\n', stderr: '' });
      const last = list().at(-1);
      assert.deepEqual({ ...last, revokedAt: null }, { jti: 'listed "1"', revokedAt: null, until: '2100-01-01T00:00:00.000Z' });
      assert.match(last.revokedAt, TIMESTAMP);
      assert.match(server.command('token', 'revoked'), /^jti "ada-1" until \S+ since \S+$/m);
      assert.deepEqual(list().filter(({ sub }) => sub === 'bob').length, 1);
      const year_ms = Date.parse(list().find(({ sub }) => sub === 'bob').until) - Date.now();
      assert.ok(Math.abs(year_ms - 365 * 86_400_000) < 600_000, `${year_ms}`);
      for (const args of [['revoke'], ['revoke', '--jti', 'a', '--sub', 'b'], ['revoke', '--jti', ''], ['revoke', '--sub', ''], ['revoke', '--sub', 'a\nb'],
        ['revoke', '--jti', 'x'.repeat(1_025)], ['revoke', '--jti', 'a', '--until', 'soon'], ['revoke', '--jti', 'a', '--until', '2020-01-01T00:00:00Z']]) {
        const { status, stderr } = command(...args);
        assert.equal(status, 64, `${args.join(' ').slice(0, 60)}: ${stderr}`);
      }
    });

    it('stays revoked when the server comes again, and ends when it was to', async () => {
      const [token, short] = [jwt('erna', { jti: 'erna-1' }), jwt('erna', { jti: 'erna-2' })];
      server.command('token', 'revoke', '--jti', 'erna-1');
      const ends = now_s() + 8;
      server.command('token', 'revoke', '--jti', 'erna-2', '--until', new Date(ends * 1000).toISOString());
      assert.equal(list().filter(({ jti }) => jti?.startsWith('erna')).length, 2);
      await server.kill();
      server = await Server.start({ env: server.env, dataDir: server.dataDir });
      await assertForbidden(token);
      await until(() => now_s() > ends, 20_000, 'the end of a revocation');
      assert.equal(list().filter(({ jti }) => jti?.startsWith('erna')).length, 1);
      await server.kill();
      server = await Server.start({ env: server.env, dataDir: server.dataDir });
      await assertServed(short);
      await assertForbidden(token);
    });
  });
}
