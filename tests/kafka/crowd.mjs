import WebSocket from 'ws';
import { until, within } from '../lib/wait.mjs';

const WAIT_MS = 30_000;

/** Users with a socket each, and everything that they got, over the lives of a server. */
export class Crowd {
  /** How often all have connected. */
  life = -1;
  /** What nobody should get, in words. */
  faults = [];
  #members;

  constructor(users) {
    this.#members = new Map(users.map((user) => [user, new Member(user)]));
  }

  get users() { return [...this.#members.keys()]; }

  /** Connects all; resolves when all are welcome. */
  async join(server) {
    this.life += 1;
    const members = [...this.#members.values()];
    await within(Promise.all(members.map((member) => member.join(server, this.life, this.faults))), WAIT_MS, `${members.length} welcomes`);
  }

  /** `[{life, n, acceptedAt}]` of what a user got, in its order. */
  stream(user) { return this.#members.get(user).stream; }

  /** When a user was welcome in this life, by its clock; Infinity if it was not. */
  welcomedAt(user, life) { return this.#members.get(user).welcomedAt[life] ?? Infinity; }

  /** How much all have got in this life. */
  received(life = this.life) {
    let count = 0;
    for (const { counts } of this.#members.values()) count += counts[life] ?? 0;
    return count;
  }

  /** Once everything that was sent to all of them was read: the answer to a ping stands behind it. */
  async drain() {
    const members = [...this.#members.values()];
    const before = members.map(({ pongs }) => pongs);
    members.forEach(({ socket }) => socket.send('{"type":"ping"}'));
    await until(() => members.every(({ pongs }, at) => pongs > before[at]), WAIT_MS, 'the answers to all pings');
  }

  /** Once all are closed, and everything before that was read. */
  async gone() {
    await within(Promise.all([...this.#members.values()].map(({ closed }) => closed)), WAIT_MS, 'the end of all connections');
  }

  async leave() {
    for (const { socket } of this.#members.values()) socket?.close(1000);
    await this.gone();
  }
}

class Member {
  stream = [];
  counts = [];
  welcomedAt = [];
  pongs = 0;
  closed = Promise.resolve();

  constructor(user) {
    this.user = user;
  }

  join(server, life, faults) {
    this.counts[life] = 0;
    this.socket = new WebSocket(`${server.tasks.ws}/ws?user_id=${this.user}`, { perMessageDeflate: false });
    const { socket } = this;
    this.closed = new Promise((resolve) => { socket.once('close', resolve); });
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.once('close', (code) => reject(new Error(`${this.user} was closed with ${code}`)));
      socket.on('message', (data) => {
        const { type, event, timestamp } = JSON.parse(data);
        if (type === 'task_update' && event.user_id === this.user) {
          this.stream.push({ life, n: event.n, acceptedAt: Date.parse(timestamp) });
          this.counts[life] += 1;
        } else if (type === 'pong') {
          this.pongs += 1;
        } else if (type === 'connected') {
          this.welcomedAt[life] = Date.now();
          resolve();
        } else {
          faults.push(`${this.user} got ${data}`);
        }
      });
    });
  }
}
