import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Queue, within } from './wait.mjs';

const WAIT_MS = 5_000;
export const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A WebSocket whose messages are awaited one by one, in the order they came. */
export class Inbox {
  static #live = new Set();
  #queue = new Queue();

  constructor(url, { protocols = [], headers, origin, perMessageDeflate = false } = {}) {
    this.socket = new WebSocket(url, protocols, { headers, origin, perMessageDeflate });
    this.socket.on('message', (data, binary) => this.#queue.push({ text: data.toString(), data, binary }));
    Inbox.#live.add(this);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        Inbox.#live.delete(this);
        this.#queue.end(new Error(`closed with ${code} ${reason}`));
        resolve({ code, reason: reason.toString() });
      });
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('unexpected-response', (_, response) => {
        reject(Object.assign(new Error(`the handshake was answered ${response.statusCode}`), { status: response.statusCode }));
        this.socket.terminate();
      });
      this.socket.on('error', reject);
    });
    this.opened.catch(() => {});
  }

  /** Ends what a failed test left open, so that the next one does not count it. */
  static async endAll() {
    const left = [...Inbox.#live];
    left.forEach((inbox) => inbox.socket.terminate());
    await Promise.all(left.map((inbox) => inbox.closed));
  }

  static async open(url, options) {
    const inbox = new Inbox(url, options);
    await within(inbox.opened, WAIT_MS, () => `an open WebSocket at ${url.split('?')[0]}`);
    return inbox;
  }

  send(message) {
    this.socket.send(typeof message === 'string' || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** The next message as it came. A wait that was given up has taken it all the same: whoever can wait longer says so. */
  next(what = 'the next message', limit_ms = WAIT_MS) {
    return within(this.#queue.take(), limit_ms, what);
  }

  async text(what, limit_ms) {
    return (await this.next(what, limit_ms)).text;
  }

  async json(what, limit_ms) {
    return JSON.parse(await this.text(what, limit_ms));
  }

  /** The next message that `matches`; the ones before it are passed over. */
  async find(matches, what) {
    for (;;) {
      const message = await this.json(what);
      if (matches(message)) return message;
    }
  }

  /**
   * All messages up to the answer to a `ping`. The answer is queued behind everything published before,
   * so what is not among them was not sent to this connection.
   */
  async drain(isPong = (message) => message.type === 'pong') {
    this.send({ type: 'ping' });
    const messages = [];
    for (;;) {
      const message = await this.json('the answer to a ping');
      if (isPong(message)) return messages;
      messages.push(message);
    }
  }

  /** The close the server sends. */
  closing(limit_ms = WAIT_MS) {
    return within(this.closed, limit_ms, 'a close');
  }

  async close() {
    this.socket.close(1000);
    await within(this.closed, WAIT_MS, 'the answer to a close');
  }
}

/** Fails unless the connection is closed with exactly this code and reason, and nothing was sent before. */
export async function assertRefused(url, code, reason, options) {
  const inbox = new Inbox(url, options);
  assert.deepEqual(await inbox.closing(), { code, reason });
}

/** The same keys in the same order, at every depth of plain objects; values are the caller's business. */
export function assertSameKeys(actual, expected, where = 'the message') {
  assert.deepEqual(Object.keys(actual), Object.keys(expected), `keys of ${where}`);
  for (const [key, value] of Object.entries(expected)) {
    if (value && typeof value === 'object' && !Array.isArray(value)) assertSameKeys(actual[key], value, `${where}.${key}`);
  }
}
