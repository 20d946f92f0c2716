// What an open connection may send, by docs/reference/limits.md: what each limit tells the client, and what is counted, to the unit.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlowClient } from '../lib/flow.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { ADA, BOB, start, welcomed } from '../lib/limited.mjs';
import { assertClosed, metric, reached } from '../lib/metrics.mjs';
import { frame, OPCODE, RawSocket } from '../lib/raw.mjs';
import { DEMO_KEYS } from '../lib/server.mjs';
import { pause, until, within } from '../lib/wait.mjs';
import { get, POLLING, portOf, statuses } from '../lib/wire.mjs';

const KEY = { 'x-tenant-key': DEMO_KEYS.demo1 };

describe('messages', () => {
  it('have a size, a number of frames, and a time', async () => {
    const server = await start({ message_bytes_max: 2_048, message_frames_max: 4, message_timeout_ms: 400 });
    const part = (opcode, fin) => frame(opcode, Buffer.from('x'), { fin });
    const pieces = (count) => Buffer.concat(Array.from({ length: count }, (_, n) => part(n === 0 ? OPCODE.text : OPCODE.continuation, n === count - 1)));

    const large = await welcomed(server);
    large.send(OPCODE.text, Buffer.alloc(2_048, 'x'));
    large.send(OPCODE.text, Buffer.alloc(2_049, 'x'));
    assert.deepEqual(await large.closed(), { code: 1009, reason: 'message_too_big' });

    const pieced = await welcomed(server);
    pieced.write(Buffer.concat([pieces(4), frame(OPCODE.ping)]));
    assert.equal((await pieced.next()).opcode, OPCODE.pong);
    pieced.write(pieces(5));
    assert.deepEqual(await pieced.closed(), { code: 1009, reason: 'message_too_big' });

    const slow = await welcomed(server);
    const began = performance.now();
    const bytes = frame(OPCODE.text, Buffer.alloc(1_000, 'x'));
    let at = 0;
    const timer = setInterval(() => slow.write(bytes.subarray(at, ++at)), 20);
    assert.deepEqual(await slow.closed(), { code: 1008, reason: 'policy_violation' });
    clearInterval(timer);
    assert.ok(performance.now() - began >= 400);

    const keys = ['message_bytes_max', 'message_frames_max', 'message_timeout_ms'];
    assert.deepEqual(await Promise.all(keys.map((key) => reached(server, key))), [1, 1, 1]);
    await assertClosed(server, 1009, 2);
    await assertClosed(server, 1008, 1);
  });

  for (const [name, opcode, payload, answer] of [
    ['messages', OPCODE.text, '{"type":"ping"}', OPCODE.text],
    ['pings', OPCODE.ping, '', OPCODE.pong],
    ['pongs', OPCODE.pong, '', null],
  ]) {
    it(`${name} have a rate`, async () => {
      const server = await start({ messages_per_second: 1, messages_burst: 5 });
      const socket = await welcomed(server);
      socket.write(Buffer.concat(Array(50).fill(frame(opcode, Buffer.from(payload)))));
      assert.deepEqual(await socket.closed(), { code: 4429, reason: 'rate_limited' });
      assert.deepEqual(socket.before.map((received) => received.opcode), Array(answer === null ? 0 : 5).fill(answer));
      assert.equal(await reached(server, 'messages_per_second'), 1);
      await assertClosed(server, 4429, 1);
      socket.destroy();
    });
  }

  it('a client that floods even after its close is let go of', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 5, close_timeout_ms: 1_000 });
    const socket = await welcomed(server);
    const flood = Buffer.concat(Array(5_000).fill(frame(OPCODE.ping)));
    let isOpen = true;
    socket.ended.then(() => { isOpen = false; });
    const pour = () => { while (isOpen && socket.tcp.write(flood)); };
    socket.tcp.on('drain', pour);
    pour();
    assert.deepEqual(await socket.closed(), { code: 4429, reason: 'rate_limited' });
    await socket.end(5_000);
    await until(async () => await metric(server, 'tidings_connections{gateway="tasks",transport="websocket"}') === 0, 5_000, 'no connection');
  });

  it('an address that floods again and again is told to stay away, and only who floods', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 5, floods_per_address_max: 2 });
    const honest = await welcomed(server, 'honest', { from: ADA });
    const flood = async (from) => {
      const socket = await welcomed(server, 'flood', { from });
      socket.write(Buffer.concat(Array(6).fill(frame(OPCODE.ping))));
      const { code, reason } = await socket.closed();
      socket.destroy();
      return `${code} ${reason}`;
    };
    const told = [];
    for (let n = 0; n < 4; n += 1) told.push(await flood(ADA));
    assert.deepEqual(told, ['4429 rate_limited', '4429 rate_limited', '1008 policy_violation', '1008 policy_violation']);
    assert.equal(await flood(BOB), '4429 rate_limited');
    assert.deepEqual([await reached(server, 'messages_per_second'), await reached(server, 'floods_per_address_max')], [3, 2]);
    honest.send(OPCODE.ping);
    assert.equal((await honest.next()).opcode, OPCODE.pong);
    (await welcomed(server, 'another', { from: ADA })).destroy();
    honest.destroy();
  });

  it('a tenth of their burst is left to the next connections of an address that floods again and again', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 20, floods_per_address_max: 1 });
    const answers = async (pings, from) => {
      const socket = await welcomed(server, 'flood', { from });
      socket.write(Buffer.concat(Array(pings).fill(frame(OPCODE.ping))));
      let pongs = 0;
      while (pongs < pings && (await socket.next()).opcode === OPCODE.pong) pongs += 1;
      socket.destroy();
      return pongs;
    };
    assert.equal(await answers(21, ADA), 20);
    assert.deepEqual([await answers(3, ADA), await answers(20, BOB)], [2, 20]);
  });

  it('a tenth of its handshakes is left to an address that floods again and again', async () => {
    const server = await start({ messages_per_second: 1, messages_burst: 1, floods_per_address_max: 1, handshakes_per_address_per_second: 20 });
    const socket = await welcomed(server, 'flood', { from: ADA });
    socket.write(Buffer.concat(Array(2).fill(frame(OPCODE.ping))));
    assert.equal((await socket.closed()).code, 4429);
    await pause(150); // until the flooder's own handshake is made up for
    const [flooders, others] = [await statuses(server.flow, Array(6).fill(get(POLLING)), { from: ADA }), await statuses(server.flow, Array(6).fill(get(POLLING)), { from: BOB })];
    assert.deepEqual([flooders.all, others.all], [[200, 200, 429, 429, 429, 429], Array(6).fill(200)]);
    [socket, flooders.wire, others.wire].forEach((one) => one.destroy());
  });

  it('the stock Socket.IO client comes back after 4429 and stays away after 1008', async () => {
    for (const transports of [['websocket'], ['polling']]) {
      const server = await start({ messages_per_second: 1, messages_burst: 8, floods_per_address_max: 1 });
      const reasons = [];
      for (let round = 0; round < 2; round += 1) {
        const client = await FlowClient.open(server, { key: DEMO_KEYS.demo1, transports });
        const left = new Promise((resolve) => client.socket.once('disconnect', resolve));
        for (let n = 0; n < 20; n += 1) client.socket.emit('nothing', n);
        reasons.push(await within(left, 5_000, 'a disconnect'));
        client.close();
      }
      // By its documentation the client reconnects after `transport close` and does not after `io server disconnect`.
      assert.deepEqual(reasons, ['transport close', 'io server disconnect'], transports[0]);
    }
  });

  it('rooms and namespaces have a bound for each connection', async () => {
    const server = await start({ rooms_per_connection_max: 2, namespaces_per_connection_max: 1 });
    await server.backend('PUT', '/api/v1/workflows/w', { owner_id: 'ada' });
    for (const id of ['one', 'two']) await server.backend('PUT', `/api/v1/executions/${id}`, { workflow_id: 'w' });
    const member = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token('ada')}`);
    await member.find((message) => message.event === 'subscribed'); // the user's own room is the first
    member.send({ type: 'subscribe', room_id: 'execution:one' });
    assert.equal((await member.json()).event, 'subscribed');
    member.send({ type: 'subscribe', room_id: 'execution:two' });
    assert.deepEqual(await member.json(), { type: 'error', message: 'Too many rooms', room_id: 'execution:two' });
    assert.equal(await reached(server, 'rooms_per_connection_max'), 1);

    const engine = await RawSocket.open(portOf(server.flow), { path: '/socket.io/?EIO=4&transport=websocket', headers: KEY });
    const say = async (text) => { engine.send(OPCODE.text, Buffer.from(text)); return (await engine.next()).payload.toString(); };
    await engine.next();
    assert.match(await say('40/events,'), /^40\/events,/);
    await engine.next(); // connected
    assert.equal(await say('40/other,'), '44/other,{"message":"Too many namespaces"}');
    assert.equal(await reached(server, 'namespaces_per_connection_max'), 1);
    engine.destroy();
  });
});
