// A server that is killed in the middle of a thousand creations, and comes back: what it has acknowledged is there, and
// the room hears of every lead, from the server that died or from the one that found the event in the outbox.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DATABASES } from '../lib/database.mjs';
import { FlowClient } from '../lib/flow.mjs';
import { request } from '../lib/http.mjs';
import { metric } from '../lib/metrics.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { Watcher } from './watcher.mjs';

const KEY = DEMO_KEYS.demo1;
const CLIENTS = 10;
const COMMANDS_EACH = 50;
const REQUESTS = 500;
const KILLED_AFTER = 300;
/** `OUTBOX_BATCH_MAX` of the store: what may be published and not yet removed. */
const REPEATS_MAX = 1_000;

for (const database of DATABASES) {
  it(`on ${database.name}, no acknowledged lead and no event is lost`, { timeout: 120_000 }, async (t) => {
    const env = database.env();
    let server = await Server.start({ env });
    const dataDir = server.dataDir;
    const acknowledged = new Map(); // lead id by email
    const unanswered = new Set(); // emails of requests without an answer
    try {
      const watcher = await Watcher.open(server, KEY);
      const killed = createUntilKilled(server, acknowledged, unanswered);
      await until(() => acknowledged.size >= KILLED_AFTER, 30_000, `${KILLED_AFTER} acknowledgements`);
      await server.kill();
      await killed;
      await watcher.disconnected();
      const before = await watcher.created();
      await watcher.close();
      assert.ok(acknowledged.size < CLIENTS * COMMANDS_EACH + REQUESTS, 'it was killed in the middle');

      server = await Server.start({ env, dataDir });
      const second = await Watcher.open(server, KEY);
      const stored = await allLeads(server);
      const byId = new Map(stored.map((lead) => [lead.id, lead]));
      for (const [email, id] of acknowledged) assert.equal(byId.get(id)?.payload.email, email, `the acknowledged lead ${id}`);

      await until(async () => (await metric(server, 'tidings_outbox_length')) === 0, 30_000, 'an empty outbox');
      const later = await metric(server, 'tidings_outbox_events_total{gateway="flow",outcome="published_later"}');
      await until(async () => (await second.created()).size === later, 5_000, 'everything that was published later');
      const after = await second.created();
      const untold = stored.filter(({ id }) => !before.has(id) && !after.has(id));
      assert.deepEqual(untold, [], 'a LEAD_CREATED for every stored lead');
      for (const [id, events] of [...before, ...after]) {
        assert.equal(events.length, 1, `${id}: once on a connection`);
        assert.ok(byId.has(id), `${id}: an event tells of a lead that is there`);
      }
      const repeats = [...after.keys()].filter((id) => before.has(id));
      for (const id of repeats) assert.equal(after.get(id)[0], before.get(id)[0], 'repeated under the same id');
      assert.ok(repeats.length <= REPEATS_MAX, `${repeats.length} repeats`);
      t.diagnostic(`${acknowledged.size} acknowledged, ${stored.length} stored, ${later} events published later, ${repeats.length} of them repeats`);

      // Whoever got no answer asks again, under the same idempotency key.
      await Promise.all([...unanswered].map((email) => post(server, email)));
      const emails = (await allLeads(server)).map((lead) => lead.payload.email);
      assert.equal(new Set(emails).size, emails.length, 'no lead twice');
      for (const email of unanswered) assert.ok(emails.includes(email), `${email} is there`);
      await second.close();
    } finally {
      await server.stop();
    }
  });
}

/** Sends everything at once; resolves when the server is gone for all. */
async function createUntilKilled(server, acknowledged, unanswered) {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => FlowClient.open(server, { key: KEY, transports: ['websocket'] })));
  const requests = Array.from({ length: REQUESTS }, async (_, n) => {
    const email = `request-${n}@example.com`;
    unanswered.add(email);
    const answer = await post(server, email).catch(() => null);
    if (answer?.status !== 201) return;
    acknowledged.set(email, answer.json.id);
    unanswered.delete(email);
  });
  clients.forEach((client, n) => {
    for (let command = 0; command < COMMANDS_EACH; command += 1) {
      const email = `command-${n}-${command}@example.com`;
      const parameters = { name: 'Killed', email };
      client.socket.emit('execute_voice_command', { command: 'create_lead', parameters }, (response) => {
        if (response.success) acknowledged.set(email, response.data.leadId);
      });
    }
  });
  await Promise.all([...requests, ...clients.map((client) => new Promise((resolve) => { client.socket.once('disconnect', resolve); }))]);
}

const post = (server, email) => request(`${server.flow.http}/leads`, {
  method: 'POST', key: KEY, headers: { 'idempotency-key': email }, body: { name: 'Killed', email },
});

async function allLeads(server) {
  const leads = [];
  for (let cursor = ''; cursor !== null;) {
    const { json } = await request(`${server.flow.http}/leads?limit=100${cursor && `&cursor=${cursor}`}`, { key: KEY });
    leads.push(...json.data);
    cursor = json.meta.nextCursor;
  }
  return leads;
}
