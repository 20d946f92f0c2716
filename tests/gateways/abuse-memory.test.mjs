// Short memory, by docs/reference/limits.md: who is refused, who stays, and when clients come back.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { request } from '../lib/http.mjs';
import { start, welcomed } from '../lib/limited.mjs';
import { metric, refused } from '../lib/metrics.mjs';
import { frame, handshake, OPCODE } from '../lib/raw.mjs';
import { until } from '../lib/wait.mjs';
import { POLLING, portOf, statuses } from '../lib/wire.mjs';

describe('memory', () => {
  const MIB = 1024 * 1024;
  const memory = async (server) => {
    const { status, json } = await request(`${server.operators.http}/readyz?verbose`);
    return { status, ...json.checks.find((check) => check.name === 'memory') };
  };

  it('above the bound handshakes are refused before the upgrade, and who is there stays', async () => {
    const server = await start({ memory_bytes_max: MIB });
    const checked = await until(async () => { const seen = await memory(server); return seen.status === 'degraded' && seen; }, 5_000, 'degraded');
    assert.deepEqual(checked.levels[0].of, 'process');
    assert.equal(checked.levels[0].bound_bytes, MIB);
    assert.equal((await request(`${server.operators.http}/readyz`)).status, 200, 'degraded, not unready');
    assert.equal((await request(`${server.tasks.http}/health`)).status, 200);
    const { all, wire } = await statuses(server.tasks, [handshake(portOf(server.tasks), { path: '/ws?user_id=ada' })]);
    assert.deepEqual(all, [503]);
    assert.match(wire.text, /retry-after: 5\r\n/i);
    await until(() => /"code":"overloaded"/.test(wire.text), 1_000, 'the problem');
    wire.destroy();
    assert.equal((await request(`${server.flow.http}${POLLING}`)).status, 503);
    assert.deepEqual([await refused(server, 'memory'), await metric(server, 'tidings_memory_short'), await metric(server, 'tidings_memory_bound_bytes{of="process"}')], [2, 1, MIB]);
    assert.ok(await metric(server, 'tidings_memory_bytes{of="process"}') > MIB);
  });

  it('when memory comes back, so do clients', { timeout: 90_000 }, async () => {
    const probe = await start({});
    const bound = probe.residentKib * 1024 + 96 * MIB;
    const server = await start({ memory_bytes_max: bound, message_bytes_max: 4 * MIB });
    const honest = await welcomed(server, 'honest');
    assert.equal(await metric(server, 'tidings_memory_short'), 0);
    // Messages that never end: each holds what came of it.
    const heavy = await Promise.all(Array.from({ length: 60 }, (_, n) => welcomed(server, `heavy-${n}`)));
    const most = frame(OPCODE.binary, Buffer.alloc(4 * MIB)).subarray(0, 4 * MIB - 100);
    heavy.forEach((socket) => socket.write(most));
    await until(async () => await metric(server, 'tidings_memory_short') === 1, 15_000, 'short memory');
    const { all, wire } = await statuses(server.tasks, [handshake(portOf(server.tasks), { path: '/ws?user_id=late' })]);
    assert.deepEqual(all, [503]);
    wire.destroy();
    honest.send(OPCODE.ping);
    assert.equal((await honest.next()).opcode, OPCODE.pong, 'who is there stays');
    heavy.forEach((socket) => socket.destroy());
    await until(async () => await metric(server, 'tidings_memory_short') === 0, 60_000, 'memory is back');
    (await welcomed(server, 'late')).destroy();
    assert.equal(await refused(server, 'memory'), 1);
    honest.destroy();
  });
});
