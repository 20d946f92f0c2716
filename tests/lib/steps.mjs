// What clients of a tenant do: with their own, and reaching for what is another's. Each step says what must come of it;
// what must not come with it, the transcripts tell.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { assertProblem } from './http.mjs';
import { COMMON_PREFIX } from './tenant.mjs';

const STATUSES = ['NEW', 'CONTACTED', 'QUALIFIED', 'LOST'];
const NEXT = { NEW: ['CONTACTED', 'QUALIFIED', 'LOST'], CONTACTED: ['QUALIFIED', 'LOST'], QUALIFIED: ['LOST'], LOST: ['NEW'] };
const PERIODS = ['day', 'week', 'month', 'year', 'all'];
const LONG_AGO = { from: '2001-01-01', to: '2002-01-01T00:00:00Z' };

/** A step for `random.of`, as often as its weight says. */
const times = (weight, step) => Array(weight).fill(step);
const encoded = encodeURIComponent;

function assertOwn(actor, leads) {
  for (const lead of leads) assert.equal(lead.tenantId, actor.tenant.id);
}

function assertLead(lead, { id, source, status, payload }) {
  assert.deepEqual([lead.id, lead.source, lead.status, lead.payload], [id, source, status, payload]);
}

/** Something of another tenant's to ask for: words, names, ids. */
function wordOf(other, random) {
  return random.of([
    other.mark, other.mark.slice(0, -1), other.mark.toUpperCase(), `lead ${other.mark}`, `n0@${other.mark}.example`, `+45 ${other.mark}`, other.formSource, other.id, other.slug,
    `"${other.mark}" OR ${COMMON_PREFIX}x`, ...other.created.slice(-1), ...other.jobs.slice(-1), random.of(other.keys),
  ]);
}

/** An id of a lead of another's, alive or gone. */
const leadOf = (other, random) => random.of(other.created) ?? `lead_${randomUUID()}`;

// Its own.

async function createByCommand(actor) {
  const { tenant, random } = actor;
  const fields = actor.fields();
  const tenantId = random.of([undefined, null, tenant.id, tenant.slug]);
  const response = await actor.command('create_lead', fields, { tenantId });
  assert.equal(response.success, true, JSON.stringify(response));
  actor.keep(response.data.leadId, 'voice', fields);
  assert.equal(response.data.lead.tenantId, tenant.id);
}

async function createByHttp(actor) {
  const { tenant, random } = actor;
  const fields = actor.fields();
  const other = actor.another();
  // What the body says of tenant and id is passed over.
  const forged = random.below(2) ? { tenantId: other.id, tenant: other.slug, id: leadOf(other, random), tenant_id: other.id } : {};
  const body = { ...fields, ...forged };
  const ownKey = `${tenant.mark}-${random.below(1_000_000)}`;
  // A key that another tenant used, for another request, is a new one here.
  const idempotencyKey = random.of([undefined, ownKey, random.of(other.ownKeys), random.of(other.ownKeys)]);
  if (tenant.usedKeys.has(idempotencyKey)) return;
  if (idempotencyKey) tenant.usedKeys.add(idempotencyKey);
  if (idempotencyKey === ownKey) tenant.ownKeys.push(ownKey);
  const headers = { ...(idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}), 'x-tenant-id': other.id };
  const send = (more) => actor.http('POST', '/leads', { headers, body: { ...body, ...more } });
  const answer = await send();
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers.get('idempotency-replayed'), null);
  assertLead(answer.json, { id: answer.json.id, source: 'http', status: 'NEW', payload: fields });
  actor.keep(answer.json.id, 'http', fields, answer.headers.get('etag'));
  if (idempotencyKey && random.below(2)) {
    const again = await send();
    assert.deepEqual([again.status, again.headers.get('idempotency-replayed'), again.json.id], [201, 'true', answer.json.id]);
    assertProblem(await send({ notes: `Other ${tenant.mark}` }), 409, 'conflict');
  }
}

async function sendForm(actor) {
  const { tenant, random } = actor;
  const payload = { ...actor.fields(), colour: `red ${tenant.mark}`, pages: [1, { seen: tenant.mark }] };
  const source = random.of([undefined, tenant.formSource]);
  const answer = await actor.http('POST', `/ingest/form?tenant=${actor.another().id}`, { body: { source, payload, tenantId: actor.another().id } });
  assert.equal(answer.status, 201, answer.text);
  actor.keep(answer.json.id, source ?? 'form', payload, answer.headers.get('etag'));
}

async function patchOwn(actor) {
  const { tenant, random } = actor;
  const lead = actor.someLead();
  if (!lead) return;
  const n = actor.number();
  const payload = random.of([{ notes: `Changed ${tenant.mark} ${n}` }, { company: null }, { score: n, stage: { of: tenant.mark } }, { phone: null, notes: null, colour: `blue ${n}` }]);
  const [headers, isStale] = random.of([[{}, false], [{ 'if-match': '*' }, false], [lead.tag ? { 'if-match': lead.tag } : {}, false], [{ 'if-match': '"999999"' }, true]]);
  const answer = await actor.http('PATCH', `/leads/${lead.id}`, { headers, body: { payload, tenantId: actor.another().id } });
  if (isStale) return assertProblem(answer, 412, 'precondition_failed');
  assert.equal(answer.status, 200, answer.text);
  lead.payload = Object.fromEntries(Object.entries({ ...lead.payload, ...payload }).filter(([, value]) => value !== null));
  lead.tag = answer.headers.get('etag');
  return assertLead(answer.json, lead);
}

async function changeOwnStatus(actor) {
  const lead = actor.someLead();
  if (!lead) return;
  const status = actor.random.of(STATUSES);
  const answer = await actor.http('PATCH', `/leads/${lead.id}/status`, { body: { status } });
  if (status !== lead.status && !NEXT[lead.status].includes(status)) return assertProblem(answer, 409, 'illegal_transition');
  assert.equal(answer.status, 200, answer.text);
  lead.status = status;
  lead.tag = answer.headers.get('etag');
  return assertLead(answer.json, lead);
}

async function deleteOwn(actor) {
  const lead = actor.someLead();
  if (!lead) return;
  actor.forget(lead);
  assert.equal((await actor.http('DELETE', `/leads/${lead.id}`)).status, 204);
  assertProblem(await actor.http('GET', `/leads/${lead.id}`), 404);
}

async function readOwn(actor) {
  const lead = actor.someLead();
  if (!lead) return;
  const answer = await actor.http('GET', `/leads/${lead.id}`);
  assert.equal(answer.status, 200, answer.text);
  assertLead(answer.json, lead);
  lead.tag = answer.headers.get('etag');
  assert.equal((await actor.http('GET', `/leads/${lead.id}`, { headers: { 'if-none-match': lead.tag } })).status, 304);
  const past = await actor.http('GET', `/leads/${lead.id}/history`);
  assert.ok(past.json.data.every(({ leadId, actor: who }) => leadId === lead.id && who.startsWith('key_')), past.text);
}

async function searchOwn(actor) {
  const { random } = actor;
  const status = random.of([undefined, ...STATUSES]);
  const expected = [...actor.own.values()].filter((lead) => !status || lead.status === status).map(({ id }) => id).sort();
  const date_range = random.of([undefined, 'today', 'week', { from: '2020-01-01' }]);
  const { data } = await actor.command('search_leads', { query: actor.word, status, date_range });
  assert.equal(data.total, expected.length);
  if (expected.length <= 100) assert.deepEqual(data.leads.map(({ id }) => id).sort(), expected);
  // Nothing but its own writes is in it, so that pages do not shift.
  const found = [];
  let cursor = '';
  do {
    const { status: code, json, text } = await actor.http('GET', `/leads?limit=${random.of([20, 50, 100])}&q=${actor.word}${status ? `&status=${status}` : ''}${cursor && `&cursor=${cursor}`}`);
    assert.equal(code, 200, text);
    assert.equal(json.meta.total, expected.length);
    found.push(...json.data.map(({ id }) => id));
    cursor = json.meta.nextCursor;
    if (cursor) actor.tenant.cursors.push(cursor);
  } while (cursor);
  assert.deepEqual(found.sort(), expected);
}

async function getLeads(actor) {
  const { random } = actor;
  const [status, source] = [random.of([undefined, ...STATUSES]), random.of([undefined, 'voice', 'http', 'form'])];
  const least = [...actor.own.values()].filter((lead) => (!status || lead.status === status) && (!source || lead.source === source)).length;
  const { success, data } = await actor.command('get_leads', { status, source, limit: random.of([undefined, 1, 100]) });
  assert.ok(success && data.total >= least, `${data?.total} of ${least}`);
  assertOwn(actor, data.leads);
}

async function getMetrics(actor) {
  const { random } = actor;
  const { success, data } = await actor.command('get_metrics', { metric_type: random.of(['leads', 'voice', 'events', 'connections', 'all']), period: random.of(PERIODS) });
  assert.equal(success, true, JSON.stringify(data));
}

async function startBackup(actor) {
  const { random, tenant } = actor;
  const response = await actor.command('start_backup', { backup_type: random.of(['full', 'incremental']), priority: random.of(['low', 'normal', 'high']) });
  if (response.success) tenant.jobs.push(response.data.backup.id);
  else assert.equal(response.error, 'Rate limited');
}

async function checkCompliance(actor) {
  const { random, tenant } = actor;
  const response = await actor.command('compliance_check', { check_type: random.of(['gdpr', 'nis2', 'security', 'all']), severity: random.of(['low', 'high']) });
  if (response.success) tenant.reports.push(response.data.compliance.id);
  else assert.ok(['Rate limited', 'Service unavailable'].includes(response.error), response.error);
}

/** The application tells the tenant's clients something of its own. */
async function publishNotice(actor) {
  const { server, tenant, random } = actor;
  tenant.notices += 1;
  const room = `tenant:${tenant.id}`;
  const data = { notice: tenant.mark };
  await server.publish({ kind: random.of(['notice', 'lead_event', 'join', 'tenant']), data, ...random.of([{ room }, { rooms: [room] }, { room, gateways: ['flow'] }]) });
}

// Reaching for another's.

async function searchAnothers(actor) {
  const { random } = actor;
  const word = wordOf(actor.another(), random);
  const { success, data } = await actor.command('search_leads', { query: word, date_range: random.of([undefined, 'year']) });
  assert.deepEqual([success, data.total, data.leads], [true, 0, []]);
  const answer = await actor.http('GET', `/leads?q=${encoded(word)}&from=2020-01-01&tenantId=${actor.another().id}`);
  assert.deepEqual([answer.status, answer.json.meta.total, answer.json.data], [200, 0, []]);
}

/** Queries that find everything, or nothing: of the caller's. */
async function searchWide(actor) {
  const { random } = actor;
  const query = random.of([COMMON_PREFIX, COMMON_PREFIX[0], 'lead', 'example', 'l e', ' ', '*', '%', '_', '"*!', `${COMMON_PREFIX}* OR 1`]);
  const finds = /^[a-z ]*[a-z][a-z ]*$/.test(query);
  const { success, data } = await actor.command('search_leads', { query });
  assert.ok(success && data.total >= (finds ? actor.own.size : 0), `${query}: ${data?.total} of ${actor.own.size}`);
  assertOwn(actor, data.leads);
  const { data: none } = await actor.command('search_leads', { query, date_range: LONG_AGO });
  assert.equal(none.total, 0);
  const answer = await actor.http('GET', `/leads?q=${encoded(query)}&limit=100`);
  assertOwn(actor, answer.json.data);
  assert.equal((await actor.http('GET', `/leads?from=${LONG_AGO.from}&to=${LONG_AGO.to}`)).json.meta.total, 0);
}

async function listByAnothersSource(actor) {
  const source = actor.another().formSource;
  const { data } = await actor.command('get_leads', { source });
  assert.deepEqual([data.total, data.leads], [0, []]);
  assert.equal((await actor.http('GET', `/leads?source=${source}`)).json.meta.total, 0);
}

async function pageByAnothersCursor(actor) {
  const cursor = actor.random.of(actor.another().cursors);
  if (!cursor) return;
  const answer = await actor.http('GET', `/leads?limit=3&cursor=${cursor}`);
  assert.equal(answer.status, 200, answer.text);
  assertOwn(actor, answer.json.data);
}

/** Another's lead and one that there is not look the same, whatever one wants of it. */
async function touchAnothers(actor) {
  const { random, tenant } = actor;
  const id = leadOf(actor.another(), random);
  const headers = random.of([{}, { 'if-match': '*' }, { 'if-match': '"1"' }, { 'x-tenant-id': actor.another().id }]);
  const [method, suffix, body] = random.of([
    ['GET', ''], ['GET', '/history'], ['DELETE', ''], ['PATCH', '', { payload: { notes: tenant.mark } }], ['PATCH', '/status', { status: random.of(STATUSES) }],
  ]);
  const ask = async (lead) => {
    const idempotency = method === 'GET' || random.below(2) ? {} : { 'idempotency-key': `${tenant.mark}-${randomUUID()}` };
    return actor.http(method, `/leads/${lead}${suffix}`, { body, headers: method === 'GET' ? { 'if-none-match': '*' } : { ...headers, ...idempotency } });
  };
  const [foreign, unknown] = [await ask(id), await ask(`lead_${randomUUID()}`)];
  assertProblem(foreign, 404, 'not_found');
  assert.equal(foreign.text, unknown.text);
}

async function readAnothersReport(actor) {
  const other = actor.another();
  const id = actor.random.of([...other.reports, ...other.jobs]) ?? `job_${randomUUID()}`;
  assertProblem(await actor.http('GET', `/compliance/reports/${id}`), 404);
}

async function forgeTenant(actor) {
  const { random, tenant } = actor;
  const other = actor.another();
  const tenantId = random.of([other.id, other.slug, [tenant.id], [other.id], { id: other.id }, `${tenant.id} `, `${tenant.id},${other.id}`, `tenant:${other.id}`, tenant.id.toUpperCase(), '', '*', 7, true, other.mark]);
  const [command, parameters] = random.of([
    ['get_leads', { limit: 100 }], ['search_leads', { query: other.mark }], ['create_lead', actor.fields()], ['get_metrics', { period: 'all' }], ['start_backup', {}], ['compliance_check', {}],
  ]);
  const response = await actor.command(command, parameters, { tenantId });
  assert.deepEqual([response.success, response.error, response.data], [false, 'Access denied', undefined]);
}

/** Parameters that name a tenant are none. */
async function forgeParameters(actor) {
  const other = actor.another();
  const { data } = await actor.command('get_leads', { limit: 100, tenantId: other.id, tenant: other.slug, tenant_id: other.id });
  assertOwn(actor, data.leads);
  const wrong = await actor.command('get_leads', actor.random.of([[other.id], other.mark, { status: other.mark }, { source: [other.formSource] }, { limit: other.id }]));
  assert.equal(wrong.error, 'Invalid parameters');
}

async function unknownCommand(actor) {
  const other = actor.another();
  const command = actor.random.of([`join tenant:${other.id}`, `get_leads ${other.mark}`, `restore_backup ${actor.random.of(other.jobs) ?? other.id}`, leadOf(other, actor.random)]);
  const response = await actor.command(command, { tenantId: other.id, room: `tenant:${other.id}` });
  assert.deepEqual([response.error, response.command], ['Unknown command', command]);
}

/** Nobody listens to what asks for a room. Had it been heard, all that comes later would be in the transcript. */
async function emitJoin(actor) {
  const { random } = actor;
  const other = actor.another();
  const room = random.of([`tenant:${other.id}`, `tenant:${other.slug}`, other.id, '*', 'tenant:*', `/events#tenant:${other.id}`]);
  const name = random.of(['join', 'subscribe', 'join_room', 'joinRoom', 'room', 'tenant', 'voice_event', 'connected', `tenant:${other.id}`, `join tenant:${other.id}`]);
  actor.emit(name, random.of([room, [room], { room, tenantId: other.id }, { rooms: [room] }, { type: 'subscribe', room_id: room }]));
}

async function connectWithTwoKeys(actor) {
  const { key, random } = actor;
  const foreign = random.of(actor.another().keys);
  const [first, second] = random.of([[key, foreign], [foreign, key]]);
  const connection = random.of([
    { key: first, auth: { tenantKey: second } }, { key: first, auth: { 'x-tenant-key': second } }, { auth: { tenantKey: first, 'x-tenant-key': second } },
    { extraHeaders: { 'x-tenant-key': first, 'x-api-key': second } },
  ]);
  assert.deepEqual(await actor.visit({ transports: random.of([['polling'], ['websocket']]), ...connection }), { refusal: 'invalid_api_key' });
  const headers = { 'x-tenant-key': first, 'x-api-key': second };
  assertProblem(await actor.http('GET', '/leads', { key: null, headers }), 401, 'invalid_api_key');
  assertProblem(await actor.http('POST', '/leads', { key: null, headers, body: actor.fields() }), 401, 'invalid_api_key');
  assert.equal(await actor.plainRefusal(headers), 401);
}

/** A CONNECT payload, and a query, that name another tenant. */
async function connectAsAnother(actor) {
  const { tenant, random, key } = actor;
  const other = actor.another();
  const auth = { tenantKey: key, tenantId: other.id, tenant: other.slug, room: `tenant:${other.id}`, rooms: [`tenant:${other.id}`] };
  const query = { tenantId: other.id, 'x-tenant-key': random.of(other.keys), tenantKey: random.of(other.keys), room: `tenant:${other.id}` };
  const visited = await actor.visit({ auth, query, transports: random.of([['polling'], ['websocket']]) }, async (client) => {
    client.socket.emit('join', `tenant:${other.id}`);
    const { response } = await client.command('get_leads', { limit: 100 });
    assert.equal(response.success, true);
    assertOwn(actor, response.data.leads);
  });
  assert.deepEqual(visited, { tenant: tenant.id });
}

async function enterOtherNamespace(actor) {
  const other = actor.another();
  const namespace = actor.random.of(['/', `/tenant:${other.id}`, `/${other.id}`, `/events/${other.slug}`, `/${other.mark}`]);
  assert.deepEqual(await actor.visit({ key: actor.key, namespace, transports: ['websocket'] }), { refusal: 'Invalid namespace' });
}

export const STEPS = [
  ...times(10, createByCommand), ...times(8, createByHttp), ...times(6, sendForm), ...times(6, patchOwn), ...times(6, changeOwnStatus), ...times(4, deleteOwn), ...times(4, readOwn),
  ...times(4, searchOwn), ...times(4, getLeads), ...times(3, getMetrics), ...times(1, startBackup), ...times(1, checkCompliance), ...times(3, publishNotice),
  ...times(6, searchAnothers), ...times(4, searchWide), ...times(2, listByAnothersSource), ...times(3, pageByAnothersCursor), ...times(10, touchAnothers), ...times(2, readAnothersReport),
  ...times(8, forgeTenant), ...times(3, forgeParameters), ...times(3, unknownCommand), ...times(5, emitJoin),
  ...times(3, connectWithTwoKeys), ...times(2, connectAsAnother), ...times(2, enterOtherNamespace),
];
