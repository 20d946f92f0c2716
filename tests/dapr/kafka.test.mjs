// The whole way that the task document draws: backend -> sidecar -> Kafka -> sidecar -> Tidings -> WebSocket, with a real
// broker and the files of dapr-components.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Sidecar } from '../lib/daprd.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Broker } from '../lib/kafka.mjs';
import { ROOT } from '../lib/process.mjs';
import { Seed } from '../lib/seed.mjs';
import { Server } from '../lib/server.mjs';
import { curls, start } from '../lib/shell.mjs';
import { Tap } from '../lib/tap.mjs';
import { until } from '../lib/wait.mjs';

const WAIT_MS = 60_000;
const component = (name) => readFileSync(path.join(ROOT, 'dapr-components', `${name}.yaml`), 'utf8');
const isPong = (message) => message.type === 'pong';

describe('by way of Kafka', { timeout: 600_000 }, () => {
  let broker;
  let resources;
  before(async () => {
    broker = await Broker.start();
    const kafka = component('pubsub-kafka').replace('value: kafka:9092', `value: ${broker.bootstrap}`);
    assert.ok(kafka.includes(broker.bootstrap));
    resources = { kafka, resiliency: component('resiliency') };
    await broker.createTopic('task-updates', 12);
    await broker.createTopic('task-updates-dead', 1);
  });
  after(() => broker?.stop());
  afterEach(() => Inbox.endAll());

  it('the test section of the document, from the connection to the statistics', async () => {
    const seed = new Seed('task-updates.md');
    const opened = [];
    const keep = (thing) => { opened.push(thing); return thing; };
    try {
      keep(await Server.start({ env: { TIDINGS__TASKS__LISTEN: 'localhost:8004' } }));
      keep(await Sidecar.start({ appPort: 8004, resources, topics: ['task-updates'] }));
      const sidecar = keep(await Sidecar.start({ appId: 'backend', resources }));
      keep(await startBackend(sidecar));
      const terminal = keep(start(seed.block('Terminal 1 - WebSocket Client')));
      await until(() => terminal.log.includes('{"type":"connected"'), WAIT_MS, () => `the welcome in ${terminal.log}`);
      const [created] = await curls(`TOKEN=test-user\n${seed.block('Terminal 2 - Create Task')}`);
      assert.equal(created.status, 201, created.body);
      const line = await until(() => /\{"type":"task_update".*\}/.exec(terminal.log)?.[0], WAIT_MS, () => `the update in ${terminal.log}`);
      const { timestamp, ...update } = JSON.parse(line);
      assert.deepEqual(update, seed.json('Terminal 1 should receive'));
      const [statistics] = await curls(seed.block('3. Check Statistics'));
      assert.deepEqual(statistics.json(), { total_users: 1, total_connections: 1, users: { 'test-user': 1 } });
      const [subscription] = await curls(seed.block('Check Dapr subscription'));
      assert.equal(subscription.json()[0].topic, 'task-updates');
      await until(async () => (await broker.lag('websocket-service', 'task-updates')) === 0, WAIT_MS, 'that its offset is committed');
    } finally {
      for (const thing of opened.reverse()) await thing.stop();
    }
  });

  describe('with a sidecar each', () => {
    let server;
    let tap;
    let sidecar;
    let backend;
    const env = { TIDINGS__TASKS__DAPR__BULK_SUBSCRIBE: 'true', TIDINGS__TASKS__DAPR__DEAD_LETTER_TOPIC: 'task-updates-dead' };
    before(async () => {
      server = await Server.start({ env });
      tap = await Tap.start(server.tasks.http);
      [sidecar, backend] = await Promise.all([
        Sidecar.start({ appPort: tap.port, resources, topics: ['task-updates'] }),
        Sidecar.start({ appId: 'backend', resources }),
      ]);
    });
    after(async () => {
      await Promise.all([sidecar?.stop(), backend?.stop()]);
      await tap?.stop();
      await server?.stop();
    });

    async function open(user = `user-${randomUUID()}`) {
      const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`);
      await inbox.json('the welcome');
      inbox.user = user;
      return inbox;
    }

    /** Publishes all at once, each keyed by its user, so that a user's stay in their order. */
    const publishAll = (events) => backend.publishBulk('task-updates', events.map((event, n) => ({
      entryId: String(n), contentType: 'application/json', event, metadata: { partitionKey: String(event.user_id ?? 'nobody') },
    })));

    const numbers = async (inbox, count) => {
      const found = [];
      while (found.length < count) found.push((await inbox.json(() => `${count} events instead of ${found.length}`, WAIT_MS)).event.n);
      return found;
    };

    it('in bulk: each user gets its own, in order, once; what names nobody is in the dead letter topic alone', async () => {
      const inboxes = await Promise.all([open(), open(), open()]);
      const events = Array.from({ length: 300 }, (_, n) => (n % 50 === 49 ? { event_type: 'nobody', n } : { event_type: 'task.updated', user_id: inboxes[n % 3].user, n }));
      await publishAll(events);
      for (const inbox of inboxes) {
        const own = events.filter(({ user_id }) => user_id === inbox.user).map(({ n }) => n);
        assert.deepEqual(await numbers(inbox, own.length), own);
      }
      const dropped = events.filter(({ user_id }) => !user_id).map(({ n }) => n);
      const dead = await until(async () => {
        const records = await broker.consumeAll('task-updates-dead');
        return records.length >= dropped.length && records;
      }, WAIT_MS, 'the dead letters');
      assert.deepEqual(dead.map(({ value }) => JSON.parse(value).data.n).sort((a, b) => a - b), dropped);
      assert.equal(server.command('dead-letters', 'list'), '');
      const bulks = tap.for('/task-updates').map(({ body }) => JSON.parse(body));
      assert.ok(bulks.some(({ type, entries }) => type === 'com.dapr.event.sent.bulk' && entries.length > 1), 'several events in one request');
      const { statuses } = JSON.parse(tap.for('/task-updates').find(({ answer }) => answer.includes('DROP')).answer);
      assert.ok(statuses.some(({ status }) => status === 'DROP') && statuses.every(({ status }) => status !== 'RETRY'));
      for (const inbox of inboxes) assert.deepEqual(await inbox.drain(isPong), []);
    });

    it('events that come while Tidings is dead wait, and then arrive in their order', async () => {
      const user = `user-${randomUUID()}`;
      tap.target = null;
      await server.kill();
      const cut = tap.cut;
      await publishAll(Array.from({ length: 20 }, (_, n) => ({ event_type: 'task.updated', user_id: user, n })));
      await until(() => tap.cut > cut, WAIT_MS, 'a delivery that is cut off');
      const { dataDir } = server;
      server = await Server.start({ dataDir, env });
      const inbox = await open(user);
      tap.target = server.tasks.http;
      assert.deepEqual(await numbers(inbox, 20), Array.from({ length: 20 }, (_, n) => n));
      assert.deepEqual(await inbox.drain(isPong), []);
    });

    it('an application that is not among the scopes has no component', async () => {
      const stranger = await Sidecar.start({ appId: 'stranger', resources });
      try {
        assert.deepEqual((await stranger.metadata()).components ?? [], []);
        await assert.rejects(stranger.publish('task-updates', { user_id: 'u' }), /404|400/);
      } finally {
        await stranger.stop();
      }
    });
  });

  it('bytes that call themselves bytes are posted under the label of a CloudEvent, and are a dead letter of ours', async () => {
    const server = await Server.start();
    const tap = await Tap.start(server.tasks.http);
    const sidecar = await Sidecar.start({ appPort: tap.port, resources, topics: ['task-updates'] });
    try {
      const headers = { 'content-type': 'application/octet-stream', ce_id: randomUUID(), ce_source: '/backend', ce_type: 'task', ce_specversion: '1.0' };
      await broker.produce('task-updates', [{ value: 'not json', headers }]);
      const delivery = await until(() => tap.for('/task-updates').find(({ body }) => body === 'not json'), WAIT_MS, () => `the delivery\n${sidecar.log}`);
      assert.deepEqual([delivery.headers['content-type'], delivery.headers.ce_source, delivery.status, delivery.answer], ['application/cloudevents+json', '/backend', 200, '{"status":"DROP"}']);
      assert.equal(JSON.parse(server.command('dead-letters', 'list')).reason, 'mislabelled');
    } finally {
      await sidecar.stop();
      await tap.stop();
      await server.stop();
    }
  });
});

/** The application's backend as far as the document shows it: it makes a task, and says so to its sidecar. */
async function startBackend(sidecar) {
  const server = http.createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const user = /^Bearer (.+)$/.exec(incoming.headers.authorization ?? '')?.[1];
    if (incoming.method !== 'POST' || incoming.url !== '/api/tasks' || !user) return outgoing.writeHead(404).end();
    const { title } = JSON.parse(Buffer.concat(chunks));
    await sidecar.publish('task-updates', { event_type: 'task.created', user_id: user, task_id: '123', title }, { headers: { 'content-type': 'application/json' } });
    return outgoing.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"123"}');
  });
  server.listen(8000, 'localhost');
  await once(server, 'listening');
  return {
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
