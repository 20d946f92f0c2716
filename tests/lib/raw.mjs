import net from 'node:net';
import { Queue, within } from './wait.mjs';

const WAIT_MS = 5_000;
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** The bytes of one client frame; every rule of RFC 6455 can be broken on purpose. */
export function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, masked = true, mask = Buffer.from([0x12, 0x9a, 0xf0, 0x5c]), lengthForm, length } = {}) {
  const body = Buffer.from(payload);
  const size = length ?? BigInt(body.length);
  const form = lengthForm ?? (size < 126n ? 7 : size < 65_536n ? 16 : 64);
  const header = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  const extended = Buffer.alloc(form === 7 ? 0 : form / 8);
  if (form === 7) header.push(maskBit | Number(size));
  else if (form === 16) { header.push(maskBit | 126); extended.writeUInt16BE(Number(size)); }
  else { header.push(maskBit | 127); extended.writeBigUInt64BE(size); }
  if (masked) for (let at = 0; at < body.length; at += 1) body[at] ^= mask[at & 3];
  return Buffer.concat([Buffer.from(header), extended, masked ? mask : Buffer.alloc(0), body]);
}

/** A close frame's payload. */
export function closing(code, reason = '') {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

/** The request that opens a WebSocket; a header set to null is left out. */
export function handshake(port, { method = 'GET', path = '/', version = 'HTTP/1.1', headers = {} } = {}) {
  const all = {
    Host: `localhost:${port}`, Upgrade: 'websocket', Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13', ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} ${version}\r\n${lines.join('')}\r\n`;
}

/** A WebSocket spoken over a bare TCP socket, so that what a library would never send can be sent. */
export class RawSocket {
  #input = Buffer.alloc(0);
  #frames = new Queue();
  #response = new Queue();
  #upgraded = false;
  #refused = false;

  /** `from` is the client's own address, another one than the system's choice. */
  constructor(port, { from } = {}) {
    this.tcp = net.connect({ port, host: '127.0.0.1', localAddress: from });
    this.connected = new Promise((resolve) => this.tcp.once('connect', resolve));
    this.tcp.setNoDelay(true);
    this.tcp.on('data', (data) => { this.#input = Buffer.concat([this.#input, data]); this.#parse(); });
    this.tcp.on('error', () => {}); // a reset is an end like any other: 'close' follows
    this.ended = new Promise((resolve) => this.tcp.once('close', resolve));
    this.ended.then(() => {
      this.#response.end(new Error('the connection ended before an answer'));
      this.#frames.end(new Error('the connection ended'));
    });
  }

  /** An open WebSocket. `early` is sent in one segment with the request. */
  static async open(port, { early = Buffer.alloc(0), from, ...options } = {}) {
    const socket = new RawSocket(port, { from });
    socket.write(Buffer.concat([Buffer.from(handshake(port, options)), early]));
    const { status } = await socket.response();
    if (status !== 101) throw new Error(`the handshake was answered ${status}`);
    return socket;
  }

  write(bytes) { this.tcp.write(bytes); }
  send(...args) { this.write(frame(...args)); }

  response() { return within(this.#response.take(), WAIT_MS, 'an answer to the handshake'); }
  next(limit_ms = WAIT_MS) { return within(this.#frames.take(), limit_ms, 'a frame'); }

  /** The code of the close frame that comes, `null` if it has none; frames before it are kept in `before`. */
  async closed(limit_ms = WAIT_MS) {
    this.before = [];
    for (;;) {
      const received = await this.next(limit_ms);
      if (received.opcode === OPCODE.close) {
        const { payload } = received;
        return { code: payload.length >= 2 ? payload.readUInt16BE() : null, reason: payload.subarray(2).toString() };
      }
      this.before.push(received);
    }
  }

  /** The end of the TCP connection. */
  end(limit_ms = WAIT_MS) { return within(this.ended, limit_ms, 'the end of the connection'); }
  destroy() { this.tcp.destroy(); }

  #parse() {
    if (!this.#upgraded) {
      const end = this.#input.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [statusLine, ...lines] = this.#input.subarray(0, end).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
      this.#upgraded = true;
      this.#input = this.#input.subarray(end + 4);
      const status = Number(statusLine.split(' ')[1]);
      this.#response.push({ status, headers });
      this.#refused = status !== 101;
    }
    while (!this.#refused) {
      const parsed = parse(this.#input);
      if (!parsed) return;
      this.#input = this.#input.subarray(parsed.size);
      this.#frames.push(parsed.frame);
    }
  }
}

function parse(input) {
  if (input.length < 2) return null;
  const short = input[1] & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (input.length < start) return null;
  const length = short === 126 ? input.readUInt16BE(2) : short === 127 ? Number(input.readBigUInt64BE(2)) : short;
  if (input.length < start + length) return null;
  const frame = {
    fin: (input[0] & 0x80) !== 0, rsv: (input[0] >> 4) & 7, opcode: input[0] & 0x0f, masked: (input[1] & 0x80) !== 0,
    payload: Buffer.from(input.subarray(start, start + length)),
  };
  return { frame, size: start + length };
}
