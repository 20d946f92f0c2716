// Three tenants side by side, whose clients do at random what they may, and reach for what is another's. Nothing of one
// reaches another: every byte of each answer, event, refusal, export, audit log and backup is looked through for the marks
// and ids of the others. What the protocol says back of a caller's own words is the caller's: `command` and `data.query` of an
// answer, `query` and `source` among the parameters of VOICE_COMMAND_EXECUTED and in the caller's own audit log, the namespace
// of a refusal, the `room_id` of a denial. And what is there in the end is exactly what each tenant's own clients wrote.
// SEED repeats the choices (what others have made by then may differ), STEPS is how many each tenant takes.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import zlib from 'node:zlib';
import { seeded } from '../delivery/random.mjs';
import { Actor } from '../lib/actor.mjs';
import { DATABASES } from '../lib/database.mjs';
import { request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Server } from '../lib/server.mjs';
import { STEPS as KINDS } from '../lib/steps.mjs';
import { Tenant } from '../lib/tenant.mjs';
import { Transcript, idsIn, leaks } from '../lib/transcript.mjs';
import { until } from '../lib/wait.mjs';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const STEPS = Number(process.env.STEPS ?? 600);
const TENANTS = 3;
const TRANSPORTS = ['websocket', 'polling', 'upgrade', 'plain'];
const JOBS_MS = 60_000;
/** All of it, with what is only told when somebody looks for a fault. */
const LOG_BYTES_MAX = 256 * 1024 * 1024;

for (const database of DATABASES) {
  it(`tenants apart on ${database.name}`, { timeout: 120_000 + STEPS * 500 }, async (t) => {
    t.diagnostic(`SEED=${SEED}, STEPS=${STEPS}`);
    const world = await World.open(t, database);
    const start = performance.now();
    await world.play();
    t.diagnostic(`${STEPS} steps of each tenant in ${Math.round(performance.now() - start)} ms: ${Array.from(world.taken, ([name, count]) => `${name} ${count}`).join(', ')}`);
    await t.test('each tenant has what its own clients wrote, and nothing else', () => world.assertWritten());
    await t.test('each client was told of its tenant\'s leads and notices, once, and of no other ones', () => world.assertTold());
    await t.test('backups, reports, audit logs and lists of keys are the tenant\'s own', () => world.assertKept());
    await t.test('the server\'s log and metrics hold nobody\'s data', () => world.assertUnlogged());
    t.diagnostic(world.figures);
    await t.test('a leak would be seen: by a word, by an id, in an echo\'s place and beside it', () => world.assertSeeing());
  });
}

/** A server with three tenants, four clients of each, and somebody who belongs to none. */
class World {
  taken = new Map();

  static async open(t, database) {
    const world = new World();
    const server = await Server.start({ env: { ...database.env(), TIDINGS__LOG__LEVEL: 'debug' }, logBytesMax: LOG_BYTES_MAX });
    t.after(async () => {
      world.actors?.forEach((actor) => actor.close());
      await Inbox.endAll();
      await server.stop();
    });
    const random = seeded(SEED);
    const tenants = Array.from({ length: TENANTS }, () => new Tenant(server, random));
    for (const tenant of tenants) tenant.others = tenants.filter((other) => other !== tenant);
    const open = (tenant, transport, n) => Actor.open(server, tenant, transport, 'pqrs'[n], seeded(random.below(2 ** 32)));
    Object.assign(world, { server, tenants });
    world.actors = await Promise.all(tenants.flatMap((tenant) => TRANSPORTS.map((transport, n) => open(tenant, transport, n))));
    world.outsider = await Outsider.open(server, tenants);
    return world;
  }

  get transcripts() { return [...this.tenants.map(({ transcript }) => transcript), this.outsider.transcript]; }

  get figures() {
    const entries = this.transcripts.flatMap((transcript) => transcript.entries);
    const bytes = entries.reduce((sum, { text }) => sum + text.length, 0);
    return `${entries.length} texts of ${bytes} characters; ${this.tenants.map(({ created, leads }) => `${leads.size} of ${created.length}`).join(', ')} leads left; ${this.server.log.length} characters of log`;
  }

  assertApart() { assert.deepEqual(leaks(this.transcripts), []); }

  /** All clients take their steps, side by side. */
  async play() {
    const ends = await Promise.allSettled(this.actors.map((actor) => this.#act(actor)));
    const failed = ends.find(({ status }) => status === 'rejected');
    if (failed) throw new Error([failed.reason.message, ...leaks(this.transcripts)].join('\n'), { cause: failed.reason });
  }

  async #act(actor) {
    for (let n = 0; n < STEPS / TRANSPORTS.length; n += 1) {
      const step = actor.random.of(KINDS);
      try {
        await step(actor);
      } catch (error) {
        throw new Error(`SEED=${SEED}, ${actor.kind} of ${actor.tenant.id}, step ${n}, ${step.name}: ${error.message}`, { cause: error });
      }
      this.taken.set(step.name, (this.taken.get(step.name) ?? 0) + 1);
    }
  }

  /** The lines that a command prints. */
  #lines(...args) { return this.server.command(...args).split('\n').filter(Boolean); }

  /** A tenant with one of its clients. */
  get #each() { return this.tenants.map((tenant) => [tenant, this.actors.find((actor) => actor.tenant === tenant)]); }

  async assertWritten() {
    for (const [tenant, actor] of this.#each) {
      const counts = tenant.counts();
      assert.ok(counts.total > 0 && tenant.created.length > counts.total, 'some were made, and some deleted');
      assert.equal((await actor.command('get_leads')).data.total, counts.total);
      const { data: { metrics: { type, period, ...metrics } } } = await actor.command('get_metrics', { period: 'all' });
      assert.deepEqual([type, period, metrics], ['leads', 'all', counts]);
      assert.equal((await actor.command('search_leads', { query: tenant.mark })).data.total, counts.total);
      assert.equal((await actor.http('GET', '/leads')).json.meta.total, counts.total);

      const exported = this.#lines('lead', 'export', '--tenant', tenant.id);
      exported.forEach((line) => tenant.transcript.hear('lead export', line));
      const byId = (a, b) => (a.id < b.id ? -1 : 1);
      const rows = exported.map(JSON.parse).map(({ id, tenantId, source, status, payload }) => ({ id, tenantId, source, status, payload }));
      const expected = [...tenant.leads.values()].map(({ id, source, status, payload }) => ({ id, tenantId: tenant.id, source, status, payload }));
      assert.deepEqual(rows.sort(byId), expected.sort(byId));
    }
    this.assertApart();
  }

  async assertTold() {
    for (const actor of this.actors) {
      const { tenant } = actor;
      // The answer stands behind everything that was published before.
      await actor.command('make_tea');
      assert.ok(actor.isConnected, `${actor.kind} of ${tenant.id}`);
      const told = actor.events.filter(({ name, data }) => name === 'lead_event' && data.type === 'LEAD_CREATED').map(({ data }) => data.leadId);
      assert.deepEqual(told.sort(), [...tenant.created].sort(), `${actor.kind} of ${tenant.id}`);
      assert.equal(actor.events.filter(({ data }) => data.notice).length, tenant.notices);
    }
    await this.outsider.finish();
    this.assertApart();
  }

  async assertKept() {
    for (const [tenant, actor] of this.#each) {
      const { transcript } = tenant;
      const ended = (id) => actor.events.some(({ data }) => data.type === 'SYNC_COMPLETED' && data.data.result.id === id);
      await until(() => [...tenant.jobs, ...tenant.reports].every(ended), JOBS_MS, () => `the end of ${[...tenant.jobs, ...tenant.reports].filter((id) => !ended(id))}`);
      for (const id of tenant.reports) assert.equal((await actor.http('GET', `/compliance/reports/${id}`)).json.status, 'completed');
      const { data } = await actor.command('start_backup');
      await until(() => ended(data.backup.id), JOBS_MS, `the end of ${data.backup.id}`);

      const place = path.join(this.server.dataDir, 'backups', tenant.id);
      const backups = readdirSync(place);
      assert.ok(backups.includes(data.backup.id), backups.join());
      for (const id of backups) {
        transcript.hear(`manifest of ${id}`, readFileSync(path.join(place, id, 'manifest.json'), 'utf8'));
        for (const row of zlib.gunzipSync(readFileSync(path.join(place, id, 'data.json-seq.gz'))).toString().split('\u001e').filter(Boolean)) {
          transcript.hear(`backup ${id}`, row, ownWords(JSON.parse(row).auditEntry));
        }
      }
      this.#lines('backup', 'list', '--tenant', tenant.id, '--json').forEach((line) => transcript.hear('backup list', line));
      this.#lines('key', 'list', '--tenant', tenant.id, '--json').forEach((line) => transcript.hear('key list', line));
      const audit = this.#lines('audit', 'list', '--tenant', tenant.id);
      assert.ok(audit.length >= tenant.created.length);
      audit.forEach((line) => transcript.hear('audit list', line, ownWords(JSON.parse(line))));
    }
    assert.deepEqual(readdirSync(path.join(this.server.dataDir, 'backups')).sort(), this.tenants.map(({ id }) => id).sort());
    this.assertApart();
  }

  async assertUnlogged() {
    const { text: metrics } = await request(`${this.server.operators.http}/metrics`);
    const { log } = this.server;
    assert.match(log, /"message":"listening","gateway":"flow"/, 'the log is whole');
    const leadIds = new Set(this.tenants.flatMap(({ created }) => created.flatMap(idsIn)));
    assert.deepEqual(idsIn(log).filter((id) => leadIds.has(id)), []);
    assert.deepEqual(idsIn(metrics), []);
    for (const { id, slug, mark, keys } of this.tenants) {
      for (const word of [mark, ...keys]) assert.ok(!log.includes(word), `${word} in the log`);
      for (const word of [mark, id, slug, ...keys]) assert.ok(!metrics.includes(word), `${word} in the metrics`);
    }
  }

  /** That the search finds what is there. Afterwards something is. */
  async assertSeeing() {
    const [one, two] = this.tenants;
    const [id] = two.leads.keys();
    const seen = (hear) => {
      const [mine, others] = [one, two].map((tenant) => new Transcript(tenant.id, tenant.transcript.words));
      others.hear('its own', `{"id":"${id}","notes":"${two.mark}"}`);
      hear(mine);
      return leaks([mine, others]).length;
    };
    assert.equal(seen((transcript) => transcript.hear('a planted word', `{"notes":"${two.mark.toUpperCase()}x"}`)), 1);
    assert.equal(seen((transcript) => transcript.hear('a planted id', `{"id":"${id}"}`)), 1);
    assert.equal(seen((transcript) => transcript.hear('a planted cursor', `{"nextCursor":"${'0'.repeat(16)}${idsIn(id)[0]}"}`)), 1);
    assert.equal(seen((transcript) => transcript.hear('an echo of what nobody said', two.mark, [two.mark])), 1);
    assert.equal(seen((transcript) => { transcript.hear('an echo', two.mark, [transcript.say(two.mark)]); }), 0);
    assert.equal(seen((transcript) => { transcript.hear('beside an echo', `${two.mark} ${two.mark}`, [transcript.say(two.mark)]); }), 1);
    // A client of one tenant with the other's key.
    const [, actor] = this.#each[0];
    actor.key = two.keys[0];
    assert.equal((await actor.http('GET', `/leads/${id}`)).status, 200);
    assert.ok(leaks(this.transcripts).length > 0);
  }
}

/** What an entry of the audit log says of the caller's own words. */
function ownWords(entry) {
  return [entry?.detail?.query, entry?.detail?.source];
}

/** Connections of the other gateways, of users who belong to no tenant and ask for tenants' rooms. */
class Outsider {
  transcript = new Transcript('an outsider');

  static async open(server, tenants) {
    const outsider = new Outsider();
    const { transcript } = outsider;
    const rooms = tenants.flatMap(({ id, slug }) => [`tenant:${id}`, `tenant:${slug}`, `user:tenant:${id}`, id]);
    rooms.forEach((room) => transcript.say(room));
    const listen = async (url) => {
      const inbox = new Inbox(url);
      inbox.socket.on('message', (bytes) => {
        const message = JSON.parse(bytes);
        // A denial names the room that was asked for, a welcome the user.
        transcript.hear(`${new URL(url).pathname} ${message.type}`, bytes.toString(), [message.room_id, message.user_id]);
      });
      await inbox.opened;
      return inbox;
    };
    outsider.workflows = await listen(`${server.workflows.ws}/api/v1/ws?token=${server.token('outsider')}`);
    for (const room of rooms) {
      outsider.workflows.send({ type: 'subscribe', room_id: room });
      const answer = await outsider.workflows.find((message) => message.room_id === room, `an answer about ${room}`);
      assert.deepEqual([answer.type, answer.message], ['error', 'Access denied to room']);
    }
    outsider.tasks = await Promise.all(tenants.map(({ id }) => listen(`${server.tasks.ws}/ws?user_id=${encodeURIComponent(transcript.say(`tenant:${id}`))}`)));
    for (const room of rooms) {
      const answer = await request(`${server.workflows.http}/api/v1/sse?token=${server.token('outsider')}&room=${room}`);
      assert.equal(answer.status, 403);
      transcript.hear('/api/v1/sse', answer.text);
    }
    return outsider;
  }

  /** Everything that was sent to it up to now is in its transcript. */
  async finish() {
    const welcome = await Promise.all(this.tasks.map((inbox) => inbox.drain()));
    assert.deepEqual(welcome.flat().map(({ type }) => type), this.tasks.map(() => 'connected'));
    assert.deepEqual(await this.workflows.drain(), []);
  }
}
