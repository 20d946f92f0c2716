// The 25 cases of the official Engine.IO v4 suite, written anew, against the example `engineio_echo`.
// ROUNDS repeats them: several are about the order of two requests that travel on two connections.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startExample } from '../lib/example.mjs';
import { pause } from '../lib/wait.mjs';
import { CALM, Endpoint, heartbeatCases, sharedCases, upgradeCases } from './session.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const servers = [];
/** With the times of the suite, and without pings. */
let [timed, endpoint] = [];
before(async () => {
  for (const times of [{}, CALM]) servers.push(await startExample('engineio_echo', times));
  [timed, endpoint] = servers.map((server) => new Endpoint(server, '/engine.io/'));
});
after(() => Promise.all(servers.map((server) => server.stop())));

const echoes = async (socket) => {
  socket.send('4hello');
  assert.equal(await socket.text('an echo'), '4hello');
};

const cases = {
  E1: ['polling: the handshake has the five keys'],
  E2: ['polling: EIO missing or wrong'],
  E3: ['polling: transport missing or wrong'],
  E4: ['polling: POST and PUT without a session'],
  E5: ['websocket: the handshake has the five keys'],
  E6: ['websocket: EIO missing or wrong'],
  E7: ['websocket: transport missing or wrong'],
  E8: ['polling: a message is echoed', async () => {
    const session = await endpoint.poll();
    assert.deepEqual(await session.post('4hello'), { status: 200, text: 'ok' });
    assert.deepEqual(await session.get(), { status: 200, text: '4hello' });
  }],
  E9: ['polling: several messages in one payload', async () => {
    const session = await endpoint.poll();
    assert.deepEqual(await session.post('4test1\x1e4test2\x1e4test3'), { status: 200, text: 'ok' });
    assert.deepEqual(await session.get(), { status: 200, text: '4test1\x1e4test2\x1e4test3' });
  }],
  E10: ['polling: text and binary in one payload', async () => {
    const session = await endpoint.poll();
    assert.deepEqual(await session.post('4hello\x1ebAQIDBA=='), { status: 200, text: 'ok' });
    assert.deepEqual(await session.get(), { status: 200, text: '4hello\x1ebAQIDBA==' });
  }],
  E11: ['polling: an invalid packet closes the session', async () => {
    const session = await endpoint.poll();
    const answer = await session.post('abc').catch(() => null); // an aborted connection is as good
    if (answer) assert.equal(answer.status, 400);
    await session.assertGone();
  }],
  E12: ['polling: two polls at once close the session', async () => {
    const session = await endpoint.poll();
    const first = session.get();
    await pause(5);
    const second = await session.get();
    assert.deepEqual(await first, { status: 200, text: '1' });
    assert.ok([400, 500].includes(second.status), `${second.status}`);
    await session.assertGone();
  }],
  E13: ['polling: a poll given up closes the session', async () => {
    const session = await endpoint.poll();
    const abort = new AbortController();
    const poll = session.get({ signal: abort.signal });
    await pause(5);
    abort.abort();
    await assert.rejects(poll);
    await session.assertGone();
  }],
  E14: ['websocket: text is echoed', async () => {
    const socket = await endpoint.connect();
    await echoes(socket);
    await socket.close();
  }],
  E15: ['websocket: binary is echoed as binary', async () => {
    const socket = await endpoint.connect();
    socket.send(Buffer.from([1, 2, 3, 4]));
    const { data, binary } = await socket.next();
    assert.ok(binary);
    assert.deepEqual([...data], [1, 2, 3, 4]);
    await socket.close();
  }],
  E16: ['websocket: an invalid packet closes', async () => {
    const socket = await endpoint.connect();
    socket.send('abc');
    await socket.closing();
  }],
  E17: ['polling: ping and pong, three rounds'],
  E18: ['polling: closed without a pong'],
  E19: ['websocket: ping and pong, three rounds'],
  E20: ['websocket: closed without a pong'],
  E21: ['polling: closed by the client'],
  E22: ['websocket: closed by the client'],
  E23: ['upgrade from polling to websocket', async () => {
    const session = await endpoint.poll();
    const socket = await session.probe();
    assert.deepEqual(await session.get(), { status: 200, text: '6' });
    socket.send('5');
    await echoes(socket);
    await socket.close();
  }],
  E24: ['after the upgrade a poll is refused'],
  E25: ['after the upgrade a second websocket is refused'],
};

for (let round = 1; round <= ROUNDS; round += 1) {
  describe(`Engine.IO, round ${round} of ${ROUNDS}`, () => {
    for (const [number, [name, own]] of Object.entries(cases)) {
      const heartbeat = heartbeatCases[name];
      it(`${number} ${name}`, () => (heartbeat ? heartbeat(timed) : (own ?? sharedCases[name] ?? upgradeCases[name])(endpoint, echoes)));
    }
  });
}

describe('Engine.IO beyond the suite', () => {
  it('messages sent around an upgrade arrive once and in order', async () => {
    const session = await endpoint.poll();
    const numbers = (from, to) => Array.from({ length: to - from }, (_, n) => `4m${from + n}`);
    await session.post(numbers(0, 50).join('\x1e'));
    const socket = await session.probe();
    const [polled] = await Promise.all([session.get(), session.post(numbers(50, 100).join('\x1e'))]);
    socket.send('5');
    for (const message of numbers(100, 150)) socket.send(message);
    const received = polled.text.split('\x1e').filter((packet) => packet !== '6' && packet !== '2');
    while (received.length < 150) {
      const packet = await socket.text('the next echo');
      if (packet === '2') socket.send('3');
      else received.push(packet);
    }
    assert.deepEqual(received, numbers(0, 150));
    await socket.close();
  });

  it('a body over maxPayload is answered 413', async () => {
    const session = await endpoint.poll();
    assert.equal((await session.post(`4${'x'.repeat(1_000_000)}`)).status, 413);
  });

  it('the error bodies have a number as code', async () => {
    const code = async (query, options) => JSON.parse((await endpoint.request(query, options)).text).code;
    assert.equal(await code('EIO=4&transport=abc'), 0);
    assert.equal(await code('EIO=4&transport=polling&sid=unknown'), 1);
    assert.equal(await code('EIO=4&transport=polling', { method: 'POST' }), 2);
    assert.equal(await code('EIO=4&transport=websocket'), 3);
    assert.equal(await code('EIO=3&transport=polling'), 5);
  });

  it('a client that sends a ping is closed', async () => {
    const socket = await endpoint.connect();
    socket.send('2');
    await socket.closing();
  });
});
