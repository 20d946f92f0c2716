// What a Dapr sidecar asks and delivers, and what it does with our answers, whichever sidecar it is: the real one or the
// stand-in. Publishing is in memory.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Inbox } from './inbox.mjs';
import { metric } from './metrics.mjs';
import { ROOT, run } from './process.mjs';
import { Server } from './server.mjs';
import { Tap } from './tap.mjs';
import { until } from './wait.mjs';

const WAIT_MS = 15_000;
const TOKEN = 'c2lkZWNhci10b2tlbi1vZi1hdC1sZWFzdC0zMi1ieXRlcw';
const isPong = (message) => message.type === 'pong';
/** A file of dapr-components. */
const component = (name) => JSON.parse(run(path.join(ROOT, 'tests/.venv/bin/python'), ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'], {
  input: readFileSync(path.join(ROOT, 'dapr-components', `${name}.yaml`), 'utf8'),
}));
const MEMORY = { apiVersion: 'dapr.io/v1alpha1', kind: 'Component', metadata: { name: 'kafka-pubsub' }, spec: { type: 'pubsub.in-memory', version: 'v1', metadata: [] } };
/** A subscription beside what Tidings asks for. */
const subscription = (topic, more) => ({ apiVersion: 'dapr.io/v2alpha1', kind: 'Subscription', metadata: { name: topic }, spec: { pubsubname: 'kafka-pubsub', topic, routes: { default: '/task-updates' }, ...more } });

/** Tidings, a sidecar, and a tap between the two. */
class Pair {
  static async start(Sidecar, { env = {}, sidecar = {} } = {}) {
    const pair = new Pair();
    try {
      pair.server = await Server.start({ env });
      pair.tap = await Tap.start(pair.server.tasks.http);
      for (const route of sidecar.answers ?? []) pair.tap.answer(route);
      pair.sidecar = await Sidecar.start({ appPort: pair.tap.port, topics: ['task-updates'], ...sidecar, resources: { memory: MEMORY, ...sidecar.resources } });
    } catch (error) {
      await pair.stop();
      throw error;
    }
    return pair;
  }

  async open(user = `user-${randomUUID()}`) {
    const inbox = await Inbox.open(`${this.server.tasks.ws}/ws?user_id=${user}`);
    await inbox.json('the welcome');
    inbox.user = user;
    return inbox;
  }

  /** The delivery of this event, once it is answered. */
  delivered(mark) {
    return until(() => this.tap.for('/task-updates').find(({ body }) => body.includes(mark)), WAIT_MS, () => `a delivery with ${mark}\n${this.sidecar.log}`);
  }

  get letters() { return this.server.command('dead-letters', 'list').split('\n').filter(Boolean).map((line) => JSON.parse(line)); }

  async stop() {
    await this.sidecar?.stop();
    await this.tap?.stop();
    await this.server?.stop();
  }
}

const eventFor = (user, more = {}) => ({ event_type: 'task.created', user_id: user, task_id: randomUUID(), title: 'Test Task', ...more });
const JSON_TYPE = { headers: { 'content-type': 'application/json' } };

/** The cases, as tests of a sidecar class. */
export function sidecarCases(Sidecar) {
  describe('single deliveries, behind a token', { timeout: 180_000 }, () => {
    let pair;
    before(async () => {
      const sidecar = {
        env: { APP_API_TOKEN: TOKEN }, args: ['--enable-app-health-check', '--app-health-check-path', '/healthz', '--app-health-probe-interval', '1'],
        resources: { raw: subscription('raw-updates', { metadata: { rawPayload: 'true' } }) }, topics: ['task-updates', 'raw-updates'],
      };
      pair = await Pair.start(Sidecar, { env: { TIDINGS__TASKS__DAPR__API_TOKEN: TOKEN }, sidecar });
    });
    after(() => pair?.stop());
    afterEach(() => Inbox.endAll());

    it('it asks with the token, and probes without', async () => {
      for (const route of ['/dapr/config', '/dapr/subscribe']) {
        const [asked] = pair.tap.for(route);
        assert.deepEqual([asked.status, asked.headers['dapr-api-token']], [200, TOKEN], route);
      }
      const probe = await until(() => pair.tap.for('/healthz').at(-1), WAIT_MS, 'a probe');
      assert.deepEqual([probe.status, probe.headers['dapr-api-token']], [200, undefined]);
      const subscriptions = (await pair.sidecar.metadata()).subscriptions.map(({ topic, type }) => [topic, type]);
      assert.deepEqual(subscriptions.sort(), [['raw-updates', 'DECLARATIVE'], ['task-updates', 'PROGRAMMATIC']]);
    });

    it('what a backend publishes as JSON reaches the user, once', async () => {
      const [inbox, other] = [await pair.open(), await pair.open()];
      const event = eventFor(inbox.user, { n: 1.50, nested: { b: [1, 2], a: null } });
      await pair.sidecar.publish('task-updates', event, JSON_TYPE);
      assert.deepEqual((await inbox.json()).event, event);
      const { headers, body, status, answer } = await pair.delivered(event.task_id);
      assert.equal(headers['content-type'], 'application/cloudevents+json');
      assert.equal(headers['dapr-api-token'], TOKEN);
      assert.deepEqual([status, answer], [200, '{"status":"SUCCESS"}']);
      const envelope = JSON.parse(body);
      assert.deepEqual([envelope.specversion, envelope.source, envelope.type, envelope.topic, envelope.pubsubname], ['1.0', 'websocket-service', 'com.dapr.event.sent', 'task-updates', 'kafka-pubsub']);
      assert.deepEqual(await inbox.drain(isPong), []);
      assert.deepEqual(await other.drain(isPong), []);
    });

    it("a backend's own CloudEvent keeps its id, and comes once though it is published twice", async () => {
      const inbox = await pair.open();
      const event = { specversion: '1.0', id: randomUUID(), source: '/backend', type: 'com.example.task.created', subject: 'tasks', datacontenttype: 'application/json', data: eventFor(inbox.user), comexampleorder: 7 };
      const published = { headers: { 'content-type': 'application/cloudevents+json' } };
      await pair.sidecar.publish('task-updates', event, published);
      await pair.sidecar.publish('task-updates', event, published);
      await until(() => pair.tap.seen.filter(({ body }) => body.includes(event.id)).length === 2, WAIT_MS, 'both deliveries');
      assert.deepEqual((await inbox.drain(isPong)).map((message) => message.event), [event.data]);
      for (const { answer } of pair.tap.seen.filter(({ body }) => body.includes(event.id))) assert.equal(answer, '{"status":"SUCCESS"}');
    });

    it('JSON under another label is text in the envelope, and is taken', async () => {
      const inbox = await pair.open();
      const event = eventFor(inbox.user);
      await pair.sidecar.publish('task-updates', JSON.stringify(event), { headers: { 'content-type': 'text/plain' } });
      assert.deepEqual((await inbox.json()).event, event);
      assert.equal(typeof JSON.parse((await pair.delivered(event.task_id)).body).data, 'string');
    });

    it('bytes are base64 in the envelope, and are taken', async () => {
      const inbox = await pair.open();
      const event = eventFor(inbox.user);
      await pair.sidecar.publish('task-updates', Buffer.from(JSON.stringify(event)), { headers: { 'content-type': 'application/octet-stream' } });
      assert.deepEqual((await inbox.json()).event, event);
      const { body } = await pair.delivered('"data_base64"');
      assert.deepEqual(JSON.parse(Buffer.from(JSON.parse(body).data_base64, 'base64')), event);
    });

    it('a raw payload: published as it is, wrapped by the subscriber’s sidecar', async () => {
      const inbox = await pair.open();
      const event = eventFor(inbox.user);
      await pair.sidecar.publish('raw-updates', event, { ...JSON_TYPE, query: '?metadata.rawPayload=true' });
      assert.deepEqual((await inbox.json()).event, event);
      const envelope = JSON.parse((await pair.delivered('"topic":"raw-updates"')).body);
      assert.deepEqual([envelope.datacontenttype, envelope.topic, Buffer.from(envelope.data_base64, 'base64').toString()], ['application/octet-stream', 'raw-updates', JSON.stringify(event)]);
    });

    it('what can never be delivered is dropped, and is a dead letter of ours', async () => {
      const mark = randomUUID();
      const rows = [
        [{ ...JSON_TYPE }, { event_type: 'x', mark }, 'no_user'],
        [{ headers: { 'content-type': 'text/plain' } }, `not json ${mark}`, 'not_json'],
        // Bytes with attributes in the metadata: the sidecar posts them bare, and calls them a CloudEvent all the same.
        [{ ...JSON_TYPE, query: '?metadata.rawPayload=true&metadata.content-type=application/octet-stream&metadata.ce_id=1&metadata.ce_source=s&metadata.ce_type=t&metadata.ce_specversion=1.0' }, `bare ${mark}`, 'mislabelled'],
      ];
      for (const [options, body, reason] of rows) {
        const count = pair.tap.for('/task-updates').length;
        await pair.sidecar.publish('task-updates', body, options);
        const delivery = await until(() => pair.tap.for('/task-updates')[count], WAIT_MS, () => `the delivery for ${reason}\n${pair.sidecar.log}`);
        assert.deepEqual([delivery.status, delivery.answer, delivery.headers['content-type']], [200, '{"status":"DROP"}', 'application/cloudevents+json'], reason);
        assert.equal(pair.letters[0].reason, reason);
        assert.ok(delivery.body.includes(mark));
      }
      await until(() => pair.sidecar.log.includes('DROP'), WAIT_MS, 'that it knows');
    });

    it('events published one after the other arrive in their order', async () => {
      const inbox = await pair.open();
      for (let n = 0; n < 50; n += 1) await pair.sidecar.publish('task-updates', eventFor(inbox.user, { n }), JSON_TYPE);
      const numbers = [];
      while (numbers.length < 50) numbers.push((await inbox.json()).event.n);
      assert.deepEqual(numbers, Array.from({ length: 50 }, (_, n) => n));
    });
  });

  describe('a token that is not ours', { timeout: 60_000 }, () => {
    it('gets no subscription and delivers nothing', async () => {
      const pair = await Pair.start(Sidecar, { env: { TIDINGS__TASKS__DAPR__API_TOKEN: TOKEN }, sidecar: { env: { APP_API_TOKEN: 'another' }, topics: [], resources: { declared: subscription('task-updates') } } });
      try {
        const asked = await until(() => pair.tap.for('/dapr/subscribe')[0], WAIT_MS, 'the question');
        assert.equal(asked.status, 401);
        // Declared, so that the sidecar delivers although it was told nothing.
        await pair.sidecar.publish('task-updates', eventFor('victim'), JSON_TYPE);
        const delivery = await until(() => pair.tap.for('/task-updates')[0], WAIT_MS, () => `a delivery\n${pair.sidecar.log}`);
        assert.deepEqual([delivery.status, delivery.headers['dapr-api-token']], [401, 'another']);
        assert.equal(await metric(pair.server, 'tidings_publishes_total'), 0);
      } finally {
        await pair.stop();
      }
    });
  });

  describe('in bulk, with a dead letter topic', { timeout: 180_000 }, () => {
    const sidecar = { answers: ['/dead'], topics: ['task-updates', 'task-updates-dead'], resources: { dead: subscription('task-updates-dead', { routes: { default: '/dead' } }) } };
    for (const [name, options] of Object.entries({
      'as Tidings asks for it': { env: { TIDINGS__TASKS__DAPR__BULK_SUBSCRIBE: 'true', TIDINGS__TASKS__DAPR__DEAD_LETTER_TOPIC: 'task-updates-dead' }, sidecar },
      'as dapr-components declares it': {
        env: { TIDINGS__TASKS__DAPR__DEAD_LETTER_TOPIC: 'task-updates-dead' },
        sidecar: { ...sidecar, args: ['--disable-init-endpoints', 'subscribe'], resources: { ...sidecar.resources, declared: component('subscription-task-updates'), resiliency: component('resiliency') } },
      },
    })) {
      it(`${name}: each event has its outcome, and what is dropped is in the topic alone`, async () => {
        const pair = await Pair.start(Sidecar, options);
        try {
          const inbox = await pair.open();
          const entries = Array.from({ length: 20 }, (_, n) => ({ entryId: String(n), contentType: 'application/json', event: n % 5 === 3 ? { event_type: 'nobody', n } : eventFor(inbox.user, { n }) }));
          await pair.sidecar.publishBulk('task-updates', entries);
          const wanted = entries.map(({ event }) => event).filter(({ user_id }) => user_id);
          const received = [];
          while (received.length < wanted.length) received.push((await inbox.json(`an event after ${received.length}`)).event);
          // In memory they come in any order.
          assert.deepEqual(received.sort((a, b) => a.n - b.n), wanted);
          const dead = await until(() => pair.tap.taken('/dead').length === 4 && pair.tap.taken('/dead'), WAIT_MS, () => `four dead letters instead of ${pair.tap.taken('/dead')}`);
          assert.deepEqual(dead.map((body) => JSON.parse(body).data.n).sort((a, b) => a - b), [3, 8, 13, 18]);

          const deliveries = pair.tap.for('/task-updates').map(({ body, answer: text }) => [JSON.parse(body), JSON.parse(text)]);
          // One at a time, in memory; kafka.test.mjs has several in one request.
          for (const [{ type, entries: some }, { statuses }] of deliveries) {
            assert.equal(type, 'com.dapr.event.sent.bulk');
            assert.deepEqual(statuses, some.map(({ entryId, event }) => ({ entryId, status: event.data.user_id ? 'SUCCESS' : 'DROP' })));
          }
          assert.deepEqual(pair.letters, []);
          assert.deepEqual(await inbox.drain(isPong), []);
        } finally {
          await Inbox.endAll();
          await pair.stop();
        }
      });
    }

    it('a single delivery that is dropped goes to the topic too', async () => {
      const pair = await Pair.start(Sidecar, { env: { TIDINGS__TASKS__DAPR__DEAD_LETTER_TOPIC: 'task-updates-dead' }, sidecar });
      try {
        await pair.sidecar.publish('task-updates', { event_type: 'nobody' }, JSON_TYPE);
        const [dead] = await until(() => pair.tap.taken('/dead').length === 1 && pair.tap.taken('/dead'), WAIT_MS, 'the dead letter');
        assert.deepEqual(JSON.parse(dead).data, { event_type: 'nobody' });
        assert.deepEqual(pair.letters, []);
      } finally {
        await pair.stop();
      }
    });
  });

  describe('while Tidings is away', { timeout: 120_000 }, () => {
    it('with the resiliency policy of dapr-components an event waits for it', async () => {
      const first = await Server.start();
      let second;
      let sidecar;
      try {
        sidecar = await Sidecar.start({ appPort: Number(first.tasks.address.split(':').at(-1)), topics: ['task-updates'], resources: { memory: MEMORY, resiliency: component('resiliency') } });
        await first.kill();
        await sidecar.publish('task-updates', eventFor('stayer', { n: 1 }), JSON_TYPE);
        await until(() => /retriable error|Error processing operation|connection refused/i.test(sidecar.log), WAIT_MS, () => `a failed delivery\n${sidecar.log}`);
        second = await Server.start({ dataDir: first.dataDir, env: { TIDINGS__TASKS__LISTEN: first.tasks.address } });
        await until(async () => (await metric(second, 'tidings_publishes_total')) === 1, 30_000, () => `the event\n${sidecar.log}`);
      } finally {
        await sidecar?.stop();
        await (second ?? first).stop();
      }
    });
  });
}
