// The 32 cases of the official Socket.IO v5 suite, written anew, against the example `socketio_echo`.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startExample } from '../lib/example.mjs';
import { CALM, Endpoint, heartbeatCases, sharedCases, upgradeCases } from './session.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const servers = [];
/** With the times of the suite, and without pings. */
let [timed, endpoint] = [];
before(async () => {
  for (const times of [{}, CALM]) servers.push(await startExample('socketio_echo', times));
  [timed, endpoint] = servers.map((server) => new Endpoint(server, '/socket.io/'));
});
after(() => Promise.all(servers.map((server) => server.stop())));

const PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
const ATTACHMENTS = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];

/** The `{sid}` of a CONNECT answer, which has no other key. */
function assertConnected(text, prefix = '40') {
  assert.ok(text.startsWith(`${prefix}{`), text);
  const answer = JSON.parse(text.slice(prefix.length));
  assert.deepEqual(Object.keys(answer), ['sid']);
  assert.equal(typeof answer.sid, 'string');
}

/** Sends a CONNECT and asserts its answer and the `auth` event behind it. */
async function join(socket, packet, prefix, auth) {
  socket.send(packet);
  assertConnected(await socket.text('the CONNECT answer'), prefix);
  assert.equal(await socket.text('the auth event'), `${prefix.replace(/^40/, '42')}["auth",${auth}]`);
}

async function connected(at = endpoint) {
  const socket = await at.connect();
  await join(socket, '40', '40', '{}');
  return socket;
}

async function exchange(socket, sent, expected) {
  socket.send(sent);
  assert.equal(await socket.text(), expected);
}

async function exchangeBinary(sent, expected) {
  const socket = await connected();
  socket.send(sent);
  for (const attachment of ATTACHMENTS) socket.send(attachment);
  assert.equal(await socket.text(), expected);
  for (const attachment of ATTACHMENTS) {
    const { data, binary } = await socket.next('an attachment');
    assert.ok(binary);
    assert.deepEqual(data, attachment);
  }
  await socket.close();
}

/** Opens a session, sends the packets, runs the rest and closes. */
const session = (run) => async () => {
  const socket = await endpoint.connect();
  await run(socket);
  await socket.close();
};

const closes = (packet) => async () => {
  const socket = await connected();
  socket.send(packet);
  await socket.closing();
};

const cases = {
  S1: ['polling: the handshake has the five keys'],
  S2: ['polling: EIO missing or wrong'],
  S3: ['polling: transport missing or wrong'],
  S4: ['polling: POST and PUT without a session'],
  S5: ['websocket: the handshake has the five keys'],
  S6: ['websocket: EIO missing or wrong'],
  S7: ['websocket: transport missing or wrong'],
  S8: ['polling: ping and pong, three rounds'],
  S9: ['polling: closed without a pong'],
  S10: ['websocket: ping and pong, three rounds'],
  S11: ['websocket: closed without a pong'],
  S12: ['polling: closed by the client'],
  S13: ['websocket: closed by the client'],
  S14: ['upgrade from polling to websocket', async () => {
    const polling = await endpoint.poll();
    const socket = await polling.upgrade();
    await join(socket, '40', '40', '{}');
    await socket.close();
  }],
  S15: ['after the upgrade a poll is refused'],
  S16: ['after the upgrade a second websocket is refused'],
  S17: ['connect to the main namespace', session((socket) => join(socket, '40', '40', '{}'))],
  S18: ['connect to the main namespace with a payload', session((socket) => join(socket, '40{"token":"123"}', '40', '{"token":"123"}'))],
  S19: ['connect to a custom namespace', session((socket) => join(socket, '40/custom,', '40/custom,', '{}'))],
  S20: ['connect to a custom namespace with a payload', session((socket) => join(socket, '40/custom,{"token":"abc"}', '40/custom,', '{"token":"abc"}'))],
  S21: ['an unknown namespace is refused', session((socket) => exchange(socket, '40/random', '44/random,{"message":"Invalid namespace"}'))],
  S22: ['an invalid first packet closes', async () => {
    const socket = await endpoint.connect();
    socket.send('4abc');
    await socket.closing();
  }],
  S23: ['a client that connects to no namespace is closed', async () => {
    const socket = await endpoint.connect();
    await socket.closing();
  }],
  S24: ['disconnecting has no answer and keeps the transport', async () => {
    const socket = await connected(timed);
    await exchange(socket, '41', '2');
    await socket.close();
  }],
  S25: ['leaving a custom namespace keeps the main one', async () => {
    const socket = await connected();
    await join(socket, '40/custom', '40/custom,', '{}');
    socket.send('41/custom');
    await exchange(socket, '42["message","hello"]', '42["message-back","hello"]');
    await socket.close();
  }],
  S26: ['an event', async () => {
    const socket = await connected();
    await exchange(socket, '42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]');
    await socket.close();
  }],
  S27: ['an event with attachments', () => exchangeBinary(`452-["message",${PLACEHOLDERS}]`, `452-["message-back",${PLACEHOLDERS}]`)],
  S28: ['an event with an acknowledgement', async () => {
    const socket = await connected();
    await exchange(socket, '42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]');
    await socket.close();
  }],
  S29: ['an event with attachments and an acknowledgement', () => exchangeBinary(`452-789["message-with-ack",${PLACEHOLDERS}]`, `462-789[${PLACEHOLDERS}]`)],
  S30: ['an invalid packet type closes', closes('4abc')],
  S31: ['an invalid payload closes', closes('42{}')],
  S32: ['an invalid acknowledgement id closes', closes('42abc["message-with-ack",1,"2",{"3":[false]}]')],
};

const alive = (socket) => join(socket, '40', '40', '{}');

for (let round = 1; round <= ROUNDS; round += 1) {
  describe(`Socket.IO, round ${round} of ${ROUNDS}`, () => {
    for (const [number, [name, own]] of Object.entries(cases)) {
      const heartbeat = heartbeatCases[name];
      it(`${number} ${name}`, () => (heartbeat ? heartbeat(timed) : (own ?? sharedCases[name] ?? upgradeCases[name])(endpoint, alive)));
    }
  });
}

describe('Socket.IO beyond the suite', () => {
  for (const [name, packet] of Object.entries({
    'CONNECT twice on one namespace': '40',
    'an event for a namespace not joined': '42/custom,["message"]',
    'a reserved event name': '42["disconnecting"]',
    'an empty event': '42[]',
    'CONNECT_ERROR from a client': '44{"message":"no"}',
    'more than ten attachments': '4511-["message"]',
    'a DISCONNECT with a payload': '41{}',
  })) {
    it(`${name} closes`, closes(packet));
  }

  it('a text packet between header and attachments closes', async () => {
    const socket = await connected();
    socket.send(`452-["message",${PLACEHOLDERS}]`);
    socket.send('42["message"]');
    await socket.closing();
  });

  it('binary without a header closes', async () => {
    const socket = await connected();
    socket.send(ATTACHMENTS[0]);
    await socket.closing();
  });

  it('an acknowledgement nobody asked for is ignored', async () => {
    const socket = await connected();
    socket.send('43999[1]');
    await exchange(socket, '42["message",1e2,1.0]', '42["message-back",1e2,1.0]');
    await socket.close();
  });
});
