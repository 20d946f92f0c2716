import { io } from 'socket.io-client';
import { within } from './wait.mjs';

const WAIT_MS = 5_000;

/** A stock Socket.IO client on `/events` that keeps every event it gets, in order. */
export class FlowClient {
  #cursor = 0;
  #arrived = null;
  events = [];

  constructor(server, { key, namespace = '/events', ...options } = {}) {
    this.socket = io(`${server.flow.http}${namespace}`, {
      forceNew: true,
      reconnection: false,
      ...(key === undefined ? {} : { extraHeaders: { 'x-tenant-key': key } }),
      ...options,
    });
    this.socket.onAny((name, data) => {
      this.events.push({ name, data });
      this.#arrived?.();
    });
  }

  /** Connected and welcomed; the welcome is taken. */
  static async open(server, options) {
    const client = new FlowClient(server, options);
    const refused = new Promise((_, reject) => client.socket.once('connect_error', reject));
    refused.catch(() => {});
    client.welcome = await Promise.race([client.next('connected'), refused]);
    return client;
  }

  /** What a refused connection is told. */
  static async refusal(server, options) {
    const client = new FlowClient(server, options);
    const refusal = new Promise((resolve, reject) => {
      client.socket.once('connect_error', resolve);
      client.socket.once('connect', () => reject(new Error('connected, though it should be refused')));
    });
    try {
      return await within(refusal, WAIT_MS, 'a refusal');
    } finally {
      client.close();
    }
  }

  /** The next event not yet taken, or the next one with this name (the ones before it count as taken). */
  async next(name) {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      while (this.#cursor < this.events.length) {
        const event = this.events[this.#cursor++];
        if (name === undefined || event.name === name) return name === undefined ? event : event.data;
      }
      const arrival = new Promise((resolve) => { this.#arrived = resolve; });
      await within(arrival, Math.max(1, deadline - performance.now()), `the event ${name ?? '(any)'}`);
    }
  }

  emit(command, parameters, more = {}) {
    this.socket.emit('execute_voice_command', { command, parameters, ...more });
  }

  /** Sends a command and returns its answer with everything not yet taken that came before it. */
  async command(command, parameters, more) {
    const from = this.#cursor;
    this.emit(command, parameters, more);
    const response = await this.next('voice_command_response');
    return { response, before: this.events.slice(from, this.#cursor - 1) };
  }

  close() {
    this.socket.disconnect();
  }
}
