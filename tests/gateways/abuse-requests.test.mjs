// The size and time of requests, by docs/reference/limits.md: what each limit tells the client, and what is counted, to the unit.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertProblem, request } from '../lib/http.mjs';
import { start } from '../lib/limited.mjs';
import { reached } from '../lib/metrics.mjs';
import { DEMO_KEYS } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { get, POLLING, statuses, Wire } from '../lib/wire.mjs';

const KEY = { 'x-tenant-key': DEMO_KEYS.demo1 };

describe('requests', () => {
  it('targets and heads have a size', async () => {
    const server = await start({ url_bytes_max: 1_000, header_bytes_max: 8_192, headers_max: 20 });
    const target = (bytes) => `/health?${'x'.repeat(bytes - '/health?'.length)}`;
    assert.equal((await request(`${server.flow.http}${target(1_000)}`)).status, 200);
    assertProblem(await request(`${server.flow.http}${target(1_001)}`), 414, 'uri_too_long');
    assert.equal(await reached(server, 'url_bytes_max'), 1);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`X-${n}`, 'y']));
    for (const headers of [{ X: 'x'.repeat(8_192) }, many]) {
      const { all, wire } = await statuses(server.flow, [get('/health', headers)]);
      assert.deepEqual(all, [431]);
      await wire.end();
    }
    assert.equal(await reached(server, 'header_bytes_max'), 2);
  });

  it('a body that comes byte by byte has its time', async () => {
    const server = await start({ body_timeout_ms: 400 });
    const post = (target, headers) => get(target, { 'Content-Length': 1_000, 'Content-Type': 'application/json', ...headers }).replace('GET', 'POST');
    const session = await request(`${server.flow.http}${POLLING}`);
    const { sid } = JSON.parse(session.text.slice(1));
    for (const [gateway, head, status, body] of [
      [server.flow, post('/leads', KEY), 408, /"code":"request_timeout"/],
      [server.flow, post(`${POLLING}&sid=${sid}`, { 'Content-Type': 'text/plain' }), 400, /"code":3/],
      [server.operators, post('/api/v1/publish', { Authorization: `Bearer ${server.operatorToken}` }), 408, /"code":"request_timeout"/],
      [server.tasks, post('/task-updates', { 'Content-Type': 'application/cloudevents+json' }), 200, /"status":"RETRY"/],
    ]) {
      const wire = await Wire.open(gateway);
      wire.write(head);
      wire.dribble(Buffer.from(' '.repeat(1_000)), 20);
      assert.equal(await wire.status(), status);
      await until(() => body.test(wire.text), 1_000, `${body} in ${wire.text}`);
      wire.destroy();
    }
    assert.equal(await reached(server, 'body_timeout_ms'), 3);
    assert.equal((await request(`${server.flow.http}${POLLING}&sid=${sid}`)).status, 400, 'the session ended with its POST');
  });

  it('bodies have a size', async () => {
    const server = await start({ message_bytes_max: 2_048 });
    const body = (bytes) => JSON.stringify({ name: 'x'.repeat(bytes - '{"name":""}'.length) });
    const post = (bytes) => request(`${server.flow.http}/leads`, { method: 'POST', headers: KEY, body: body(bytes) });
    assertProblem(await post(2_048), 400);
    assertProblem(await post(2_049), 413, 'payload_too_large');
    assert.equal(await reached(server, 'message_bytes_max'), 1);
  });
});
