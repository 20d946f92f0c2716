// What Autobahn's fuzzing client asks beyond `websocket.test.mjs` and `deflate.test.mjs`, over bare TCP sockets: bytes that
// come chopped, messages that break the rules behind good ones, limits, and runs of compressed messages under every kind of
// offer. Numbers are Autobahn's. `scripts/autobahn` runs the original.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { deflate, inflate } from '../lib/deflate.mjs';
import { startExample } from '../lib/example.mjs';
import { frame, OPCODE, RawSocket } from '../lib/raw.mjs';

const WAIT_MS = 30_000;
const MIB = 1024 * 1024;
const { continuation, text, binary, ping, pong } = OPCODE;
let server;
before(async () => { server = await startExample('websocket_echo'); });
after(() => server?.stop());

/** Writes in pieces, each handed to the kernel by itself. */
async function chopped(socket, bytes, size) {
  for (let at = 0; at < bytes.length; at += size) {
    if (!socket.tcp.write(bytes.subarray(at, at + size))) await once(socket.tcp, 'drain');
  }
}

const fragments = (opcode, payload, size) => {
  const parts = [];
  for (let at = 0; at === 0 || at < payload.length; at += size) {
    parts.push(frame(at === 0 ? opcode : continuation, payload.subarray(at, at + size), { fin: at + size >= payload.length }));
  }
  return Buffer.concat(parts);
};

async function assertEcho(socket, opcode, payload) {
  const echo = await socket.next(WAIT_MS);
  assert.deepEqual([echo.fin, echo.rsv, echo.opcode, echo.masked], [true, 0, opcode, false]);
  assert.ok(echo.payload.equals(Buffer.from(payload)), `${echo.payload.length} bytes came back`);
}

/** Echoes of good messages, then a close with 1002 and nothing else. */
async function assertFails(bytes, size, ...good) {
  const socket = await RawSocket.open(server.port);
  await chopped(socket, bytes, size);
  assert.equal((await socket.closed()).code, 1002);
  assert.deepEqual(socket.before.map(({ opcode, payload }) => [opcode, payload.toString()]), good);
  await socket.end();
}

const SIZES = [['in one piece', Infinity], ['byte by byte', 1]];

describe('1 and 2: chopped', () => {
  for (const opcode of [text, binary]) {
    it(`65536 bytes of opcode ${opcode} in pieces of 997`, async () => {
      const socket = await RawSocket.open(server.port);
      const payload = Buffer.alloc(65_536, '*');
      await chopped(socket, frame(opcode, payload), 997);
      await assertEcho(socket, opcode, payload);
      socket.destroy();
    });
  }
  it('a ping of 125 bytes, byte by byte', async () => {
    const socket = await RawSocket.open(server.port);
    await chopped(socket, frame(ping, Buffer.alloc(125, 0xfe)), 1);
    await assertEcho(socket, pong, Buffer.alloc(125, 0xfe));
    socket.destroy();
  });
});

describe('3, 4 and 5: what breaks the rules behind a good message', () => {
  const good = frame(text, 'good');
  const behind = frame(ping, 'behind');
  const bad = {
    ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((rsv) => [`reserved bits ${rsv}`, frame(text, 'bad', { rsv })])),
    ...Object.fromEntries([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, frame(opcode, '')])),
    'a continuation of nothing': frame(continuation, 'bad'),
    'an open continuation of nothing': frame(continuation, 'bad', { fin: false }),
    'a text inside a text': Buffer.concat([frame(text, 'a', { fin: false }), frame(text, 'b')]),
  };
  for (const [name, bytes] of Object.entries(bad)) {
    for (const [how, size] of SIZES) {
      it(`${name}, ${how}`, () => assertFails(Buffer.concat([good, bytes, behind, good]), size, [text, 'good']));
    }
  }

  for (const [how, size] of SIZES) {
    it(`5.19, 5.20: pings between five fragments, ${how}`, async () => {
      const socket = await RawSocket.open(server.port);
      const part = (opcode, payload, fin = false) => frame(opcode, payload, { fin });
      await chopped(socket, Buffer.concat([part(text, 'one '), part(continuation, 'two '), frame(ping, 'first')]), size);
      await assertEcho(socket, pong, 'first');
      await chopped(socket, Buffer.concat([part(continuation, 'three '), part(continuation, 'four '), frame(ping, 'second')]), size);
      await assertEcho(socket, pong, 'second');
      await chopped(socket, part(continuation, 'five', true), size);
      await assertEcho(socket, text, 'one two three four five');
      socket.destroy();
    });
  }
});

describe('9 and 10: limits', () => {
  for (const opcode of [text, binary]) {
    for (const size of [64 * 1024, 256 * 1024, MIB, 4 * MIB, 8 * MIB, 16 * MIB]) {
      it(`opcode ${opcode}, ${size / 1024} KiB`, async () => {
        const socket = await RawSocket.open(server.port);
        const payload = Buffer.alloc(size, 'BAsd7&jh23');
        socket.send(opcode, payload);
        await assertEcho(socket, opcode, payload);
        socket.destroy();
      });
    }
    for (const size of [64, 256, 1024, 4096, 16_384, 65_536, 262_144, MIB, 4 * MIB]) {
      it(`opcode ${opcode}, 4 MiB in fragments of ${size} bytes`, async () => {
        const socket = await RawSocket.open(server.port);
        const payload = Buffer.alloc(4 * MIB, '*');
        socket.write(fragments(opcode, payload, size));
        await assertEcho(socket, opcode, payload);
        socket.destroy();
      });
    }
    for (const size of [64, 128, 256, 512, 1024, 2048]) {
      it(`opcode ${opcode}, 1 MiB in pieces of ${size} bytes`, async () => {
        const socket = await RawSocket.open(server.port);
        const payload = Buffer.alloc(MIB, '*');
        await chopped(socket, frame(opcode, payload), size);
        await assertEcho(socket, opcode, payload);
        socket.destroy();
      });
    }
    for (const size of [0, 16, 64, 256, 1024, 4096]) {
      it(`opcode ${opcode}, 1000 messages of ${size} bytes, each after the echo of the one before`, async () => {
        const socket = await RawSocket.open(server.port);
        const payload = Buffer.alloc(size, '*');
        for (let n = 0; n < 1_000; n += 1) {
          socket.send(opcode, payload);
          await assertEcho(socket, opcode, payload);
        }
        socket.destroy();
      });
    }
  }

  it('10.1.1: 65536 bytes in fragments of 1300', async () => {
    const socket = await RawSocket.open(server.port);
    const payload = Buffer.alloc(65_536, '*');
    socket.write(fragments(text, payload, 1_300));
    await assertEcho(socket, text, payload);
    socket.destroy();
  });
});

describe('12 and 13: runs of compressed messages', () => {
  // Text in several scripts, JSON, and bytes: what compresses well, somewhat, and hardly.
  const bytes = (length, next) => Buffer.from(Array.from({ length }, (_, n) => next(n)));
  const samples = {
    JSON: [text, Buffer.from(JSON.stringify(Array.from({ length: 3_000 }, (_, n) => ({ id: n * 7919, name: `name ${n % 97}`, tags: ['a', `b${n % 5}`] }))))],
    prose: [text, Buffer.from('Lorem ipsum dolor sit amet, Κείμενο στα ελληνικά, текст, 漢字かな, 😀. '.repeat(2_000))],
    gradient: [binary, bytes(200_000, (n) => (n / 700) & 0xff)],
    noise: [binary, bytes(200_000, (n) => Math.imul(n ^ (n >>> 3), 2_654_435_761) >>> 21)],
  };
  const offers = {
    'permessage-deflate': 15,
    'permessage-deflate; server_no_context_takeover': 15,
    'permessage-deflate; server_max_window_bits=9': 9,
    'permessage-deflate; server_max_window_bits=15': 15,
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=9': 9,
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=15': 15,
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9, permessage-deflate': 9,
  };
  for (const [offer, windowBits] of Object.entries(offers)) {
    for (const [name, [opcode, sample]] of Object.entries(samples)) {
      it(`${name}, offered ${offer}`, async () => {
        const socket = await RawSocket.open(server.port, { headers: { 'Sec-WebSocket-Extensions': offer } });
        for (const size of [16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]) {
          for (const fragment of [Infinity, 128, 256]) {
            for (let n = 0; n < 4; n += 1) {
              // At a boundary of characters, so that it is text.
              const slice = sample.subarray(n * 1_000, n * 1_000 + size);
              const payload = opcode === text ? Buffer.from(slice.toString().replaceAll('�', '?')) : slice;
              const compressed = deflate(payload, { windowBits, level: 1 + (n % 9) });
              const sent = fragments(opcode, compressed, fragment);
              sent[0] |= 0x40;
              socket.write(sent);
              const echo = await socket.next(WAIT_MS);
              assert.deepEqual([echo.fin, echo.opcode, echo.rsv & 3], [true, opcode, 0]);
              const plain = echo.rsv === 4 ? inflate(echo.payload, { windowBits }) : echo.payload;
              assert.ok(plain.equals(payload), `${size} bytes, round ${n}`);
            }
          }
        }
        socket.destroy();
      });
    }
  }
});
