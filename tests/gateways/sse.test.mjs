import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { EventSource } from 'eventsource';
import { structured } from '../lib/cloudevent.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { Child } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { EventStream } from '../lib/stream.mjs';
import { pause, until, within } from '../lib/wait.mjs';

let server;
before(async () => { server = await Server.start(); });
after(() => server?.stop());
afterEach(async () => {
  await EventStream.endAll();
  await Inbox.endAll();
});

const tasks = (query, on = server) => `${on.tasks.http}/sse${query}`;
const workflows = (query, on = server) => `${on.workflows.http}/api/v1/sse${query}`;
const numbers = (count) => Array.from({ length: count }, (_, n) => n);

/** A tasks stream of a user of its own, its welcome taken. */
async function open(user = `user-${randomUUID()}`, on = server) {
  const stream = await EventStream.open(tasks(`?user_id=${user}`, on));
  stream.user = user;
  stream.welcome = await stream.json('the welcome');
  return stream;
}

async function deliver(data, on = server) {
  const answer = await request(`${on.tasks.http}/task-updates`, { method: 'POST', ...structured(data) });
  assert.deepEqual([answer.status, answer.json], [200, { status: 'SUCCESS' }], answer.text);
}

async function backend(method, target, body) {
  const answer = await server.backend(method, `/api/v1${target}`, body);
  assert.ok(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text}`);
}

/** The value of one sample of /metrics. */
async function metric(sample, on = server) {
  const { text } = await request(`${on.operators.http}/metrics`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1) ?? 0);
}

/** The body of an answer in chunks, which must be whole. All of it is ASCII. */
function unchunked(answer) {
  let [at, body] = [answer.indexOf('\r\n\r\n') + 4, ''];
  for (;;) {
    const end = answer.indexOf('\r\n', at);
    const length = Number.parseInt(answer.slice(at, end), 16);
    assert.ok(length >= 0 && answer.length >= end + length + 4, 'a whole chunk');
    if (length === 0) return body;
    body += answer.slice(end + 2, end + 2 + length);
    at = end + length + 4;
  }
}

const openStreams = (on = server) => metric('tidings_connections{gateway="tasks",transport="sse"}', on);

describe('SSE: a stream', () => {
  it('headers, a hint when to come back, and the frames of the socket', async () => {
    const stream = await open('user-123');
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    assert.equal(stream.headers.get('cache-control'), 'no-store');
    assert.equal(stream.headers.get('x-accel-buffering'), 'no');
    assert.ok(stream.retry_ms >= 1_000 && stream.retry_ms < 5_000, `${stream.retry_ms}`);
    assert.deepEqual(Object.keys(stream.welcome), ['type', 'message', 'user_id', 'timestamp']);
    assert.equal(stream.welcome.user_id, 'user-123');
    await deliver({ user_id: 'user-123', n: 1.50, text: 'a\nb' });
    const update = await stream.json();
    assert.deepEqual({ ...update, timestamp: null }, { type: 'task_update', event: { user_id: 'user-123', n: 1.5, text: 'a\nb' }, timestamp: null });
    assert.match(update.timestamp, TIMESTAMP);
  });

  it('workflows: its own room and those it names, and their events', async () => {
    const [owner, workflow, execution] = ['owner', 'workflow', 'execution'].map((kind) => `${kind}-${randomUUID()}`);
    await backend('PUT', `/workflows/${workflow}`, { owner_id: owner });
    await backend('PUT', `/executions/${execution}`, { workflow_id: workflow, total_nodes: 1 });
    const rooms = [`execution:${execution}`, `workflow:${workflow}`];
    const stream = await EventStream.open(workflows(`?token=${server.token(owner)}${rooms.map((room) => `&room=${encodeURIComponent(room)}`).join('')}`));
    const opening = [await stream.json(), await stream.json(), await stream.json(), await stream.json()];
    assert.deepEqual(opening.map(({ type, room_id }) => [type, room_id]),
      [['connection', undefined], ['subscription', `user:${owner}`], ...rooms.map((room) => ['subscription', room])]);
    await backend('POST', `/executions/${execution}/status`, { status: 'completed' });
    assert.equal((await stream.json()).type, 'execution_update');
    assert.equal((await stream.json()).event, 'execution_completed');
    await server.publish({ room: rooms[1], kind: 'notice', event: 'hello', data: { a: 1 } });
    assert.deepEqual({ ...await stream.json(), timestamp: null }, { type: 'notice', event: 'hello', data: { a: 1 }, timestamp: null });
    const stats = await request(`${server.workflows.http}/api/v1/ws/stats`, { token: server.token(owner) });
    assert.equal(stats.json.user_connections, 1);
  });

  it('counts where sockets count, and is gone when it hangs up', async () => {
    await until(async () => (await request(`${server.tasks.http}/stats`)).json.total_connections === 0, 5_000, 'no connection of another test');
    const user = 'counted';
    const streams = [await open(user), await open(user)];
    const inbox = await Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`);
    assert.equal((await request(`${server.tasks.http}/stats`)).text, `{"total_users":1,"total_connections":3,"users":{"${user}":3}}`);
    assert.equal((await request(`${server.tasks.http}/health`)).json.connections, 3);
    assert.equal(await openStreams(), 2);
    await streams[0].close();
    await until(async () => await openStreams() === 1, 5_000, 'the stream is gone');
    // The places are free a moment later.
    await until(async () => (await request(`${server.tasks.http}/stats`)).json.total_connections === 2, 5_000, 'the count without it');
    await inbox.close();
  });

  it('several streams and sockets get all events, each once and in order', { timeout: 60_000 }, async () => {
    const [STREAMS, SOCKETS, EVENTS] = [40, 10, 500];
    const user = `user-${randomUUID()}`;
    const streams = await Promise.all(numbers(STREAMS).map(() => open(user)));
    const other = await open();
    const inboxes = await Promise.all(numbers(SOCKETS).map(() => Inbox.open(`${server.tasks.ws}/ws?user_id=${user}`)));
    for (const inbox of inboxes) await inbox.json('the welcome');
    const room = `user:${user}`;
    // Task updates and an operator's events, in turn; each is in its place in the order before the next one comes.
    for (let n = 0; n < EVENTS; n += 2) {
      await deliver({ user_id: user, n });
      await server.publish({ room, kind: 'task_update', data: { user_id: user, n: n + 1 } });
    }
    for (const stream of streams) {
      const got = [];
      while (got.length < EVENTS) got.push((await stream.json(`event ${got.length}`)).event.n);
      assert.deepEqual(got, numbers(EVENTS));
    }
    for (const inbox of inboxes) {
      const got = [];
      while (got.length < EVENTS) got.push((await inbox.json()).event.n);
      assert.deepEqual(got, numbers(EVENTS));
    }
    // The next thing that each stream gets is the last event, and the other user's stream gets nothing but its own.
    await server.publish({ rooms: [room, `user:${other.user}`], kind: 'end', data: null });
    for (const stream of [...streams, other]) assert.equal((await stream.json()).type, 'end');
  });

  it('curl -N prints it as it comes', async () => {
    const curl = new Child('curl', ['-sN', tasks('?user_id=curl')]);
    await until(() => curl.log.includes('"type":"connected"'), 5_000, 'the welcome');
    await deliver({ user_id: 'curl', n: 1 });
    await until(() => curl.log.includes('"type":"task_update"'), 5_000, 'the event');
    assert.match(curl.log, /^retry: \d+\n\ndata: \{"type":"connected",.*\}\n\ndata: \{"type":"task_update",.*\}\n\n$/);
    await curl.stop();
    await until(async () => (await request(`${server.tasks.http}/stats`)).json.users.curl === undefined, 5_000, 'curl is gone');
  });
});

describe('SSE: refusals', () => {
  const cases = [
    ['no user', () => tasks(''), 400, 'missing_user_id'],
    ['an empty user', () => tasks('?user_id='), 400, 'missing_user_id'],
    ['a user that is none', () => tasks('?user_id=a%0Ab'), 400, 'invalid_user_id'],
    ['a token that is none', () => tasks('?user_id=u&token=x'), 401, 'invalid_token'],
    ["an operator's token", () => tasks(`?token=${server.operatorToken}`), 401, 'invalid_token'],
    ['workflows without a token', () => workflows(''), 401, 'missing_token'],
    ['workflows with one that is none', () => workflows('?token=x'), 401, 'invalid_token'],
    ["someone else's room", () => workflows(`?token=${server.token('u')}&room=user:v`), 403, 'forbidden'],
    ['too many rooms', () => workflows(`?token=${server.token('u')}${'&room=user:u'.repeat(129)}`), 400, 'invalid_parameter'],
  ];
  for (const [name, url, status, code] of cases) {
    it(`${status} ${code}: ${name}`, async () => assertProblem(await request(url()), status, code));
  }

  it('a foreign and a missing room in the same bytes', async () => {
    const id = randomUUID();
    await backend('PUT', `/workflows/${id}`, { owner_id: 'somebody' });
    const answers = await Promise.all([id, randomUUID()].map((room) => request(workflows(`?token=${server.token('stranger')}&room=workflow:${room}`))));
    assert.equal(answers[0].status, 403);
    assert.equal(answers[0].json.detail, 'Access denied to room');
    assert.equal(answers[0].text, answers[1].text);
  });

  it('the token may come as a bearer header, with CORS for permitted pages alone', async () => {
    const headers = { authorization: `Bearer ${server.token('header-user')}`, origin: 'http://localhost:5173' };
    const stream = await EventStream.open(tasks(''), { headers });
    assert.equal((await stream.json()).user_id, 'header-user');
    assert.equal(stream.headers.get('access-control-allow-origin'), headers.origin);
    const preflight = await fetch(tasks(''), { method: 'OPTIONS', headers: { origin: headers.origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), headers.origin);
    assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization');
    for (const method of ['GET', 'OPTIONS']) {
      const foreign = await request(tasks('?user_id=u'), { method, headers: { origin: 'https://elsewhere.example' } });
      assertProblem(foreign, 403, 'forbidden');
      assert.equal(foreign.headers.get('access-control-allow-origin'), null);
    }
    assert.equal((await fetch(tasks('?user_id=u'), { method: 'HEAD' })).status, 405);
  });

  it('limits hold over streams and sockets together, and are counted', async () => {
    const small = await Server.start({ env: { TIDINGS__LIMITS__CONNECTIONS_PER_USER_MAX: '2', TIDINGS__LIMITS__CONNECTIONS_PER_ADDRESS_MAX: '3' } });
    try {
      const stream = await open('one', small);
      const inbox = await Inbox.open(`${small.tasks.ws}/ws?user_id=one`);
      const third = await request(tasks('?user_id=one', small));
      assertProblem(third, 429, 'rate_limited');
      assert.equal(third.headers.get('retry-after'), '1');
      await open('two', small);
      assertProblem(await request(tasks('?user_id=three', small)), 429, 'rate_limited');
      assert.equal(await metric('tidings_handshakes_refused_total{reason="rate_limited"}', small), 1);
      assert.equal(await metric('tidings_handshakes_refused_total{reason="address_quota"}', small), 1);
      await stream.close();
      await until(() => open('one', small).then(() => true, () => false), 5_000, 'the places are free');
      await inbox.close();
      await EventStream.endAll();
    } finally {
      await small.stop();
    }
  });
});

describe('SSE: the stock EventSource', () => {
  const sources = new Set();
  afterEach(() => sources.forEach((source) => source.close()));

  /** What the client was told, in order. */
  function listen(url) {
    const source = new EventSource(url);
    sources.add(source);
    const heard = [];
    source.addEventListener('open', () => heard.push('open'));
    source.addEventListener('error', () => heard.push(source.readyState === EventSource.CLOSED ? 'closed' : 'reconnecting'));
    source.addEventListener('close', ({ data }) => heard.push(JSON.parse(data).reason));
    source.addEventListener('message', ({ data }) => heard.push(JSON.parse(data).type));
    return heard;
  }

  it('comes back by itself when the network fails', async () => {
    const [host, port] = [server.tasks.address.split(':')[0], Number(server.tasks.address.split(':').at(-1))];
    const cut = new Set();
    const proxy = net.createServer((client) => {
      const upstream = net.connect(port, host);
      for (const [one, other] of [[client, upstream], [upstream, client]]) {
        cut.add(one);
        one.on('error', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const heard = listen(`http://127.0.0.1:${proxy.address().port}/sse?user_id=roamer`);
      await until(() => heard.length === 2, 5_000, 'the welcome');
      cut.forEach((socket) => socket.destroy());
      await until(() => heard.length === 5, 10_000, () => `a second welcome, not ${heard}`);
      assert.deepEqual(heard, ['open', 'connected', 'reconnecting', 'open', 'connected']);
      await deliver({ user_id: 'roamer' });
      await until(() => heard.length === 6, 5_000, 'the event');
      assert.equal(heard[5], 'task_update');
    } finally {
      cut.forEach((socket) => socket.destroy());
      proxy.close();
    }
  });

  it('stops for good when it is refused', async () => {
    const heard = listen(tasks('?user_id=u&token=x'));
    await until(() => heard.length === 1, 5_000, 'the refusal');
    assert.deepEqual(heard, ['closed']);
  });

  it('hears that its token has expired, tries once more, and stops', { timeout: 60_000 }, async () => {
    const heard = listen(tasks(`?token=${server.token('brief', '--ttl', '1s')}`));
    await until(() => heard.length === 5, 45_000, () => `the end, not ${heard}`);
    assert.deepEqual(heard, ['open', 'connected', 'token_expired', 'reconnecting', 'closed']);
  });
});

describe('SSE: ends', () => {
  it('a comment at each ping, and silence ends nothing', { timeout: 30_000 }, async () => {
    const quick = await Server.start({ env: { TIDINGS__HEARTBEAT__PING_INTERVAL_MS: '100', TIDINGS__HEARTBEAT__PING_TIMEOUT_MS: '100' } });
    try {
      const stream = await open('quiet', quick);
      await until(() => stream.comments >= 10, 10_000, 'ten comments');
      assert.equal(await openStreams(quick), 1);
      assert.equal(await metric('tidings_connections_closed_total{code="4410"}', quick), 0);
      await stream.close();
    } finally {
      await quick.stop();
    }
  });

  it('a drain tells every stream when to come back', async () => {
    const leaving = await Server.start();
    const streams = await Promise.all(numbers(10).map(() => open('somebody', leaving)));
    const stopped = leaving.stop();
    for (const stream of streams) {
      const { code, reason, retry_ms } = await stream.closing();
      assert.deepEqual([code, reason], [1001, 'shutting_down']);
      assert.ok(retry_ms >= 1_000 && retry_ms < 10_000, `${retry_ms}`);
      assert.equal(stream.retry_ms, retry_ms);
    }
    await stopped;
    assert.equal(leaving.exitCode, 0);
  });

  it('a client that does not read is cut at its limit, others lose nothing, memory returns', { timeout: 120_000 }, async (t) => {
    const [DEAF, EVENT_BYTES] = [20, 16 * 1024];
    const strict = await Server.start({ env: { TIDINGS__LIMITS__OUTBOX_BYTES_MAX: '262144', TIDINGS__LIMITS__CLOSE_TIMEOUT_MS: '1000' } });
    const deaf = [];
    try {
      const user = 'slow';
      const control = await open(user, strict);
      const [host, port] = strict.tasks.address.split(':');
      for (let n = 0; n < DEAF; n += 1) {
        const socket = net.connect(Number(port), host);
        socket.on('error', () => {}); // a reset is an end like any other
        socket.write(`GET /sse?user_id=${user} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        await within(new Promise((resolve) => socket.once('readable', resolve)), 5_000, 'the head');
        deaf.push(socket);
      }
      await until(async () => await openStreams(strict) === DEAF + 1, 5_000, 'all streams');
      const cut = () => metric('tidings_connections_closed_total{code="4508"}', strict);
      const before_kib = strict.residentKib;
      const padding = 'x'.repeat(EVENT_BYTES);
      let [sent, peak_kib] = [0, 0];
      while (await cut() < DEAF) {
        assert.ok(sent < 4_000, `${await cut()} cut after ${sent} events`);
        for (let n = 0; n < 8; n += 1) await strict.publish({ room: `user:${user}`, kind: 'heavy', data: { n: sent++, padding } });
        peak_kib = Math.max(peak_kib, strict.residentKib);
        while (control.seen !== sent) {
          const { n } = (await control.json()).event;
          assert.equal(n, control.seen ?? 0);
          control.seen = n + 1;
        }
      }
      t.diagnostic(`cut after ${sent} events of ${EVENT_BYTES} bytes; resident ${before_kib} KiB before, ${peak_kib} KiB at most`);
      await until(async () => await openStreams(strict) === 1, 10_000, 'the deaf clients are gone');
      assert.equal(await cut(), DEAF);
      const allowed_kib = before_kib + 16 * 1024;
      await until(() => strict.residentKib <= allowed_kib, 45_000, () => `memory is back at ${allowed_kib} KiB, is ${strict.residentKib}`);
      await strict.publish({ room: `user:${user}`, kind: 'heavy', data: { n: sent } });
      assert.equal((await control.json()).event.n, sent);
      await control.close();
    } finally {
      deaf.forEach((socket) => socket.destroy());
      await strict.stop();
    }
  });

  it('a slow reader finds the end behind what it had got', { timeout: 60_000 }, async () => {
    const strict = await Server.start({ env: { TIDINGS__LIMITS__OUTBOX_FRAMES_MAX: '64', TIDINGS__LIMITS__CLOSE_TIMEOUT_MS: '30000' } });
    const [host, port] = strict.tasks.address.split(':');
    const socket = net.connect(Number(port), host);
    try {
      socket.write('GET /sse?user_id=slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      await within(new Promise((resolve) => socket.once('readable', resolve)), 5_000, 'the head');
      const padding = 'x'.repeat(8 * 1024);
      let sent = 0;
      while (await metric('tidings_connections_closed_total{code="4508"}', strict) === 0) {
        assert.ok(sent < 4_000, 'not cut');
        await strict.publish({ room: 'user:slow', kind: 'heavy', data: { n: sent++, padding } });
      }
      await pause(50); // it reads again some time after it was cut
      const chunks = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      await within(new Promise((resolve) => socket.once('end', resolve)), 20_000, 'the end');
      const text = unchunked(Buffer.concat(chunks).toString());
      const got = [...text.matchAll(/^data: \{"type":"heavy","event":\{"n":(\d+),/gm)].map(([, n]) => Number(n));
      assert.deepEqual(got, numbers(got.length));
      assert.ok(got.length < sent, `${got.length} of ${sent}`);
      assert.match(text, /retry: (\d+)\nevent: close\ndata: \{"code":4508,"reason":"slow_consumer","retry_ms":\1\}\n\n$/);
    } finally {
      socket.destroy();
      await strict.stop();
    }
  });
});
