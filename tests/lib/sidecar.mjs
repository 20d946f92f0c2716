// A stand-in for Dapr's sidecar with pub/sub in memory, for runs without Go. It asks, delivers and takes answers as Dapr 1.18
// does; tests/dapr holds the real one to the same cases (sidecar-cases.mjs), so that the two stay alike.
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { pause, until } from './wait.mjs';

const START_MS = 20_000;
const CLOUD_EVENT = 'application/cloudevents+json';
const isMedia = (contentType, media) => contentType.toLowerCase().startsWith(media);

export class StandIn {
  log = '';
  #appId;
  #app;
  #token;
  #subscriptions = new Map();
  #queues = new Map();
  #retries = false;
  #isHealthy = true;
  #isStopped = false;
  #work = new Set();

  static async start({ appId = 'websocket-service', appPort, resources, env = {}, args = [], topics = [] }) {
    const sidecar = new StandIn();
    sidecar.#appId = appId;
    sidecar.#app = `http://127.0.0.1:${appPort}`;
    sidecar.#token = env.APP_API_TOKEN;
    sidecar.#retries = Object.values(resources).some(({ kind }) => kind === 'Resiliency');
    await until(() => accepts(appPort), START_MS, 'the application');
    // The application's word on a topic counts more than what is declared.
    for (const { kind, spec } of Object.values(resources)) {
      if (kind === 'Subscription') sidecar.#subscribe({ type: 'DECLARATIVE', ...spec, route: spec.routes.default });
    }
    await sidecar.#call('GET', '/dapr/config');
    if (!args.includes('subscribe')) {
      const answer = await sidecar.#call('GET', '/dapr/subscribe');
      if (answer.status === 200) JSON.parse(answer.text || '[]').forEach((entry) => sidecar.#subscribe({ type: 'PROGRAMMATIC', ...entry }));
      else sidecar.#say(`no subscriptions: ${answer.status}`);
    }
    if (args.includes('--enable-app-health-check')) {
      sidecar.#isHealthy = false;
      sidecar.#run(sidecar.#probe(args[args.indexOf('--app-health-check-path') + 1]));
    }
    await until(() => sidecar.#isHealthy && topics.every((topic) => sidecar.#subscriptions.has(topic)), START_MS, () => `subscriptions to ${topics}`);
    return sidecar;
  }

  async metadata() {
    return { subscriptions: [...this.#subscriptions.values()].map(({ topic, type }) => ({ topic, type })) };
  }

  async publish(topic, body, { headers = {}, query = '' } = {}) {
    const metadata = Object.fromEntries([...new URLSearchParams(query)].map(([name, value]) => [name.replace(/^metadata\./, ''), value]));
    this.#put(topic, body, headers['content-type'] ?? 'text/plain', metadata);
  }

  async publishBulk(topic, entries) {
    for (const { event, contentType } of entries) this.#put(topic, event, contentType, {});
  }

  async stop() {
    this.#isStopped = true;
    await Promise.all(this.#work);
  }

  #say(text) { this.log += `${text}\n`; }

  #run(work) {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work));
  }

  async #probe(route) {
    while (!this.#isStopped) {
      const answer = await fetch(this.#app + route).catch(() => null); // without the token
      this.#isHealthy = answer?.ok ?? false;
      await answer?.text();
      await pause(50);
    }
  }

  async #call(method, route, headers = {}, body) {
    const token = this.#token === undefined ? {} : { 'dapr-api-token': this.#token };
    const answer = await fetch(this.#app + route, { method, headers: { 'content-type': 'application/json', 'dapr-app-id': this.#appId, ...token, ...headers }, body });
    return { status: answer.status, text: await answer.text() };
  }

  #subscribe(subscription) {
    const { topic } = subscription;
    this.#subscriptions.set(topic, subscription);
    if (this.#queues.has(topic)) return;
    this.#queues.set(topic, []);
    this.#run(this.#deliverAll(topic));
  }

  // Publishing: an envelope around it, unless it has one or wants none.

  #put(topic, body, contentType, metadata) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const data = metadata.rawPayload === 'true' ? bytes : Buffer.from(JSON.stringify(this.#envelope(topic, bytes, contentType)));
    this.#queues.get(topic)?.push({ data, metadata });
  }

  #envelope(topic, bytes, contentType) {
    const own = { id: randomUUID(), source: this.#appId, specversion: '1.0', type: 'com.dapr.event.sent', time: new Date().toISOString(), traceid: '', traceparent: '', tracestate: '' };
    const place = { topic, pubsubname: 'kafka-pubsub' };
    if (isMedia(contentType, 'application/cloudevents')) return { ...own, ...JSON.parse(bytes), ...place };
    if (isMedia(contentType, 'application/octet-stream')) return { ...own, ...place, datacontenttype: contentType, data_base64: bytes.toString('base64') };
    const text = bytes.toString();
    return { ...own, ...place, datacontenttype: contentType, data: isMedia(contentType, 'application/json') ? parsed(text) ?? text : text };
  }

  // Delivering, one topic's in their order.

  async #deliverAll(topic) {
    const queue = this.#queues.get(topic);
    while (!this.#isStopped) {
      const subscription = this.#subscriptions.get(topic);
      if (queue.length === 0 || !this.#isHealthy) await pause(5);
      else if (subscription.bulkSubscribe?.enabled) await this.#deliverBulk(subscription, queue.splice(0, subscription.bulkSubscribe.maxMessagesCount));
      else await this.#deliver(subscription, queue.shift());
    }
  }

  async #deliver(subscription, message) {
    const body = delivery(subscription, message);
    const outcome = await this.#tryAgain(async () => {
      const { status, text } = await this.#call('POST', subscription.route, { ...message.metadata, 'content-type': CLOUD_EVENT, pubsubname: 'kafka-pubsub' }, body);
      if (status === 404) return 'DROP';
      if (status < 200 || status > 299) return 'RETRY';
      // An empty answer, or one that cannot be read, is a success.
      const { status: said } = parsed(text) ?? {};
      return said === undefined || said === '' ? 'SUCCESS' : said === 'SUCCESS' || said === 'DROP' ? said : 'RETRY';
    });
    this.#settle(subscription, message, outcome);
  }

  async #deliverBulk(subscription, messages) {
    let left = messages.map((message, n) => ({ entryId: String(n), message }));
    await this.#tryAgain(async () => {
      const entries = left.map(({ entryId, message }) => ({ entryId, event: JSON.parse(delivery(subscription, message)), metadata: null, contentType: CLOUD_EVENT }));
      const envelope = { id: randomUUID(), type: 'com.dapr.event.sent.bulk', topic: subscription.topic, pubsubname: 'kafka-pubsub', metadata: { pubsubName: 'kafka-pubsub' }, entries };
      const { status, text } = await this.#call('POST', subscription.route, {}, JSON.stringify(envelope));
      // The other way round than for one: what is not there is to be sent again.
      const statuses = new Map((status === 200 ? parsed(text)?.statuses ?? [] : []).map((row) => [row.entryId, row.status]));
      const outcomeOf = ({ entryId }) => (status === 404 ? 'DROP' : statuses.get(entryId));
      const isDone = (entry) => ['SUCCESS', 'DROP'].includes(outcomeOf(entry));
      left.filter(isDone).forEach((entry) => this.#settle(subscription, entry.message, outcomeOf(entry)));
      left = left.filter((entry) => !isDone(entry));
      return left.length === 0 ? 'SUCCESS' : 'RETRY';
    });
    left.forEach(({ message }) => this.#settle(subscription, message, 'RETRY'));
  }

  /** With a policy for ever, without one once. */
  async #tryAgain(attempt) {
    for (;;) {
      const outcome = await attempt().catch((error) => { this.#say(`retriable error: ${error.cause ?? error}`); return 'RETRY'; });
      if (outcome !== 'RETRY' || !this.#retries || this.#isStopped) return outcome;
      await pause(50);
    }
  }

  #settle({ deadLetterTopic }, message, outcome) {
    if (outcome === 'SUCCESS') return;
    this.#say(`${outcome} status returned from app`);
    if (deadLetterTopic) this.#queues.get(deadLetterTopic)?.push(message);
  }
}

/** What is posted for a message. */
function delivery({ topic, metadata: wanted }, { data, metadata }) {
  if (wanted?.rawPayload === 'true') {
    return JSON.stringify({ id: randomUUID(), source: 'Dapr', specversion: '1.0', type: 'com.dapr.event.sent', topic, pubsubname: 'kafka-pubsub', datacontenttype: 'application/octet-stream', data_base64: data.toString('base64') });
  }
  // As it is; also bytes that the metadata call bytes, and all of it under the label of a CloudEvent.
  return isMedia(metadata['content-type'] ?? '', 'application/octet-stream') ? data : data.toString();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}
