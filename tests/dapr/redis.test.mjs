// By way of Redis Streams: backend -> sidecar -> Redis -> sidecar -> Tidings -> WebSocket, with the component of deploy/dapr.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Sidecar } from '../lib/daprd.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { ROOT } from '../lib/process.mjs';
import { Redis } from '../lib/redis.mjs';
import { Server } from '../lib/server.mjs';
import { Tap } from '../lib/tap.mjs';
import { until } from '../lib/wait.mjs';

const WAIT_MS = 60_000;
const REDIS = { pubsub: 'redis-pubsub' };

/** The component as it lies there, with this address, and with redeliveries each second. */
function component(address) {
  let text = readFileSync(path.join(ROOT, 'deploy/dapr/pubsub-redis.yaml'), 'utf8');
  for (const [printed, ours] of [['value: redis:6379', `value: ${address}`], [/value: 15s/g, 'value: 1s']]) {
    const changed = text.replace(printed, ours);
    assert.notEqual(changed, text);
    text = changed;
  }
  return text;
}

/** The events of this connection, so many, by number: the component delivers several at a time, in any order. */
async function events(inbox, count) {
  const found = [];
  while (found.length < count) found.push((await inbox.json(() => `${count} events instead of ${found.length}`, WAIT_MS)).event);
  return found.sort((one, other) => one.n - other.n);
}

describe('by way of Redis', { timeout: 300_000 }, () => {
  let redis;
  let resources;
  let backend;
  before(async () => {
    redis = await Redis.start();
    resources = { redis: component(redis.address), resiliency: readFileSync(path.join(ROOT, 'dapr-components/resiliency.yaml'), 'utf8') };
    backend = await Sidecar.start({ appId: 'backend', resources });
  });
  after(async () => {
    await backend?.stop();
    await redis?.stop();
  });

  const publish = (event) => backend.publish('task-updates', event, { ...REDIS, headers: { 'content-type': 'application/json' } });
  const pending = () => redis.ask('XPENDING', 'task-updates', 'websocket-service').split('\n')[0];
  const allAcknowledged = () => until(() => pending() === '0', WAIT_MS, () => `all acknowledged, and not ${pending()} pending`);

  for (const [what, env, whereDropped] of [
    ['without a dead letter topic', {}, 'store'],
    ['with a dead letter topic', { TIDINGS__TASKS__DAPR__DEAD_LETTER_TOPIC: 'task-updates-dead' }, 'topic'],
  ]) {
    describe(what, () => {
      let server;
      let tap;
      let sidecar;
      before(async () => {
        redis.ask('FLUSHALL');
        server = await Server.start({ env: { TIDINGS__TASKS__DAPR__PUBSUB_NAME: REDIS.pubsub, ...env } });
        tap = await Tap.start(server.tasks.http);
        sidecar = await Sidecar.start({ appPort: tap.port, resources, topics: ['task-updates'] });
      });
      after(async () => {
        await sidecar?.stop();
        await tap?.stop();
        await server?.stop();
      });
      afterEach(() => Inbox.endAll());

      async function open() {
        const user = `user-${randomUUID()}`;
        const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`);
        await inbox.json('the welcome');
        return Object.assign(inbox, { user });
      }

      it('each user gets its own, once, and all is acknowledged', async () => {
        const inboxes = [await open(), await open()];
        const sent = Array.from({ length: 100 }, (_, n) => ({ event_type: 'task.updated', user_id: inboxes[n % 2].user, n }));
        for (const event of sent) await publish(event);
        for (const inbox of inboxes) {
          const own = sent.filter(({ user_id }) => user_id === inbox.user);
          assert.deepEqual(await events(inbox, own.length), own);
        }
        await allAcknowledged();
        assert.equal(redis.ask('XLEN', 'task-updates'), '100');
        for (const inbox of inboxes) assert.deepEqual(await inbox.drain(), []);
        const [{ body, answer }] = tap.for('/task-updates');
        assert.deepEqual([JSON.parse(body).pubsubname, answer], ['redis-pubsub', '{"status":"SUCCESS"}']);
      });

      it('what names nobody is kept once', async () => {
        const mark = randomUUID();
        const kept = () => ({ topic: redis.ask('XRANGE', 'task-updates-dead', '-', '+').includes(mark), store: server.command('dead-letters', 'list') !== '' });
        await publish({ event_type: 'nobody', mark });
        await until(() => Object.values(kept()).includes(true), WAIT_MS, () => `the dead letter\n${sidecar.log}`);
        await allAcknowledged();
        assert.deepEqual(kept(), { topic: false, store: false, [whereDropped]: true });
      });

      it('what comes while Tidings does not answer is delivered again', async () => {
        const inbox = await open();
        const { cut } = tap;
        tap.target = null;
        const sent = Array.from({ length: 5 }, (_, n) => ({ event_type: 'task.updated', user_id: inbox.user, n }));
        for (const event of sent) await publish(event);
        // Longer than a delivery may take, so that Redis is asked for what was not acknowledged.
        await until(() => tap.cut >= cut + 4 * sent.length, WAIT_MS, 'deliveries that are cut off again and again');
        tap.target = server.tasks.http;
        assert.deepEqual(await events(inbox, sent.length), sent);
        await allAcknowledged();
        assert.deepEqual(await inbox.drain(), []);
      });
    });
  }

  it('an application that is not among the scopes has no component', async () => {
    const stranger = await Sidecar.start({ appId: 'stranger', resources });
    try {
      assert.deepEqual((await stranger.metadata()).components ?? [], []);
      await assert.rejects(stranger.publish('task-updates', { user_id: 'u' }, REDIS), /404|400/);
    } finally {
      await stranger.stop();
    }
  });
});
