import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { within } from '../lib/wait.mjs';

const WAIT_MS = 30_000;
const now = () => performance.now();

/** A connection that records what `verify` wants to know: its stream, and its stays in rooms. */
class Member {
  stream = [];
  stays = [];
  faults = [];
  open = true;
  /** Whether the client throws away what comes after it has asked to leave. */
  readsNoFurther = false;
  #current = new Map();
  #waiting = null;

  constructor(name) {
    this.name = name;
  }

  get rooms() { return [...this.#current.keys()]; }

  received(n) {
    this.stream.push(n);
    this.#waiting?.();
  }

  joinRequested(room) {
    const stay = { room, joinRequested: now(), joinConfirmed: Infinity, leaveRequested: Infinity, leaveConfirmed: Infinity, from: this.stream.length, to: null };
    this.stays.push(stay);
    this.#current.set(room, stay);
  }

  joinConfirmed(room, from = this.stream.length) {
    Object.assign(this.#current.get(room), { joinConfirmed: now(), from });
    this.#waiting?.();
  }

  leaveRequested(room) {
    this.#current.get(room).leaveRequested = now();
  }

  leaveConfirmed(room) {
    Object.assign(this.#current.get(room), { leaveConfirmed: now(), to: this.stream.length });
    this.#current.delete(room);
    this.#waiting?.();
  }

  /** Waits until something received makes `holds` true. */
  async until(holds, what) {
    while (!holds()) {
      if (!this.open) throw new Error(`${this.name} is closed, and waits for ${what}`);
      await within(new Promise((resolve) => { this.#waiting = resolve; }), WAIT_MS, `${what} at ${this.name}`);
    }
  }

  /** The connection ended; `why` is a fault unless it was asked to. */
  ended(why) {
    if (this.open) this.faults.push(why);
    this.open = false;
    this.#waiting?.();
  }

  isIn(room) { return this.#current.get(room)?.joinConfirmed < Infinity; }

  /** Leaves all rooms by leaving altogether. */
  disconnect(abruptly) {
    this.open = false;
    for (const stay of this.#current.values()) Object.assign(stay, { leaveRequested: now(), abrupt: abruptly || this.readsNoFurther });
    this.hangUp(abruptly);
  }
}

class SocketMember extends Member {
  constructor(name, url) {
    super(name);
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (data) => this.message(JSON.parse(data)));
    this.socket.on('error', (error) => this.faults.push(error.message));
    this.socket.on('close', (code, reason) => this.ended(`closed with ${code} ${reason}`));
  }

  hangUp(abruptly) {
    if (abruptly) this.socket.terminate();
    else this.socket.close();
  }
}

/** A connection of the tasks gateway: in its user's room from the welcome on. */
export class TaskMember extends SocketMember {
  constructor(server, name, user) {
    super(name, `${server.tasks.ws}/ws?user_id=${user}`);
    this.room = `user:${user}`;
    this.joinRequested(this.room);
  }

  message(message) {
    if (message.type === 'connected') this.joinConfirmed(this.room);
    else if (message.type === 'probe') this.received(message.event.n);
    else this.faults.push(`unexpected ${message.type}`);
  }

  ready() { return this.until(() => this.isIn(this.room), 'the welcome'); }
}

/** A connection of the workflows gateway: in its user's room, and joining and leaving others. */
export class WorkflowMember extends SocketMember {
  constructor(server, name, user, token) {
    super(name, `${server.workflows.ws}/api/v1/ws?token=${token}`);
    this.room = `user:${user}`;
    this.joinRequested(this.room);
  }

  message(message) {
    if (message.type === 'probe') this.received(message.data.n);
    else if (message.type === 'subscription' && message.event === 'subscribed') this.joinConfirmed(message.room_id);
    else if (message.type === 'subscription' && message.event === 'unsubscribed') this.leaveConfirmed(message.room_id);
    else if (message.type !== 'connection') this.faults.push(`unexpected ${JSON.stringify(message)}`);
  }

  ready() { return this.until(() => this.isIn(this.room), 'the opening frames'); }

  async join(room) {
    this.joinRequested(room);
    this.socket.send(JSON.stringify({ type: 'subscribe', room_id: room }));
    await this.until(() => this.isIn(room), `a subscription to ${room}`);
  }

  async leave(room) {
    this.leaveRequested(room);
    this.socket.send(JSON.stringify({ type: 'unsubscribe', room_id: room }));
    await this.until(() => !this.rooms.includes(room), `the end of the subscription to ${room}`);
  }
}

/** A Socket.IO connection: in its tenant's room at the latest from the welcome on. */
export class FlowMember extends Member {
  readsNoFurther = true;

  constructor(server, name, key, transport) {
    super(name);
    this.room = null;
    const requested = now();
    this.socket = io(`${server.flow.http}/events`, { forceNew: true, reconnection: false, transports: [transport], timeout: WAIT_MS, extraHeaders: { 'x-tenant-key': key } });
    this.socket.on('connected', ({ tenantId }) => {
      this.room = `tenant:${tenantId}`;
      this.joinRequested(this.room);
      this.stays[0].joinRequested = requested;
      this.joinConfirmed(this.room, 0);
    });
    this.socket.on('probe', ({ n }) => this.received(n));
    this.socket.on('connect_error', (error) => this.ended(error.message));
    this.socket.on('disconnect', (reason) => this.ended(`disconnected: ${reason}`));
  }

  ready() { return this.until(() => this.room !== null, 'the welcome'); }

  hangUp() { this.socket.disconnect(); }
}
