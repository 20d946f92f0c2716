// permessage-deflate (RFC 7692) over bare TCP sockets and with the stock `ws` client, against the example
// `websocket_echo`, which compresses whatever gets shorter.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';
import { deflate, inflate } from '../lib/deflate.mjs';
import { startExample } from '../lib/example.mjs';
import { closing, frame, handshake, OPCODE, RawSocket } from '../lib/raw.mjs';
import { within } from '../lib/wait.mjs';

const WAIT_MS = 10_000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const ANSWER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const { continuation, text, binary, close, ping, pong } = OPCODE;
const HELLO = Buffer.from('f248cdc9c90700', 'hex');
let server;
before(async () => { server = await startExample('websocket_echo'); });
after(() => server?.stop());

const offering = (offer) => ({ headers: { 'Sec-WebSocket-Extensions': offer } });
const open = (offer = 'permessage-deflate') => RawSocket.open(server.port, offering(offer));

/** The answer to an offer. */
async function answer(offer) {
  const socket = new RawSocket(server.port);
  socket.write(handshake(server.port, offering(offer)));
  try {
    const { status, headers } = await socket.response();
    assert.equal(status, 101);
    return headers['sec-websocket-extensions'];
  } finally {
    socket.destroy();
  }
}

/** One message back, compressed exactly if it then is shorter. */
async function assertEcho(socket, opcode, payload, windowBits = 15) {
  const echo = await socket.next(WAIT_MS);
  const expected = Buffer.from(payload);
  assert.deepEqual([echo.fin, echo.opcode, echo.masked], [true, opcode, false]);
  assert.ok(echo.rsv === 0 || echo.rsv === 4, `reserved bits ${echo.rsv}`);
  const plain = echo.rsv === 4 ? inflate(echo.payload, { windowBits }) : echo.payload;
  assert.ok(plain.equals(expected), `${plain.length} bytes came back, ${expected.length} were sent`);
  if (echo.rsv === 4) assert.ok(echo.payload.length < expected.length);
  return echo.rsv === 4;
}

/** The frames are answered with a close of this code, nothing echoed, and the connection ends. */
async function assertFails(code, ...frames) {
  const socket = await open();
  socket.write(Buffer.concat(frames));
  assert.equal((await socket.closed(WAIT_MS)).code, code);
  assert.deepEqual(socket.before, []);
  await socket.end();
}

describe('permessage-deflate: offers', () => {
  for (const [offer, expected] of [
    ['permessage-deflate', ANSWER],
    ['permessage-deflate; client_max_window_bits', ANSWER],
    ['permessage-deflate; client_max_window_bits=9', ANSWER],
    ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', ANSWER],
    ...[9, 10, 11, 12, 13, 14, 15].map((bits) => [`permessage-deflate; server_max_window_bits=${bits}`, `${ANSWER}; server_max_window_bits=${bits}`]),
    ['permessage-deflate; server_max_window_bits="12"', `${ANSWER}; server_max_window_bits=12`],
    ['permessage-deflate; server_max_window_bits=8', undefined],
    ['permessage-deflate; server_max_window_bits=16', undefined],
    ['permessage-deflate; server_max_window_bits', undefined],
    ['permessage-deflate; server_no_context_takeover=1', undefined],
    ['permessage-deflate; unknown', undefined],
    ['permessage-deflate; client_max_window_bits; client_max_window_bits', undefined],
    ['permessage-deflate; server_max_window_bits=8, permessage-deflate', ANSWER],
    ['x-webkit-deflate-frame, permessage-deflate; client_max_window_bits', ANSWER],
    ['permessage-bzip2', undefined],
  ]) {
    it(`${offer}: ${expected ?? 'declined'}`, async () => assert.equal(await answer(offer), expected));
  }
});

describe('permessage-deflate: messages', () => {
  const rsv = 4;
  for (const size of [0, 1, 125, 126, 1_000, 65_535, 65_536, 1_000_000]) {
    it(`text and binary of ${size} bytes are inflated, and compressed if that helps`, async () => {
      const socket = await open();
      const words = Buffer.from('some words that come again '.repeat(size / 20 + 1).slice(0, size));
      socket.send(text, deflate(words), { rsv });
      assert.equal(await assertEcho(socket, text, words), size >= 125);
      const noise = Buffer.from(Array.from({ length: size }, (_, n) => (n * 2_654_435_761) >>> 13));
      socket.send(binary, deflate(noise), { rsv });
      await assertEcho(socket, binary, noise);
      socket.destroy();
    });
  }

  for (const [name, payload] of Object.entries({
    'one block': 'f248cdc9c90700',
    'a block without compression': '000500faff48656c6c6f00',
    'a final block': 'f348cdc9c9070000',
    'two blocks': 'f24805000000ffffcac9c90700',
  })) {
    it(`the sample of the specification, ${name}`, async () => {
      const socket = await open();
      const bytes = Buffer.from(payload, 'hex');
      socket.send(text, bytes, { rsv });
      await assertEcho(socket, text, 'Hello');
      for (let at = 0; at <= bytes.length; at += 1) {
        socket.write(Buffer.concat([frame(text, bytes.subarray(0, at), { rsv, fin: false }), frame(ping, `${at}`), frame(continuation, bytes.subarray(at))]));
        assert.equal((await socket.next()).opcode, pong);
        await assertEcho(socket, text, 'Hello');
      }
      socket.destroy();
    });
  }

  it('each message stands alone: context is not taken over', async () => {
    const socket = await open();
    const first = Buffer.from('a message that is said twice, '.repeat(20));
    socket.send(text, first);
    socket.send(text, first);
    const [one, two] = [await socket.next(), await socket.next()];
    assert.equal(one.rsv, 4);
    assert.ok(one.payload.equals(two.payload));
    socket.destroy();
  });

  it('plain and compressed messages in one segment come back in order', async () => {
    const socket = await open();
    const message = (n) => `message ${n} `.repeat(n);
    socket.write(Buffer.concat(Array.from({ length: 200 }, (_, n) => (n % 3 === 0 ? frame(text, message(n)) : frame(text, deflate(message(n)), { rsv })))));
    for (let n = 0; n < 200; n += 1) await assertEcho(socket, text, message(n));
    socket.destroy();
  });

  it('a character may lie across compressed fragments', async () => {
    const socket = await open();
    const payload = deflate('€'.repeat(100));
    for (let at = 1; at < payload.length; at += 1) {
      socket.write(Buffer.concat([frame(text, payload.subarray(0, at), { rsv, fin: false }), frame(continuation, payload.subarray(at))]));
      await assertEcho(socket, text, '€'.repeat(100));
    }
    socket.destroy();
  });

  it('a message of exactly the limit is echoed', async () => {
    const socket = await open();
    socket.send(binary, deflate(Buffer.alloc(MESSAGE_BYTES_MAX, 1)), { rsv });
    assert.equal(await assertEcho(socket, binary, Buffer.alloc(MESSAGE_BYTES_MAX, 1)), true);
    socket.destroy();
  });
});

describe('permessage-deflate: what breaks it', () => {
  const rsv = 4;
  it('a bomb', () => assertFails(1009, frame(binary, deflate(Buffer.alloc(256 * 1024 * 1024)), { rsv })));
  it('a byte over the limit', () => assertFails(1009, frame(binary, deflate(Buffer.alloc(MESSAGE_BYTES_MAX + 1)), { rsv })));
  it('what is no DEFLATE stream', () => assertFails(1002, frame(text, Buffer.from('ffff', 'hex'), { rsv })));
  it('a stream that stops in a block', () => assertFails(1002, frame(text, HELLO.subarray(0, 3), { rsv })));
  it('a reference to the message before', async () => {
    const socket = await open();
    socket.write(Buffer.concat([frame(text, HELLO, { rsv }), frame(text, Buffer.from('f200110000', 'hex'), { rsv })]));
    await assertEcho(socket, text, 'Hello');
    assert.equal((await socket.closed()).code, 1002);
    socket.destroy();
  });
  it('inflated text that is no UTF-8', () => assertFails(1007, frame(text, deflate(Buffer.from([0x61, 0xed, 0xa0, 0x80])), { rsv })));
  it('RSV1 on a continuation', () => assertFails(1002, frame(text, HELLO.subarray(0, 3), { rsv, fin: false }), frame(continuation, HELLO.subarray(3), { rsv })));
  it('RSV1 on a ping', () => assertFails(1002, frame(ping, '', { rsv })));
  it('RSV1 on a close', () => assertFails(1002, frame(close, closing(1000), { rsv })));
  for (const bits of [1, 2, 3, 5, 6, 7]) {
    it(`reserved bits ${bits}`, () => assertFails(1002, frame(text, HELLO, { rsv: bits })));
  }
  it('RSV1 where nothing was agreed on', async () => {
    const socket = await open('permessage-deflate; server_max_window_bits=8');
    socket.send(text, HELLO, { rsv });
    assert.equal((await socket.closed()).code, 1002);
    await socket.end();
  });
});

describe('permessage-deflate: Engine.IO', () => {
  const rsv = 4;
  let engine;
  before(async () => { engine = await startExample('engineio_echo'); });
  after(() => engine?.stop());
  const long = `4${'a packet that compresses '.repeat(200)}`;
  const get = async (query) => (await fetch(`${engine.http}/engine.io/?EIO=4&transport=polling${query}`)).text();

  /** The next message that is no ping, which is answered. */
  async function packet(socket) {
    for (;;) {
      const { rsv: bits, payload } = await socket.next();
      const said = (bits === 4 ? inflate(payload) : payload).toString();
      if (said !== '2') return { said, compressed: bits === 4 };
      socket.send(text, deflate('3'), { rsv });
    }
  }

  async function assertCompresses(socket) {
    socket.send(text, deflate(long), { rsv });
    assert.deepEqual(await packet(socket), { said: long, compressed: true });
    socket.send(text, long);
    assert.deepEqual(await packet(socket), { said: long, compressed: true });
    socket.send(text, '4short');
    assert.deepEqual(await packet(socket), { said: '4short', compressed: false });
  }

  it('a session that starts on a WebSocket', async () => {
    const socket = await RawSocket.open(engine.port, { path: '/engine.io/?EIO=4&transport=websocket', ...offering('permessage-deflate') });
    assert.match((await packet(socket)).said, /^0\{"sid"/);
    await assertCompresses(socket);
    socket.destroy();
  });

  it('a session that moves from polling: what it polls is plain, what it probes with may be compressed', async () => {
    const { sid } = JSON.parse((await get('')).slice(1));
    await fetch(`${engine.http}/engine.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: long });
    assert.equal(await get(`&sid=${sid}`), long);
    const socket = await RawSocket.open(engine.port, { path: `/engine.io/?EIO=4&transport=websocket&sid=${sid}`, ...offering('permessage-deflate; client_max_window_bits') });
    socket.send(text, deflate('2probe'), { rsv });
    assert.equal((await packet(socket)).said, '3probe');
    socket.write(Buffer.concat([frame(text, deflate('5'), { rsv }), frame(text, deflate('4behind'), { rsv })]));
    assert.equal((await packet(socket)).said, '4behind');
    await assertCompresses(socket);
    socket.destroy();
  });
});

describe('permessage-deflate: the ws client', () => {
  const message = (n) => Buffer.from(`{"n":${n},"text":"${'lorem ipsum dolor sit amet '.repeat(n * 20)}"}`);

  async function converse(perMessageDeflate, extension) {
    const socket = new WebSocket(server.ws, { perMessageDeflate });
    await within(once(socket, 'open'), WAIT_MS, 'an open WebSocket');
    assert.match(socket.extensions, extension);
    for (const n of [0, 1, 10, 100, 1_000]) {
      for (const options of [{ binary: false }, { binary: true }, { binary: true, compress: false }]) {
        socket.send(message(n), options);
        const [data, isBinary] = await within(once(socket, 'message'), WAIT_MS, 'an echo');
        assert.ok(data.equals(message(n)));
        assert.equal(isBinary, options.binary);
      }
    }
    // In fragments.
    socket.send(message(10).subarray(0, 1_000), { fin: false });
    socket.send(message(10).subarray(1_000));
    const [data] = await within(once(socket, 'message'), WAIT_MS, 'an echo');
    assert.ok(data.equals(message(10)));
    socket.close(1000);
    const [code] = await within(once(socket, 'close'), WAIT_MS, 'a close');
    assert.equal(code, 1000);
  }

  it('without compression', () => converse(false, /^$/));
  it('with its defaults', () => converse(true, /^permessage-deflate$/));
  for (const bits of [9, 10, 11, 12, 13, 14, 15]) {
    it(`with windows of ${bits} bits`, () => converse({ serverMaxWindowBits: bits, clientMaxWindowBits: bits, threshold: 0 }, /^permessage-deflate$/));
  }
  it('with windows of 8 bits nothing is agreed on', () => converse({ serverMaxWindowBits: 8 }, /^$/));
});
