import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { FlowClient } from './flow.mjs';
import { request } from './http.mjs';
import { assertSameKeys, TIMESTAMP } from './inbox.mjs';
import { Server } from './server.mjs';
import { until } from './wait.mjs';

const WAIT_MS = 5_000;
const EVENT_ID = /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ENVELOPE = ['id', 'type', 'tenantId', 'source', 'timestamp', 'data'];
const FAILURE = ['success', 'command', 'error', 'tenant', 'timestamp'];
const INVALID = ['success', 'command', 'error', 'details', 'tenant', 'timestamp'];
export const PERMISSIONS = ['leads:read', 'leads:write', 'metrics:read', 'backup:run', 'compliance:run'];

/** The same values, and the same keys in the same order. */
export function assertSame(actual, expected, what) {
  assert.deepEqual(actual, expected, what);
  if (expected && typeof expected === 'object') assertSameKeys(actual, expected, what);
}

/** A server with a tenant `acme`, whose room three clients are in, and another one, `rival`, with one. */
export class Room {
  tenant = 'acme';
  slug = 'acme-as-slug';
  rival = { id: 'rival', slug: 'rival-as-slug' };
  #clients = [];

  /**
   * The caller may do everything, the colleague hears all there is to hear, and who reads no leads all but lead events.
   * The caller and the stranger connect as stock clients do, by polling and then an upgrade.
   */
  static async open(database, env = {}) {
    const room = new Room();
    room.server = await Server.start({ env: { ...database.env(), ...env } });
    try {
      await room.#enter();
    } catch (error) {
      await room.close();
      throw error;
    }
    return room;
  }

  async #enter() {
    this.server.command('tenant', 'create', this.tenant, '--slug', this.slug);
    this.server.command('tenant', 'create', this.rival.id, '--slug', this.rival.slug);
    this.key = this.server.key(this.tenant, 'admin');
    this.caller = await this.client({ key: this.key });
    this.colleague = await this.client({ permissions: ['leads:read'], transports: ['websocket'] });
    this.leadless = await this.client({ permissions: PERMISSIONS.filter((name) => name !== 'leads:read'), transports: ['polling'] });
    this.stranger = await this.client({ tenant: this.rival.id, permissions: ['admin'] });
  }

  async client({ tenant = this.tenant, permissions = ['admin'], key = this.server.key(tenant, ...permissions), ...options }) {
    const client = await FlowClient.open(this.server, { key, ...options });
    client.hearsLeads = permissions.some((name) => name === 'admin' || name === 'leads:read');
    this.#clients.push(client);
    return client;
  }

  async close() {
    this.#clients.forEach((client) => client.close());
    await this.server?.stop();
  }

  http(method, target, body) {
    return request(`${this.server.flow.http}${target}`, { method, key: this.key, body });
  }

  /** A new lead over HTTP, as a form sends it. */
  async lead(source, payload) {
    const answer = await this.http('POST', '/ingest/form', { source, payload });
    assert.equal(answer.status, 201, answer.text);
    return answer.json;
  }

  /** Imports leads as they are exported, which is heard of before this returns. */
  async import(...leads) {
    const file = path.join(this.server.dataDir, 'leads.jsonl');
    writeFileSync(file, leads.map((lead) => JSON.stringify(lead)).join('\n'));
    this.server.command('lead', 'import', '--tenant', this.tenant, file);
    const isTold = ({ events }) => events.some(({ data }) => data.type === 'SYNC_COMPLETED' && data.data.operation === 'import');
    await until(() => [this.caller, this.colleague, this.leadless].every(isTold), WAIT_MS, 'the end of an import');
  }

  /**
   * Sends a request and returns its answer, which is the acknowledgement too, with everything that each client has heard
   * of it. What the server tells to `isEnd`, if given, is waited for.
   */
  async ask(message, { as = this.caller, isEnd } = {}) {
    const clients = new Set([as, this.caller, this.colleague, this.leadless, this.stranger]);
    await this.#settle(clients);
    this.before = this.#counted();
    const from = new Map([...clients].map((client) => [client, client.events.length]));
    const acknowledgement = as.socket.timeout(WAIT_MS).emitWithAck('execute_voice_command', message);
    const answer = await as.next('voice_command_response');
    assertSame(await acknowledgement, answer, 'the acknowledgement');
    const isOver = (client) => client.events.slice(from.get(client)).some(({ data }) => isEnd(data));
    const insiders = [...clients].filter((client) => client !== this.stranger);
    if (isEnd && answer.success) await until(() => insiders.every(isOver), WAIT_MS, 'the end of what was begun');
    await this.#settle(clients);
    const isAsked = ({ name, data }) => name !== 'voice_command_response' || data.command !== 'settle';
    return { answer, heard: (client) => client.events.slice(from.get(client)).filter(isAsked) };
  }

  /** How many answers, events and connections the tenant has had. */
  #counted() {
    const mine = this.#clients.filter((client) => client !== this.stranger);
    const answers = mine.flatMap(({ events }) => events).filter(({ name }) => name === 'voice_command_response');
    const told = (kind) => this.colleague.events.filter(({ name }) => name === kind).length;
    return {
      opened: mine.length,
      succeeded: answers.filter(({ data }) => data.success).length,
      failed: answers.filter(({ data }) => !data.success).length,
      integration_event: told('integration_event'),
      voice_event: told('voice_event'),
    };
  }

  /** What is sent to nobody else is answered behind everything that was published before. */
  async #settle(clients) {
    await Promise.all([...clients].map((client) => client.command('settle')));
  }

  /** A failure that only the caller hears of. */
  async fails(message, error, options) {
    this.assertFailed(await this.ask(message, options), message, error, options);
  }

  assertFailed({ answer, heard }, message, error, { details, as = this.caller } = {}) {
    assert.deepEqual(Object.keys(answer), details ? INVALID : FAILURE);
    const command = typeof message?.command === 'string' ? message.command : null;
    const { timestamp, ...rest } = answer;
    assert.match(timestamp, TIMESTAMP);
    assertSame(rest, { success: false, command, error, ...(details && { details }), tenant: this.tenant }, 'the answer');
    if (details) details.forEach((detail, index) => assertSame(answer.details[index], detail, `detail ${index}`));
    assert.deepEqual(heard(as), [{ name: 'voice_command_response', data: answer }]);
    for (const client of [this.caller, this.colleague, this.leadless, this.stranger]) {
      if (client !== as) assert.deepEqual(heard(client), []);
    }
  }

  /** A failure in the middle: the room hears that it began and how it ended. */
  async breaks(message, error) {
    const { command } = message;
    const { answer, heard } = await this.ask(message);
    const { timestamp, ...rest } = answer;
    assertSame(rest, { success: false, command, error, tenant: this.tenant }, 'the answer');
    this.#assertHeard(heard, answer, this.caller, [
      voice('VOICE_PROCESSING_STARTED', { command }),
      voice('VOICE_PROCESSING_COMPLETED', { command, success: false, duration: 'ms', error }),
    ], []);
  }

  /**
   * A success. `expect` tells from the answer's data what all of it must be: `data`, the `accepted` parameters, the
   * `summary` for the room, what the command `published`, and what the room hears behind the answer, up to `isEnd`.
   */
  async succeeds(message, expect, { as = this.caller, isEnd } = {}) {
    const { command } = message;
    const { answer, heard } = await this.ask(message, { as, isEnd });
    assert.equal(answer.success, true, JSON.stringify(answer));
    const expected = await expect(this, answer.data, heard(this.colleague).at(-1)?.data);
    const { timestamp, ...rest } = answer;
    assert.match(timestamp, TIMESTAMP);
    assertSame(rest, { success: true, command, data: expected.data, tenant: this.tenant }, 'the answer');
    const { accepted = message.parameters ?? {}, summary, published = [], behind = [] } = expected;
    this.#assertHeard(heard, answer, as, [
      voice('VOICE_PROCESSING_STARTED', { command }),
      ...published,
      voice('VOICE_COMMAND_EXECUTED', { command, parameters: accepted, response: summary, duration: 'ms' }),
      voice('VOICE_PROCESSING_COMPLETED', { command, success: true, duration: 'ms' }),
    ], behind);
  }

  /** Everybody in the room heard this, in this order, the caller the answer in between; and nobody else anything. */
  #assertHeard(heard, answer, as, expected, behind) {
    const all = heard(this.colleague);
    assertSame(all.map((event) => this.#told(event)), [...expected, ...behind], 'what the room hears');
    const audible = (client, events) => events.filter(({ name }) => client.hearsLeads || name !== 'lead_event');
    const position = expected.length;
    assert.deepEqual(heard(as), audible(as, [...all.slice(0, position), { name: 'voice_command_response', data: answer }, ...all.slice(position)]));
    for (const client of [this.caller, this.leadless]) if (client !== as) assert.deepEqual(heard(client), audible(client, all));
    assert.deepEqual(heard(this.stranger), []);
  }

  /** An event without what is different each time, which only has to have the right form. */
  #told({ name, data: { id, tenantId, timestamp, ...event }, data: whole }) {
    assert.deepEqual(Object.keys(whole).filter((key) => key !== 'leadId'), ENVELOPE);
    assert.match(id, EVENT_ID);
    assert.match(timestamp, TIMESTAMP);
    assert.equal(tenantId, this.tenant);
    if ('duration' in event.data) {
      const { duration } = event.data;
      assert.ok(Number.isInteger(duration) && duration >= 0, `${duration}`);
      event.data = { ...event.data, duration: 'ms' };
    }
    return { name, ...event };
  }
}

const voice = (type, data) => ({ name: 'voice_event', type, source: 'voice', data });
