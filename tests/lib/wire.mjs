import net from 'node:net';
import { Queue, within } from './wait.mjs';

export const POLLING = '/socket.io/?EIO=4&transport=polling';
export const portOf = (gateway) => Number(gateway.address.split(':').at(-1));

/** The bytes of a GET. */
export const get = (target, headers = {}) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;

/** What a server says on a bare socket until it closes it, with the answers' statuses as they come. */
export class Wire {
  text = '';
  #statuses = new Queue();

  constructor(gateway, { from } = {}) {
    this.tcp = net.connect({ port: portOf(gateway), host: '127.0.0.1', localAddress: from });
    this.tcp.setNoDelay(true);
    this.tcp.on('error', () => {}); // a reset is an end like any other
    this.connected = new Promise((resolve) => this.tcp.once('connect', resolve));
    this.ended = new Promise((resolve) => this.tcp.once('close', resolve));
    let seen = 0;
    this.tcp.on('data', (data) => {
      this.text += data;
      const statuses = [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
      statuses.slice(seen).forEach((status) => this.#statuses.push(status));
      seen = statuses.length;
    });
    this.ended.then(() => this.#statuses.end(new Error(`ended after ${JSON.stringify(this.text)}`)));
  }

  static async open(gateway, options) {
    const wire = new Wire(gateway, options);
    await within(wire.connected, 5_000, 'a TCP connection');
    return wire;
  }

  write(bytes) { this.tcp.write(bytes); }
  status() { return within(this.#statuses.take(), 5_000, 'an answer'); }
  end(limit_ms = 5_000) { return within(this.ended, limit_ms, 'the end of the connection'); }
  get isOpen() { return !this.tcp.closed && !this.tcp.destroyed; }
  destroy() { this.tcp.destroy(); }

  /** Writes one byte now and one every `interval_ms` until the socket is closed. */
  dribble(bytes, interval_ms) {
    let at = 0;
    const next = () => { if (this.isOpen && at < bytes.length) this.tcp.write(bytes.subarray(at, ++at)); };
    next();
    const timer = setInterval(next, interval_ms);
    this.ended.then(() => clearInterval(timer));
  }
}

/** The statuses of the answers to these requests, sent in one segment, and the connection. */
export async function statuses(gateway, requests, options) {
  const wire = await Wire.open(gateway, options);
  wire.write(requests.join(''));
  const all = [];
  for (const _ of requests) all.push(await wire.status());
  return { all, wire };
}
