// Sessions of Engine.IO and Socket.IO, by docs/reference/limits.md: what each limit tells the client, and what is counted, to the unit.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { request } from '../lib/http.mjs';
import { ADA, start } from '../lib/limited.mjs';
import { closed, metric, reached, refused } from '../lib/metrics.mjs';
import { frame, handshake, OPCODE, RawSocket } from '../lib/raw.mjs';
import { DEMO_KEYS } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { get, POLLING, portOf, statuses } from '../lib/wire.mjs';

const KEY = { 'x-tenant-key': DEMO_KEYS.demo1 };

describe('Engine.IO and Socket.IO', () => {
  it('sessions that never poll are ended by the ping timeout', async () => {
    const server = await start({}, { TIDINGS__HEARTBEAT__PING_INTERVAL_MS: '300', TIDINGS__HEARTBEAT__PING_TIMEOUT_MS: '200' });
    const { all, wire } = await statuses(server.flow, Array(25).fill(get(POLLING)));
    assert.deepEqual(all, Array(25).fill(200));
    const sessions = () => metric(server, 'tidings_connections{gateway="flow",transport="polling"}');
    await until(async () => await closed(server, 4410) === 25, 5_000, '25 sessions closed with 4410');
    await until(async () => await sessions() === 0, 10_000, 'no session');
    assert.deepEqual([await closed(server, 4410), await metric(server, 'tidings_connections_opened_total')], [25, 25]);
    wire.destroy();
  });

  it('an upgrade that is never finished ends, and the session polls on', async () => {
    const server = await start({ upgrade_timeout_ms: 300 });
    const { text } = await request(`${server.flow.http}${POLLING}`, { headers: KEY });
    const { sid } = JSON.parse(text.slice(1));
    for (const probe of [[], [frame(OPCODE.text, Buffer.from('2probe'))]]) {
      const socket = await RawSocket.open(portOf(server.flow), { path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}` });
      probe.forEach((bytes) => socket.write(bytes));
      await socket.end();
    }
    assert.equal(await reached(server, 'upgrade_timeout_ms'), 2);
    const poll = { method: 'POST', body: '40/events,', headers: { 'content-type': 'text/plain' } };
    assert.equal((await request(`${server.flow.http}${POLLING}&sid=${sid}`, poll)).text, 'ok');
    assert.match((await request(`${server.flow.http}${POLLING}&sid=${sid}`)).text, /^40\/events,/);
  });

  it('an upgrade costs a handshake of its address', async () => {
    const server = await start({ handshakes_per_address_per_second: 1 });
    const { all, wire } = await statuses(server.flow, [get(POLLING)], { from: ADA });
    assert.deepEqual(all, [200]);
    const sid = /"sid":"([^"]+)"/.exec(wire.text)[1];
    wire.write(handshake(portOf(server.flow), { path: `/socket.io/?EIO=4&transport=websocket&sid=${sid}` }));
    assert.equal(await wire.status(), 429);
    wire.write(get(`${POLLING}&sid=no-session`));
    assert.equal(await wire.status(), 400, 'the connection goes on');
    assert.equal(await refused(server, 'address_handshake_rate'), 1);
    wire.destroy();
  });

  it('a client that enters no namespace is closed', async () => {
    const server = await start({ connect_timeout_ms: 300 });
    const socket = await RawSocket.open(portOf(server.flow), { path: '/socket.io/?EIO=4&transport=websocket' });
    assert.deepEqual(await socket.closed(), { code: 1002, reason: 'protocol_error' });
    assert.equal(await reached(server, 'connect_timeout_ms'), 1);
  });

  it('payloads have so many packets, packets so many attachments', async () => {
    const server = await start({ payload_packets_max: 3, attachments_max: 1 });
    const { text } = await request(`${server.flow.http}${POLLING}`, { headers: KEY });
    const target = `${server.flow.http}${POLLING}&sid=${JSON.parse(text.slice(1)).sid}`;
    const post = (packets) => request(target, { method: 'POST', body: packets.join('\x1e'), headers: { 'content-type': 'text/plain' } });
    assert.equal((await post(['40/events,', '42/events,["a"]', '42/events,["b"]'])).text, 'ok');
    assert.equal((await post(Array(4).fill('42/events,["a"]'))).status, 400);
    assert.equal((await post(['42/events,["a"]'])).status, 400, 'the session has ended');
    assert.equal(await reached(server, 'payload_packets_max'), 1);

    const engine = await RawSocket.open(portOf(server.flow), { path: '/socket.io/?EIO=4&transport=websocket', headers: KEY });
    engine.send(OPCODE.text, Buffer.from('40/events,'));
    engine.send(OPCODE.text, Buffer.from('452-/events,["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'));
    assert.deepEqual(await engine.closed(), { code: 1002, reason: 'protocol_error' });
    assert.equal(await reached(server, 'attachments_max'), 1);
  });
});
