// RFC 6455 as a table over bare TCP sockets, against the example `websocket_echo`.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startExample } from '../lib/example.mjs';
import { closing, frame, handshake, OPCODE, RawSocket } from '../lib/raw.mjs';

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const { continuation, text, binary, close, ping, pong } = OPCODE;
let server;
before(async () => { server = await startExample('websocket_echo'); });
after(() => server?.stop());

const open = (options) => RawSocket.open(server.port, options);

/** One message back, unfragmented, unmasked, without reserved bits. */
async function assertEcho(socket, opcode, payload, limit_ms) {
  const echo = await socket.next(limit_ms);
  assert.deepEqual({ ...echo, payload: null }, { fin: true, rsv: 0, opcode, masked: false, payload: null });
  assert.ok(echo.payload.equals(Buffer.from(payload)), `${echo.payload.length} bytes came back, ${Buffer.from(payload).length} were sent`);
}

async function assertAlive(socket) {
  socket.send(text, 'still there');
  await assertEcho(socket, text, 'still there');
  socket.destroy();
}

/** The frames are answered with a close of this code, nothing echoed, and the connection ends. */
async function assertFails(code, ...frames) {
  const socket = await open();
  socket.write(Buffer.concat(frames));
  assert.equal((await socket.closed()).code, code);
  assert.deepEqual(socket.before, []);
  await socket.end();
}

describe('WebSocket messages', () => {
  for (const size of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 1_000_000]) {
    it(`text and binary of ${size} bytes are echoed`, async () => {
      const socket = await open();
      socket.send(text, Buffer.alloc(size, 'a'));
      await assertEcho(socket, text, Buffer.alloc(size, 'a'));
      const bytes = Buffer.from(Array.from({ length: size }, (_, n) => (n * 7) & 0xff));
      socket.send(binary, bytes);
      await assertEcho(socket, binary, bytes);
      socket.destroy();
    });
  }

  it('a message of exactly the limit is echoed', async () => {
    const socket = await open();
    socket.send(binary, Buffer.alloc(MESSAGE_BYTES_MAX, 1));
    await assertEcho(socket, binary, Buffer.alloc(MESSAGE_BYTES_MAX, 1), 20_000);
    socket.destroy();
  });

  it('every mask key is undone, at every alignment', async () => {
    const socket = await open();
    const masks = [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [0x80, 0, 0x7f, 0xff]];
    for (const mask of masks.map((key) => Buffer.from(key))) {
      for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65]) {
        const payload = Buffer.from(Array.from({ length: size }, (_, n) => n));
        socket.send(binary, payload, { mask });
        await assertEcho(socket, binary, payload);
      }
    }
    socket.destroy();
  });

  it('many messages in one segment come back in order', async () => {
    const socket = await open();
    socket.write(Buffer.concat(Array.from({ length: 500 }, (_, n) => frame(text, `message ${n}`))));
    for (let n = 0; n < 500; n += 1) await assertEcho(socket, text, `message ${n}`);
    socket.destroy();
  });

  it('messages sent byte by byte are whole', async () => {
    const socket = await open();
    for (const byte of Buffer.concat([frame(text, 'grüße'), frame(binary, Buffer.alloc(130, 3)), frame(ping, 'p')])) {
      await new Promise((resolve) => socket.tcp.write(Buffer.from([byte]), resolve));
    }
    await assertEcho(socket, text, 'grüße');
    await assertEcho(socket, binary, Buffer.alloc(130, 3));
    await assertEcho(socket, pong, 'p');
    socket.destroy();
  });
});

describe('WebSocket fragmentation', () => {
  const fragments = (opcode, parts) => parts.map((part, n) => frame(n === 0 ? opcode : continuation, part, { fin: n === parts.length - 1 }));
  for (const [name, opcode, parts] of [
    ['two parts', text, ['hel', 'lo']],
    ['empty parts around', text, ['', 'hello', '']],
    ['only empty parts', text, ['', '', '']],
    ['one byte each', text, [...'fragmented']],
    ['binary', binary, [Buffer.from([0xff]), Buffer.from([0xfe, 0])]],
    ['a code point across parts', text, [Buffer.from([0xf0, 0x9f]), Buffer.from([0x98]), Buffer.from([0x80])]],
  ]) {
    it(`${name}: one message back`, async () => {
      const socket = await open();
      socket.write(Buffer.concat(fragments(opcode, parts)));
      await assertEcho(socket, opcode, Buffer.concat(parts.map((part) => Buffer.from(part))));
      await assertAlive(socket);
    });
  }

  it('a ping between the parts is answered before the message', async () => {
    const socket = await open();
    const [first, last] = fragments(text, ['hel', 'lo']);
    socket.write(Buffer.concat([first, frame(ping, 'between')]));
    await assertEcho(socket, pong, 'between');
    socket.write(last);
    await assertEcho(socket, text, 'hello');
    socket.destroy();
  });

  it('a close between the parts ends it all', () => assertFails(1000, fragments(text, ['hel', 'lo'])[0], frame(close, closing(1000))));
  it('a continuation of nothing', () => assertFails(1002, frame(continuation, 'x')));
  it('an unfinished continuation of nothing', () => assertFails(1002, frame(continuation, 'x', { fin: false })));
  it('a new text within a message', () => assertFails(1002, frame(text, 'a', { fin: false }), frame(text, 'b')));
  it('a new binary within a message', () => assertFails(1002, frame(text, 'a', { fin: false }), frame(binary, 'b', { fin: false })));
});

describe('WebSocket control frames', () => {
  for (const payload of ['', 'hello', Buffer.alloc(125, 0xfe)]) {
    it(`a ping of ${payload.length} bytes is answered with the same`, async () => {
      const socket = await open();
      socket.send(ping, payload);
      await assertEcho(socket, pong, payload);
      await assertAlive(socket);
    });
  }

  it('a pong nobody asked for is ignored', async () => {
    const socket = await open();
    socket.send(pong, 'unasked');
    await assertAlive(socket);
  });

  it('of many pings at least the last is answered, in order', async () => {
    const socket = await open();
    socket.write(Buffer.concat(Array.from({ length: 10 }, (_, n) => frame(ping, `${n}`))));
    let last = -1;
    while (last < 9) {
      const { opcode, payload } = await socket.next();
      assert.equal(opcode, pong);
      assert.ok(Number(payload.toString()) > last);
      last = Number(payload.toString());
    }
    await assertAlive(socket);
  });

  it('a ping over 125 bytes', () => assertFails(1002, frame(ping, Buffer.alloc(126))));
  it('a fragmented ping', () => assertFails(1002, frame(ping, 'x', { fin: false })));
  it('a fragmented close', () => assertFails(1002, frame(close, closing(1000), { fin: false })));
});

describe('WebSocket frames that break the protocol', () => {
  for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
    it(`reserved bits ${rsv} on text`, () => assertFails(1002, frame(text, 'x', { rsv })));
  }
  it('reserved bits on a ping', () => assertFails(1002, frame(ping, 'x', { rsv: 4 })));
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    it(`reserved opcode ${opcode}`, () => assertFails(1002, frame(opcode, 'x')));
  }
  for (const [name, opcode] of Object.entries({ text, binary, ping, close })) {
    it(`an unmasked ${name}`, () => assertFails(1002, frame(opcode, opcode === close ? closing(1000) : 'x', { masked: false })));
  }
  it('5 bytes with a 16-bit length', () => assertFails(1002, frame(text, 'hello', { lengthForm: 16 })));
  it('5 bytes with a 64-bit length', () => assertFails(1002, frame(text, 'hello', { lengthForm: 64 })));
  it('200 bytes with a 64-bit length', () => assertFails(1002, frame(text, Buffer.alloc(200, 'a'), { lengthForm: 64 })));
  it('a 64-bit length with the top bit', () => assertFails(1002, frame(binary, '', { lengthForm: 64, length: 1n << 63n })));
});

describe('WebSocket limits', () => {
  it('a frame announced over the limit is refused before it is sent', () => assertFails(1009, frame(binary, '', { lengthForm: 64, length: BigInt(MESSAGE_BYTES_MAX + 1) })));
  it('a frame announced as a terabyte is refused', () => assertFails(1009, frame(binary, '', { lengthForm: 64, length: 1n << 40n })));
  it('a message that grows over the limit by fragments', async () => {
    const socket = await open();
    const part = Buffer.alloc(1024 * 1024, 1);
    for (let n = 0; n < 17; n += 1) socket.send(n === 0 ? binary : continuation, part, { fin: false });
    assert.equal((await socket.closed(20_000)).code, 1009);
    socket.destroy();
  });
  it('a message of endless empty fragments', async () => {
    const socket = await open();
    socket.send(text, '', { fin: false });
    const empty = Buffer.concat(Array.from({ length: 10_000 }, () => frame(continuation, '', { fin: false })));
    for (let n = 0; n < 100; n += 1) socket.write(empty);
    assert.ok([1002, 1008, 1009].includes((await socket.closed(20_000)).code));
    socket.destroy();
  });
});

describe('WebSocket text is UTF-8', () => {
  const bytes = (...values) => Buffer.from(values);
  for (const [name, payload] of [
    ['ASCII and beyond', Buffer.from('aé€😀')],
    ['the first and last of each length', bytes(0x00, 0x7f, 0xc2, 0x80, 0xdf, 0xbf, 0xe0, 0xa0, 0x80, 0xef, 0xbf, 0xbf, 0xf0, 0x90, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf)],
    ['around the surrogates', bytes(0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80)],
    ['a non-character', bytes(0xef, 0xbf, 0xbe)],
  ]) {
    it(`${name}: echoed, whole and byte by byte`, async () => {
      const socket = await open();
      socket.send(text, payload);
      await assertEcho(socket, text, payload);
      const parts = [...payload].map((byte, n) => frame(n === 0 ? text : continuation, bytes(byte), { fin: n === payload.length - 1 }));
      socket.write(Buffer.concat(parts));
      await assertEcho(socket, text, payload);
      socket.destroy();
    });
  }
  const invalid = [
    ['a lone continuation', bytes(0x80)],
    ['a lone start', bytes(0xc3)],
    ['a start and ASCII', bytes(0xc3, 0x41)],
    ['overlong slash, two bytes', bytes(0xc0, 0xaf)],
    ['overlong slash, three bytes', bytes(0xe0, 0x80, 0xaf)],
    ['overlong slash, four bytes', bytes(0xf0, 0x80, 0x80, 0xaf)],
    ['a high surrogate', bytes(0xed, 0xa0, 0x80)],
    ['a low surrogate', bytes(0xed, 0xbf, 0xbf)],
    ['over U+10FFFF', bytes(0xf4, 0x90, 0x80, 0x80)],
    ['0xFE', bytes(0xfe)],
    ['0xFF', bytes(0xff)],
    ['a truncated end', bytes(0x61, 0xe2, 0x82)],
  ];
  for (const [name, payload] of invalid) {
    it(name, () => assertFails(1007, frame(text, payload)));
  }
  for (const [name, payload] of invalid.filter(([name]) => !['a lone start', 'a truncated end'].includes(name))) {
    it(`${name}: refused at the fragment that has it`, () => assertFails(1007, frame(text, 'ok ', { fin: false }), frame(continuation, payload, { fin: false })));
  }
  it('what is no UTF-8 is fine in binary', async () => {
    const socket = await open();
    socket.send(binary, bytes(0xc0, 0xaf, 0xff));
    await assertEcho(socket, binary, bytes(0xc0, 0xaf, 0xff));
    socket.destroy();
  });
});

describe('WebSocket close', () => {
  it('an empty close is answered and the connection ends', async () => {
    const socket = await open();
    socket.send(close);
    const { code } = await socket.closed();
    assert.ok(code === null || code === 1000, `${code}`);
    await socket.end();
  });
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    it(`code ${code} is answered with itself`, () => assertFails(code, frame(close, closing(code, 'bye'))));
  }
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
    it(`code ${code} is refused`, () => assertFails(1002, frame(close, closing(code))));
  }
  it('half a code', () => assertFails(1002, frame(close, Buffer.from([3]))));
  it('a reason of 123 bytes', () => assertFails(1000, frame(close, closing(1000, 'r'.repeat(123)))));
  it('a close over 125 bytes', () => assertFails(1002, frame(close, closing(1000, 'r'.repeat(124)))));
  it('a reason that is no UTF-8', () => assertFails(1007, frame(close, Buffer.concat([closing(1000), Buffer.from([0xce, 0xba, 0xe1, 0xbd])]))));
  it('nothing is answered behind a close', async () => {
    const socket = await open();
    socket.write(Buffer.concat([frame(text, 'before'), frame(close, closing(1000)), frame(text, 'after'), frame(ping, 'after')]));
    await assertEcho(socket, text, 'before');
    assert.equal((await socket.closed()).code, 1000);
    await socket.end();
    await assert.rejects(socket.next(), /the connection ended/);
  });
});

describe('WebSocket handshake', () => {
  const answer = async (options) => {
    const socket = new RawSocket(server.port);
    socket.write(handshake(server.port, options));
    try {
      return await socket.response();
    } finally {
      socket.destroy();
    }
  };

  it('the accept key of the specification', async () => {
    const { status, headers } = await answer();
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    assert.equal(headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(headers.connection.toLowerCase(), 'upgrade');
    assert.equal(headers['sec-websocket-protocol'], undefined);
    assert.equal(headers['sec-websocket-extensions'], undefined);
  });

  for (const [name, headers] of Object.entries({
    'Connection as a list': { Connection: 'keep-alive, Upgrade' },
    'other letter case': { Upgrade: 'WebSocket', Connection: 'upgrade' },
    'an unknown extension': { 'Sec-WebSocket-Extensions': 'x-unknown; a=b' },
    'an unknown protocol': { 'Sec-WebSocket-Protocol': 'chat, superchat' },
  })) {
    it(`${name} is accepted`, async () => {
      const { status, headers: answered } = await answer({ headers });
      assert.equal(status, 101);
      assert.equal(answered['sec-websocket-extensions'], undefined);
      assert.equal(answered['sec-websocket-protocol'], undefined);
    });
  }

  for (const [name, options, statuses] of [
    ['no version', { headers: { 'Sec-WebSocket-Version': null } }, [426]],
    ['version 8', { headers: { 'Sec-WebSocket-Version': '8' } }, [426]],
    ['no key', { headers: { 'Sec-WebSocket-Key': null } }, [400]],
    ['a key of 15 bytes', { headers: { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' } }, [400]],
    ['a key that is no base64', { headers: { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' } }, [400]],
    ['no Upgrade', { headers: { Upgrade: null } }, [400, 426]],
    ['no Connection', { headers: { Connection: null } }, [400, 426]],
    ['POST', { method: 'POST', headers: { 'Content-Length': '0' } }, [400, 404, 405]],
  ]) {
    it(`${name} is refused`, async () => {
      const { status, headers } = await answer(options);
      assert.ok(statuses.includes(status), `${status}`);
      if (status === 426) assert.equal(headers['sec-websocket-version'], '13');
    });
  }

  it('frames in one segment with the request are read', async () => {
    const socket = await open({ early: Buffer.concat([frame(text, 'early'), frame(text, 'birds')]) });
    await assertEcho(socket, text, 'early');
    await assertEcho(socket, text, 'birds');
    socket.destroy();
  });
});
