// What a Dapr sidecar sends, and what it must be answered, row by row: the gateway behind a token, with and without Dapr's
// dead letter topic. tests/dapr has the same with the real sidecar.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { envelope } from '../lib/cloudevent.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { metric } from '../lib/metrics.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const TOKEN = 'c2lkZWNhci10b2tlbi1vZi1hdC1sZWFzdC0zMi1ieXRlcw';
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const isPong = (message) => message.type === 'pong';
const CLOUD_EVENT = 'application/cloudevents+json';
const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');

/** The envelope as Dapr makes it, with what it adds to a publisher's. */
const delivered = (data, more = {}) => envelope(data, {
  source: 'backend', traceid: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: '',
  time: '2026-02-07T12:00:00Z', ...more,
});
/** What a subscription for raw payloads gets. */
const raw = (bytes) => delivered(undefined, { source: 'Dapr', datacontenttype: 'application/octet-stream', data_base64: base64(bytes) });
const bulk = (entries) => ({
  id: randomUUID(), type: 'com.dapr.event.sent.bulk', topic: 'task-updates', pubsubname: 'kafka-pubsub', metadata: { pubsubName: 'kafka-pubsub' },
  entries: entries.map((entry, n) => ({ entryId: String(n), metadata: null, contentType: CLOUD_EVENT, ...entry })),
});

describe('dapr: the sidecar', () => {
  let server;
  before(async () => {
    server = await Server.start({ env: { TIDINGS__TASKS__DAPR__API_TOKEN: TOKEN, TIDINGS__TASKS__DAPR__BULK_SUBSCRIBE: 'true' } });
  });
  after(() => server?.stop());
  afterEach(() => Inbox.endAll());

  const ask = (target, options = {}) => request(`${server.tasks.http}${target}`, { ...options, headers: { 'dapr-api-token': TOKEN, ...options.headers } });
  const post = (body, headers = {}, target = '/task-updates') => ask(target, { method: 'POST', headers: { 'content-type': CLOUD_EVENT, ...headers }, body });

  async function open() {
    const user = `user-${randomUUID()}`;
    const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`);
    await inbox.json('the welcome');
    inbox.user = user;
    return inbox;
  }

  const eventFor = (user, more = {}) => ({ event_type: 'task.created', user_id: user, task_id: '456', title: 'New Task', ...more });
  const updates = async (inbox) => (await inbox.drain(isPong)).map(({ event }) => event);
  const letters = () => server.command('dead-letters', 'list').split('\n').filter(Boolean).map((line) => JSON.parse(line));

  /** Sends what `requestFor` makes of an event, and finds that the user gets the event. */
  async function assertTaken(requestFor) {
    const inbox = await open();
    const answer = await post(...requestFor(eventFor(inbox.user)));
    assert.deepEqual([answer.status, answer.json], [200, { status: 'SUCCESS' }], answer.text);
    assert.deepEqual(await updates(inbox), [eventFor(inbox.user)]);
  }

  it('a single event, with all that Dapr adds to the envelope and to the headers', () => assertTaken((event) => [delivered(event), {
    'dapr-app-id': 'websocket-service', pubsubname: 'kafka-pubsub', __key: '456', __offset: '17', __partition: '3', __topic: 'task-updates', __timestamp: '1770465600000', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }]));
  it('declared JSON that Dapr could not parse, as a text', () => assertTaken((event) => [delivered(JSON.stringify(event))]));
  it('a raw payload', () => assertTaken((event) => [raw(event)]));
  it('base64 data of a JSON content type', () => assertTaken((event) => [delivered(undefined, { data_base64: base64(event) })]));
  it('binary mode, its attributes percent-encoded', () => assertTaken((event) => [event, {
    'content-type': 'application/json', 'ce-id': randomUUID(), 'ce-source': '/back%20end', 'ce-specversion': '1.0', 'ce-type': '"task"', 'ce-subject': 'caf%C3%A9',
  }]));

  it('a raw payload again has another id, and comes twice', async () => {
    const inbox = await open();
    for (const body of [raw(eventFor(inbox.user)), raw(eventFor(inbox.user))]) assert.deepEqual((await post(body)).json, { status: 'SUCCESS' });
    assert.equal((await updates(inbox)).length, 2);
  });

  it('in bulk each entry has its own outcome, in whatever form it is', async () => {
    const inbox = await open();
    const event = (n) => eventFor(inbox.user, { task_id: `${n}` });
    const repeated = delivered(event(0));
    const answer = await post(bulk([
      { event: repeated },
      { event: delivered({ event_type: 'task.created' }) },
      { event: base64(event(2)), contentType: 'application/octet-stream' },
      { event: repeated },
      { event: { ...delivered(event(4)), specversion: '0.3' } },
      { event: base64('not json'), contentType: 'application/octet-stream' },
      { event: delivered(undefined, { data_base64: base64(event(6)) }) },
      { event: event(7), contentType: 'application/json' },
      { event: undefined },
    ]), { 'content-type': 'application/json' });
    assert.equal(answer.status, 200);
    const outcomes = ['SUCCESS', 'DROP', 'SUCCESS', 'SUCCESS', 'DROP', 'DROP', 'SUCCESS', 'SUCCESS', 'DROP'];
    assert.deepEqual(answer.json, { statuses: outcomes.map((status, n) => ({ entryId: String(n), status })) });
    assert.deepEqual((await updates(inbox)).map(({ task_id }) => task_id), ['0', '2', '6', '7']);
  });

  it('what can never be delivered is a DROP with status 200, and a dead letter with its reason', async () => {
    const user = { user_id: 'somebody' };
    const rows = [
      ['no user', [delivered({ event_type: 'x' })], 'no_user'],
      ['a user that is none', [delivered({ user_id: ['a'] })], 'invalid_user'],
      ['data that is no JSON', [delivered('not json')], 'not_json'],
      ['a raw payload that is no JSON', [raw('not json')], 'not_json'],
      ['raw bytes under the label of a CloudEvent', ['not json', { ce_id: '1', ce_source: 's', ce_type: 't', ce_specversion: '1.0' }], 'mislabelled'],
      ['a bare event under the label of a CloudEvent', [user], 'mislabelled'],
      ['nothing under the label of a CloudEvent', [''], 'mislabelled'],
      ['an envelope without a source', [delivered(user, { source: undefined })], 'mislabelled'],
      ['data and data_base64', [delivered(user, { data_base64: base64(user) })], 'mislabelled'],
      ['binary mode with a broken header', [user, { 'content-type': 'application/json', 'ce-id': '%ff', 'ce-source': 's', 'ce-specversion': '1.0', 'ce-type': 't' }], 'mislabelled'],
      ['a body that is no JSON', ['not json', { 'content-type': 'text/plain' }], 'not_json'],
      ['an oversize body', [delivered({ ...user, text: 'x'.repeat(BODY_BYTES_MAX) })], 'too_large'],
    ];
    for (const [name, delivery, reason] of rows) {
      const count = letters().length;
      const answer = await post(...delivery);
      assert.deepEqual([answer.status, answer.json], [200, { status: 'DROP' }], name);
      const all = letters();
      assert.deepEqual([all.length, all[0].reason, all[0].source], [count + 1, reason, 'dapr'], name);
    }
  });

  it('an oversize bulk delivery is dropped as a whole, which Dapr is told with 404', async () => {
    const answer = await post(bulk([{ event: delivered({ user_id: 'u', text: 'x'.repeat(BODY_BYTES_MAX) }) }]), { 'content-type': 'application/json' });
    assert.deepEqual([answer.status, letters()[0].reason], [404, 'too_large']);
  });

  it('a delivery of the most bytes is taken', async () => {
    const inbox = await open();
    const body = JSON.stringify(delivered(eventFor(inbox.user, { text: '' })));
    const text = 'x'.repeat(BODY_BYTES_MAX - body.length);
    const answer = await post(body.replace('"text":""', `"text":"${text}"`));
    assert.deepEqual(answer.json, { status: 'SUCCESS' });
    assert.equal((await inbox.json()).event.text.length, text.length);
  });

  it('without the token, or with another, all but the probe is 401, whatever is posted', async () => {
    const accepted = () => metric(server, 'tidings_publishes_total');
    const before = await accepted();
    for (const [headers, code] of [[{}, 'missing_token'], [{ 'dapr-api-token': 'x'.repeat(TOKEN.length) }, 'invalid_token'], [{ 'dapr-api-token': '' }, 'invalid_token'], [{ 'dapr-api-token': TOKEN.slice(0, -1) }, 'invalid_token']]) {
      for (const [method, target] of [['GET', '/dapr/config'], ['GET', '/dapr/subscribe'], ['POST', '/task-updates']]) {
        const body = method === 'POST' ? delivered(eventFor('victim')) : undefined;
        assertProblem(await request(`${server.tasks.http}${target}`, { method, headers: { 'content-type': CLOUD_EVENT, ...headers }, body }), 401, code);
      }
      assert.equal((await request(`${server.tasks.http}/healthz`, { headers })).status, 200);
    }
    assert.equal(await accepted(), before);
  });

  it('what it is asked at the start', async () => {
    const config = await ask('/dapr/config', { headers: { 'dapr-app-id': 'websocket-service' } });
    assert.deepEqual([config.status, config.text], [200, '{}']);
    const subscribe = await ask('/dapr/subscribe', { headers: { 'dapr-app-id': 'websocket-service' } });
    assert.deepEqual(subscribe.json, [{
      pubsubname: 'kafka-pubsub', topic: 'task-updates', route: '/task-updates', bulkSubscribe: { enabled: true, maxMessagesCount: 100, maxAwaitDurationMs: 40 },
    }]);
  });

  it('404 means to Dapr that an event is lost: unknown routes answer it, the known one to nothing but that', async () => {
    assertProblem(await post(delivered(eventFor('u')), {}, '/task-update'), 404);
    assertProblem(await post(delivered(eventFor('u')), {}, '/dapr/events'), 404);
    for (const [body, headers] of [['', {}], ['null', {}], ['[]', { 'content-type': 'application/cloudevents-batch+json' }], ['not json', { 'content-type': '' }], [Buffer.from([0xff]), { 'content-type': 'application/octet-stream' }],
      [bulk([]), { 'content-type': 'application/json' }], [{ ...bulk([]), entries: 7 }, { 'content-type': 'application/json' }]]) {
      const answer = await post(body, headers);
      assert.equal(answer.status, 200, `${body}: ${answer.text}`);
    }
    assert.equal((await ask('/task-updates')).status, 405);
  });
});

describe('dapr: a dead letter topic of its own', () => {
  let server;
  before(async () => { server = await Server.start({ env: { TIDINGS__TASKS__DAPR__DEAD_LETTER_TOPIC: 'task-updates-dead' } }); });
  after(() => server?.stop());

  it('is asked for, and keeps what is dropped instead of Tidings', async () => {
    const [subscription] = (await request(`${server.tasks.http}/dapr/subscribe`)).json;
    assert.equal(subscription.deadLetterTopic, 'task-updates-dead');
    const dropped = () => metric(server, 'tidings_drops_total{reason="no_user"}');
    const before = await dropped();
    const answer = await request(`${server.tasks.http}/task-updates`, { method: 'POST', headers: { 'content-type': CLOUD_EVENT }, body: delivered({ event_type: 'x' }) });
    assert.deepEqual(answer.json, { status: 'DROP' });
    assert.equal(await until(dropped, 5_000, 'the count'), before + 1);
    assert.equal(server.command('dead-letters', 'list'), '');
  });
});

describe('dapr: a listener of its own', () => {
  let server;
  before(async () => { server = await Server.start({ env: { TIDINGS__TASKS__INGEST_LISTEN: '127.0.0.1:0' } }); });
  after(() => server?.stop());

  it('has the routes, and the one for clients has not', async () => {
    const [address] = JSON.parse(readFileSync(path.join(server.dataDir, 'listeners.json'), 'utf8')).ingest;
    const ingest = `http://${address}`;
    const event = { method: 'POST', headers: { 'content-type': CLOUD_EVENT }, body: delivered({ user_id: 'u' }) };
    assert.deepEqual((await request(`${ingest}/task-updates`, event)).json, { status: 'SUCCESS' });
    for (const target of ['/dapr/config', '/dapr/subscribe', '/healthz']) assert.equal((await request(`${ingest}${target}`)).status, 200, target);
    assert.equal((await request(`${server.tasks.http}/task-updates`, event)).status, 404);
    assert.equal((await request(`${server.tasks.http}/dapr/subscribe`)).status, 404);
  });
});
