// The flow gateway but for its commands, each of which has a table of its own in `command-*.test.mjs`.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { FlowClient } from '../lib/flow.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { handshake, RawSocket } from '../lib/raw.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());
afterEach(() => Inbox.endAll());

const open = (key = DEMO_KEYS.demo1, options = {}) => FlowClient.open(server, { key, ...options });
const http = (method, target, { key = DEMO_KEYS.demo1, ...options } = {}) => request(`${server.flow.http}${target}`, { method, key, ...options });
const createLead = (fields, more) => http('POST', '/leads', { body: fields, ...more });

/** Runs with clients that are closed afterwards. */
async function withClients(options, run) {
  const clients = await Promise.all(options.map(({ key, ...more }) => open(key, more)));
  try {
    return await run(...clients);
  } finally {
    clients.forEach((client) => client.close());
  }
}

describe('flow: who may connect', () => {
  for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
    it(`welcomes a tenant key over ${transports.join(', ')}`, () => withClients([{ key: DEMO_KEYS.demo1, transports }], (client) => {
      assert.deepEqual(Object.keys(client.welcome), ['message', 'tenantId', 'timestamp']);
      assert.equal(client.welcome.message, 'Connected to TekUp Events Gateway');
      assert.match(client.welcome.timestamp, TIMESTAMP);
      assert.equal(client.events[0].name, 'connected');
    }));
  }

  it('takes the key from the CONNECT payload where no header can be sent', async () => {
    for (const auth of [{ tenantKey: DEMO_KEYS.demo1 }, { 'x-tenant-key': DEMO_KEYS.demo1 }]) {
      const client = await FlowClient.open(server, { auth, transports: ['websocket'] });
      client.close();
    }
  });

  it('two keys of different tenants are no key', async () => {
    const refusal = await FlowClient.refusal(server, { key: DEMO_KEYS.demo1, auth: { tenantKey: DEMO_KEYS.demo2 } });
    assert.equal(refusal.data.code, 'invalid_api_key');
  });

  const assertRefused = async (options, code) => {
    const refusal = await FlowClient.refusal(server, options);
    assert.match(refusal.message, /^authentication failed: /);
    assert.equal(refusal.data.code, code);
  };
  it('missing_api_key', () => assertRefused({}, 'missing_api_key'));
  it('invalid_api_key', () => assertRefused({ key: 'no-such-key' }, 'invalid_api_key'));
  it('a key in the query is not looked at', () => assertRefused({ query: { 'x-tenant-key': DEMO_KEYS.demo1, tenantKey: DEMO_KEYS.demo1 } }, 'missing_api_key'));

  it('revoked_api_key, within a second of the revocation', async () => {
    const known = new Set(server.command('key', 'list', '--tenant', 'demo1').match(/key_[\w-]+/g));
    const key = server.key('demo1', 'leads:read');
    const listed = server.command('key', 'list', '--tenant', 'demo1');
    assert.ok(!listed.includes(key), 'a list never shows a key');
    const ids = [...new Set(listed.match(/key_[\w-]+/g))].filter((id) => !known.has(id));
    assert.equal(ids.length, 1);
    (await open(key)).close();
    server.command('key', 'revoke', ids[0]);
    await until(async () => (await http('GET', '/leads', { key })).status === 401, 1_500, 'the revocation takes effect');
    await assertRefused({ key }, 'revoked_api_key');
  });

  it('expired_api_key', async () => {
    const key = server.command('key', 'create', '--tenant', 'demo1', '--permission', 'leads:read', '--expires', '1s', '--quiet');
    await until(async () => (await http('GET', '/leads', { key })).status === 401, 5_000, 'the key expires');
    await assertRefused({ key }, 'expired_api_key');
  });

  for (const namespace of ['/', '/other', '/events/more']) {
    it(`the namespace ${namespace} is invalid`, async () => {
      const refusal = await FlowClient.refusal(server, { key: DEMO_KEYS.demo1, namespace });
      assert.equal(refusal.message, 'Invalid namespace');
    });
  }

  it('a foreign origin is refused with code 4', async () => {
    const target = `${server.flow.http}/socket.io/?EIO=4&transport=polling`;
    const foreign = await request(target, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(foreign.status, 403);
    assert.equal(foreign.json.code, 4);
    const local = await request(target, { headers: { origin: 'http://localhost:3000' } });
    assert.equal(local.status, 200);
    assert.equal(local.headers.get('access-control-allow-origin'), 'http://localhost:3000');
  });

  it('Engine.IO answers without the trailing slash too', async () => {
    assert.equal((await request(`${server.flow.http}/socket.io?EIO=4&transport=polling`)).status, 200);
  });
});

describe('flow: tenants', () => {
  it('what happens in one is not seen in the other', () => withClients([{ key: DEMO_KEYS.demo1 }, { key: DEMO_KEYS.demo2 }], async (one, two) => {
    const { response } = await one.command('create_lead', { name: 'Secret Customer', email: 'secret@example.com' });
    const { response: searched, before: seen } = await two.command('search_leads', { query: 'secret' });
    assert.deepEqual(seen.map(({ data }) => data.type), ['VOICE_PROCESSING_STARTED', 'VOICE_COMMAND_EXECUTED', 'VOICE_PROCESSING_COMPLETED']);
    assert.ok(seen.every(({ data }) => data.tenantId === two.welcome.tenantId));
    assert.equal(searched.data.total, 0);
    assertProblem(await http('GET', `/leads/${response.data.leadId}`, { key: DEMO_KEYS.demo2 }), 404);
    assert.equal((await http('GET', `/leads/${response.data.leadId}`)).status, 200);
  }));
});

describe('flow: leads over HTTP', () => {
  it('needs a key', async () => {
    assertProblem(await request(`${server.flow.http}/leads`), 401, 'missing_api_key');
    assertProblem(await http('GET', '/leads', { key: 'no-such-key' }), 401, 'invalid_api_key');
    const other = await request(`${server.flow.http}/leads`, { headers: { 'x-api-key': DEMO_KEYS.demo1 } });
    assert.equal(other.status, 200);
  });

  it('needs the permission', async () => {
    const key = server.key('demo1', 'leads:read');
    assert.equal((await http('GET', '/leads', { key })).status, 200);
    assertProblem(await createLead({ name: 'A', email: 'a@example.com' }, { key }), 403);
  });

  it('POST makes a lead, and the room hears of it', () => withClients([{}], async (client) => {
    const answer = await createLead({ name: 'Http Lead', email: 'http@example.com' });
    assert.equal(answer.status, 201);
    assert.deepEqual(Object.keys(answer.json), ['id', 'tenantId', 'source', 'status', 'payload', 'createdAt', 'updatedAt']);
    assert.deepEqual([answer.json.source, answer.json.status], ['http', 'NEW']);
    const event = await client.next('lead_event');
    assert.deepEqual([event.type, event.leadId, event.source], ['LEAD_CREATED', answer.json.id, 'http']);
    assert.deepEqual((await http('GET', `/leads/${answer.json.id}`)).json, answer.json);
  }));

  it('POST refuses what is no lead', async () => {
    for (const body of [{ name: 'A' }, { email: 'a@example.com' }, { name: 'A', email: 'nowhere' }, [], '{', 'null']) {
      const answer = await createLead(body);
      assert.ok(answer.status === 400 || answer.status === 422, `${JSON.stringify(body)}: ${answer.status}`);
      assertProblem(answer, answer.status);
    }
  });

  it('an idempotency key makes a repeated POST one lead', async () => {
    const send = (email) => createLead({ name: 'Once', email }, { headers: { 'idempotency-key': 'same-key-1' } });
    const [first, second] = [await send('once@example.com'), await send('once@example.com')];
    assert.equal(first.status, 201);
    assert.equal(second.json.id, first.json.id);
  });

  it('GET pages through all leads once, newest first', async () => {
    const key = server.key('paged', 'leads:read', 'leads:write');
    const made = [];
    for (let n = 0; n < 25; n += 1) made.push((await createLead({ name: `Lead ${n}`, email: `l${n}@example.com` }, { key })).json.id);
    const seen = [];
    let cursor;
    do {
      const { status, json } = await http('GET', `/leads?limit=10${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, { key });
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(json), ['data', 'meta']);
      assert.deepEqual(Object.keys(json.meta), ['total', 'limit', 'nextCursor']);
      assert.deepEqual([json.meta.total, json.meta.limit], [25, 10]);
      seen.push(...json.data.map((lead) => lead.id));
      cursor = json.meta.nextCursor;
    } while (cursor);
    assert.deepEqual(seen, made.reverse());
    assertProblem(await http('GET', '/leads?cursor=made-up', { key }), 400);
    assertProblem(await http('GET', '/leads?limit=0', { key }), 400);
    assert.equal((await http('GET', '/leads?q=Lead+7', { key })).json.meta.total, 1);
    assert.equal((await http('GET', '/leads?status=LOST', { key })).json.meta.total, 0);
  });

  it('an unknown lead is 404', async () => {
    for (const id of ['lead_00000000-0000-7000-8000-000000000000', 'x', '%00']) assertProblem(await http('GET', `/leads/${id}`), 404);
  });

  it('a form is a lead, and needs a way to reach the person', () => withClients([{}], async (client) => {
    const answer = await http('POST', '/ingest/form', { body: { source: 'website', payload: { name: 'Form', email: 'form@example.com', color: 'red' } } });
    assert.equal(answer.status, 201);
    assert.equal(answer.json.payload.color, 'red');
    const event = await client.next('lead_event');
    assert.equal(event.leadId, answer.json.id);
    assertProblem(await http('POST', '/ingest/form', { body: { payload: { name: 'Nobody' } } }), 400);
    assertProblem(await request(`${server.flow.http}/ingest/form`, { method: 'POST', body: { payload: { email: 'a@example.com' } } }), 401, 'missing_api_key');
  }));

  it('health', async () => {
    const { status, json } = await request(`${server.flow.http}/health`);
    assert.equal(status, 200);
    assert.deepEqual([json.status, json.service], ['healthy', 'flow-api']);
  });

  it('an unknown path is a problem', async () => assertProblem(await http('GET', '/no/such/path'), 404));
});

describe('flow: the plain WebSocket on /events', () => {
  const plain = (key) => Inbox.open(`${server.flow.ws}/events`, { headers: { 'x-tenant-key': key } });

  it('has the same namespace in frames of event and data', () => withClients([{}], async (client) => {
    const inbox = await plain(DEMO_KEYS.demo1);
    const welcome = await inbox.json();
    assert.deepEqual(Object.keys(welcome), ['event', 'data']);
    assert.deepEqual([welcome.event, welcome.data.message], ['connected', 'Connected to TekUp Events Gateway']);
    inbox.send({ event: 'execute_voice_command', data: { command: 'create_lead', parameters: { name: 'Plain', email: 'plain@example.com' } } });
    const names = [];
    for (let frame = await inbox.json(); ; frame = await inbox.json()) {
      names.push(frame.data.type ?? frame.event);
      if (frame.event === 'voice_command_response') {
        assert.equal(frame.data.success, true);
        break;
      }
    }
    assert.deepEqual(names, ['VOICE_PROCESSING_STARTED', 'LEAD_CREATED', 'VOICE_COMMAND_EXECUTED', 'VOICE_PROCESSING_COMPLETED', 'voice_command_response']);
    assert.equal((await client.next('lead_event')).type, 'LEAD_CREATED');
    await inbox.close();
  }));

  const status = async (headers) => {
    const port = Number(server.flow.address.split(':').at(-1));
    const socket = new RawSocket(port);
    socket.write(handshake(port, { path: '/events', headers: { 'x-tenant-key': DEMO_KEYS.demo1, ...headers } }));
    try {
      return await socket.response();
    } finally {
      socket.destroy();
    }
  };
  const [noVersion, noWebSocketKey, noTenantKey] = [{ 'Sec-WebSocket-Version': null }, { 'Sec-WebSocket-Key': null }, { 'x-tenant-key': null }];

  it('asks for the key first, then the version, then the handshake key', async () => {
    assert.equal((await status({})).status, 101);
    assert.equal((await status({ ...noTenantKey, ...noVersion, ...noWebSocketKey })).status, 401);
    assert.equal((await status({ 'x-tenant-key': 'no-such-key', ...noVersion })).status, 401);
    const upgradeRequired = await status({ ...noVersion, ...noWebSocketKey });
    assert.deepEqual([upgradeRequired.status, upgradeRequired.headers['sec-websocket-version']], [426, '13']);
    assert.equal((await status({ 'Sec-WebSocket-Version': '8' })).status, 426);
    assert.equal((await status(noWebSocketKey)).status, 400);
  });

  it('a plain GET is told to upgrade', async () => {
    assertProblem(await http('GET', '/events'), 426);
  });
});
