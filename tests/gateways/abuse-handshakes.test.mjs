// Connections that come, by docs/reference/limits.md: what each limit tells the client, and what is counted, to the unit.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlowClient } from '../lib/flow.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { ADA, BOB, start, tasks, welcomed } from '../lib/limited.mjs';
import { reached, refused } from '../lib/metrics.mjs';
import { RawSocket } from '../lib/raw.mjs';
import { DEMO_KEYS } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { get, POLLING, portOf, statuses, Wire } from '../lib/wire.mjs';

const KEY = { 'x-tenant-key': DEMO_KEYS.demo1 };

describe('handshakes', () => {
  it('one address cannot use up the handshakes of all', async () => {
    const server = await start({ handshakes_per_address_per_second: 3 });
    const { all, wire } = await statuses(server.flow, Array(6).fill(get(POLLING)), { from: ADA });
    assert.deepEqual(all, [200, 200, 200, 429, 429, 429]);
    assert.match(wire.text, /retry-after: 1\r\n/i);
    assert.match(wire.text, /"code":"rate_limited"/);
    wire.destroy();
    const other = await statuses(server.flow, Array(3).fill(get(POLLING)), { from: BOB });
    assert.deepEqual(other.all, [200, 200, 200]);
    other.wire.destroy();
    assert.deepEqual([await refused(server, 'address_handshake_rate'), await refused(server, 'handshake_rate')], [3, 0]);
  });

  it('all addresses together have a rate', async () => {
    const server = await start({ handshakes_per_second: 3 });
    const { all, wire } = await statuses(server.flow, Array(5).fill(get(POLLING)));
    assert.deepEqual(all, [200, 200, 200, 503, 503]);
    assert.match(wire.text, /"code":"overloaded"/);
    wire.destroy();
    assert.deepEqual([await refused(server, 'address_handshake_rate'), await refused(server, 'handshake_rate')], [0, 2]);
  });

  it('a head that does not come has its time, silent or byte by byte', async () => {
    const server = await start({ handshake_timeout_ms: 500 });
    const began = performance.now();
    const [silent, slow] = [await Wire.open(server.tasks, { from: ADA }), await Wire.open(server.tasks, { from: ADA })];
    slow.dribble(Buffer.from(get('/ws?user_id=slow', { 'X-Filler': 'x'.repeat(1_000) })), 20);
    await Promise.all([silent.end(), slow.end()]);
    assert.ok(performance.now() - began >= 500);
    assert.equal(await reached(server, 'handshake_timeout_ms'), 2);
  });

  it('half-open sockets of one address make room among themselves', async () => {
    // More than the fixture keeps alive from its own address.
    const server = await start({ waiting_sockets_per_address_max: 10 });
    const half = [];
    for (let n = 0; n < 12; n += 1) half.push(await Wire.open(server.tasks, { from: ADA }));
    await Promise.all(half.slice(0, 2).map((wire) => wire.end()));
    const bob = await welcomed(server, 'bob', { from: BOB });
    // The oldest goes, not who comes: also at the same address.
    const ada = await welcomed(server, 'ada', { from: ADA });
    await half[2].end();
    assert.deepEqual(half.map((wire) => wire.isOpen), [...Array(3).fill(false), ...Array(9).fill(true)]);
    assert.deepEqual([await reached(server, 'waiting_sockets_per_address_max'), await reached(server, 'waiting_sockets_max')], [3, 0]);
    [bob, ada, ...half].forEach((socket) => socket.destroy());
  });

  it('half-open sockets of all addresses have a bound, and the oldest makes room', async () => {
    const server = await start({ waiting_sockets_max: 8, handshake_timeout_ms: 4_000 });
    // Sockets that the fixture keeps alive wait as well: they go when their time is over. The scraper's own waits between
    // two requests, and not while it asks.
    const scrape = async (wire) => {
      wire.text = '';
      wire.write(get('/metrics'));
      await until(() => wire.text.endsWith('# EOF\n'), 5_000, 'all metrics');
      return (series) => Number(new RegExp(`^${series} (\\d+)$`, 'm').exec(wire.text)[1]);
    };
    const scraper = await Wire.open(server.operators);
    await until(async () => (await scrape(scraper))('tidings_sockets_waiting') === 0, 20_000, 'no other socket waits');
    const half = [];
    for (let n = 0; n < 10; n += 1) half.push(await Wire.open(server.tasks, { from: `127.0.1.${n + 1}` }));
    await Promise.all([scraper, ...half.slice(0, 2)].map((wire) => wire.end(3_000)));
    const late = await Wire.open(server.operators);
    await half[2].end(3_000);
    const values = await scrape(late);
    assert.deepEqual([values('tidings_limits_reached_total\\{limit="waiting_sockets_max"\\}'), values('tidings_sockets_waiting')], [4, 7]);
    late.destroy();
    half.forEach((wire) => wire.destroy());
  });

  it('an address has so many sockets that speak HTTP', async () => {
    const server = await start({ http_sockets_per_address_max: 10 });
    const held = [];
    for (let n = 0; n < 10; n += 1) {
      const wire = await Wire.open(server.flow, { from: ADA });
      wire.write(get('/health'));
      assert.equal(await wire.status(), 200);
      held.push(wire);
    }
    const over = await Wire.open(server.flow, { from: ADA });
    await over.end();
    assert.deepEqual([over.text, await reached(server, 'http_sockets_per_address_max')], ['', 1]);
    assert.ok(held.every((wire) => wire.isOpen));
    held.forEach((wire) => wire.destroy());
  });

  it('connections have a bound for each address, user and tenant', async () => {
    const server = await start({ connections_per_address_max: 3, connections_per_user_max: 2, connections_per_tenant_max: 1 });
    const rateLimited = { code: 4429, reason: 'rate_limited' };
    const held = [await welcomed(server, 'ada', { from: ADA }), await welcomed(server, 'ada', { from: ADA })];
    assert.deepEqual(await (await tasks(server, 'ada', { from: ADA })).closed(), rateLimited);
    assert.equal(await reached(server, 'connections_per_user_max'), 1);
    held.push(await welcomed(server, 'bob', { from: ADA }));
    assert.deepEqual(await (await tasks(server, 'cyd', { from: ADA })).closed(), rateLimited);
    held.push(await welcomed(server, 'cyd', { from: BOB }));
    assert.equal(await refused(server, 'address_quota'), 1);
    const open = (from) => RawSocket.open(portOf(server.flow), { path: '/events', headers: KEY, from });
    const flow = await open(BOB);
    assert.match((await flow.next()).payload.toString(), /"event":"connected"/);
    assert.deepEqual(await (await open(BOB)).closed(), rateLimited);
    assert.equal(await reached(server, 'connections_per_tenant_max'), 1);
    [flow, ...held].forEach((socket) => socket.destroy());
  });

  it("a tenant's commands and requests have a rate", async () => {
    const server = await start({ commands_per_tenant_per_second: 1, commands_per_tenant_burst: 3 });
    const one = await FlowClient.open(server, { key: DEMO_KEYS.demo1 });
    const two = await FlowClient.open(server, { key: DEMO_KEYS.demo2 });
    const errors = [];
    // All at once: a second later there is room for one more.
    for (let n = 0; n < 4; n += 1) one.emit('get_metrics');
    for (let n = 0; n < 4; n += 1) errors.push((await one.next('voice_command_response')).error);
    const http = await request(`${server.flow.http}/leads`, { key: DEMO_KEYS.demo1 });
    assert.deepEqual(errors.sort(), ['Rate limited', undefined, undefined, undefined]);
    assert.deepEqual((await two.command('get_metrics')).response.error, undefined, 'another tenant has its own');
    assertProblem(http, 429, 'rate_limited');
    assert.equal(http.headers.get('retry-after'), '1');
    assert.equal(await reached(server, 'commands_per_tenant_per_second'), 2);
    one.close();
    two.close();
  });
});
