import assert from 'node:assert/strict';
import { FlowClient } from './flow.mjs';
import { request } from './http.mjs';
import { Inbox } from './inbox.mjs';
import { within } from './wait.mjs';

const WAIT_MS = 10_000;
const COMMAND = 'execute_voice_command';
const ANSWER = 'voice_command_response';
const PACKET = /^([0-6])(?:(\/[^,]*),)?(\d*)([\s\S]*)$/;

/**
 * Where the protocol says a caller's own words back: `command` and `data.query` of an answer, and the accepted `query` and
 * `source` among the parameters of VOICE_COMMAND_EXECUTED.
 */
function echoes(name, data) {
  if (name === ANSWER) return [data.command, data.data?.query];
  if (name === 'voice_event' && data.type === 'VOICE_COMMAND_EXECUTED') return [data.data.parameters.query, data.data.parameters.source];
  return [];
}

/** A text as the audit log masks it. */
function masked(text) {
  const at = text.lastIndexOf('@');
  return `${[...text].slice(0, 1).join('')}***${at < 0 ? '' : text.slice(at)}`;
}

/** A stock Socket.IO client of whose connection a transcript keeps every packet. Not connected yet. */
function listen(transcript, server, { namespace = '/events', ...options }, onEvent = () => {}) {
  transcript.say(namespace);
  const client = new FlowClient(server, { namespace, ...options });
  client.socket.io.engine.on('packet', ({ type, data }) => {
    if (type !== 'message') return transcript.hear(`Engine.IO ${type}`, String(data ?? ''));
    const [, kind, place, , json] = PACKET.exec(data);
    if (kind === '2' || kind === '3') {
      const args = JSON.parse(json);
      const [name, body] = kind === '2' ? args : [ANSWER, args[0]];
      transcript.hear(`Socket.IO ${name}`, data, echoes(name, body));
      if (kind === '2') onEvent(name, body);
    } else {
      // A refusal names the namespace that was asked for.
      transcript.hear('Socket.IO packet', data, [place]);
    }
    return undefined;
  });
  client.socket.io.engine.on('close', (reason, description) => transcript.hear('Engine.IO close', `${reason} ${description?.message ?? description?.description ?? ''}`));
  return client;
}

/** A client of a tenant: one connection that stays, and requests. Of its leads nobody else writes any. */
export class Actor {
  /** Everything that its connection was sent, `{name, data}`. */
  events = [];
  #client;
  #inbox;
  #count = 0;

  /** `kind` is the transport: websocket, polling, upgrade, or the WebSocket without Socket.IO. */
  static async open(server, tenant, kind, letter, random) {
    const actor = Object.assign(new Actor(), { server, tenant, kind, random, key: random.of(tenant.keys), word: `${tenant.mark}${letter}`, own: new Map() });
    const { transcript } = tenant;
    const keep = (name, data) => actor.events.push({ name, data });
    if (kind === 'plain') {
      actor.#inbox = new Inbox(`${server.flow.ws}/events`, { headers: { 'x-tenant-key': actor.key } });
      actor.#inbox.socket.on('message', (bytes) => {
        const { event, data } = JSON.parse(bytes);
        transcript.hear(`plain ${event}`, bytes.toString(), echoes(event, data));
        keep(event, data);
      });
      actor.#inbox.closed.then(({ code, reason }) => transcript.hear('plain close', `${code} ${reason}`));
      await actor.#inbox.find(({ event }) => event === 'connected', 'the welcome');
    } else {
      const transports = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] }[kind];
      actor.#client = listen(transcript, server, { key: actor.key, transports }, keep);
      await actor.#client.next('connected');
    }
    return actor;
  }

  get isConnected() { return this.#inbox ? this.#inbox.socket.readyState === this.#inbox.socket.OPEN : this.#client.socket.connected; }

  close() {
    this.#client?.close();
    this.#inbox?.socket.terminate();
  }

  another() { return this.random.of(this.tenant.others); }
  number() { return this.#count++; }

  /** Sends a command and returns its answer. */
  async command(command, parameters, more = {}) {
    const { transcript } = this.tenant;
    for (const text of [command, parameters?.query, parameters?.source]) {
      if (typeof text === 'string') transcript.say(text);
    }
    if (typeof parameters?.query === 'string') transcript.say(masked(parameters.query));
    const asked = { command, parameters, ...more };
    let response;
    if (this.#inbox) {
      this.#inbox.send({ event: COMMAND, data: asked });
      response = (await this.#inbox.find(({ event }) => event === ANSWER, `the answer to ${command}`)).data;
    } else if (this.random.below(3) === 0) {
      const acknowledged = this.#client.socket.timeout(WAIT_MS).emitWithAck(COMMAND, asked);
      response = await this.#client.next(ANSWER);
      assert.deepEqual(await acknowledged, response);
    } else {
      ({ response } = await this.#client.command(command, parameters, more));
    }
    assert.equal(response.tenant, this.tenant.id);
    return response;
  }

  /** Sends an event that nobody listens to. */
  emit(name, ...args) {
    if (this.#inbox) this.#inbox.send({ event: name, data: args[0] });
    else this.#client.socket.emit(name, ...args);
  }

  /** A request with its own key, unless `key` is another one. */
  async http(method, target, { key = this.key, ...options } = {}) {
    const answer = await request(`${this.server.flow.http}${target}`, { method, key, ...options });
    const head = Array.from(answer.headers, ([name, value]) => `${name}: ${value}\n`).join('');
    this.tenant.transcript.hear(`${method} ${target}`, `${answer.status}\n${head}\n${answer.text}`);
    return answer;
  }

  /** Another connection for a moment: what it is refused with, or the tenant that it is welcomed to and what `during` does. */
  async visit(options, during = async () => {}) {
    const client = listen(this.tenant.transcript, this.server, options);
    try {
      const refused = new Promise((resolve) => { client.socket.once('connect_error', resolve); });
      const outcome = await Promise.race([within(refused, WAIT_MS, 'a refusal or a welcome'), client.next('connected')]);
      if (outcome instanceof Error) return { refusal: outcome.data?.code ?? outcome.message };
      await during(client);
      return { tenant: outcome.tenantId };
    } finally {
      client.close();
    }
  }

  /** The status that a handshake of the plain WebSocket is refused with. */
  async plainRefusal(headers) {
    const inbox = new Inbox(`${this.server.flow.ws}/events`, { headers });
    inbox.socket.on('message', (bytes) => this.tenant.transcript.hear('plain message', bytes.toString()));
    const outcome = await within(inbox.opened.then(() => 101, ({ status }) => status), WAIT_MS, 'a handshake');
    inbox.socket.terminate();
    return outcome;
  }

  // Its leads.

  /** Fields of a new lead, each with the tenant's mark. */
  fields() {
    const { word, tenant: { mark }, random } = this;
    const n = this.number();
    return {
      name: `Lead ${word} ${n}`,
      email: `n${n}.${word}@${mark}.example`,
      ...(random.below(2) ? { company: `Company ${mark}` } : {}),
      ...(random.below(2) ? { phone: `+45 1234${1_000 + n}` } : {}),
      ...(random.below(2) ? { notes: `Told ${mark}\n"in ${n} words", ${mark}` } : {}),
    };
  }

  keep(id, source, payload, tag) {
    const lead = { id, source, status: 'NEW', payload, tag };
    assert.ok(!this.tenant.leads.has(id), `${id} is new`);
    this.tenant.leads.set(id, lead);
    this.tenant.created.push(id);
    this.own.set(id, lead);
  }

  forget({ id }) {
    this.tenant.leads.delete(id);
    this.own.delete(id);
  }

  /** One of its leads; undefined if it has none. */
  someLead() { return this.random.of([...this.own.values()]); }
}
