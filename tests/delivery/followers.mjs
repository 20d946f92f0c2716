import WebSocket from 'ws';
import { within } from '../lib/wait.mjs';

const WAIT_MS = 60_000;

/**
 * Somebody who follows executions from their present state on, over one connection or several that follow each other. It
 * keeps its stays: `{execution, shown, live, isLive, before}`, with what the state was shown as, the texts of the updates
 * behind it, and the stay that it took the place of without a leave.
 */
export class Follower {
  stays = [];
  faults = [];
  notifications = [];
  fences = new Set();
  /** Called with each update. */
  onUpdate = () => {};
  #url;
  #socket = null;
  #current = new Map();
  #progress = new Map();
  #waiting = [];
  #isGreeted = false;

  constructor(name, url) {
    this.name = name;
    this.#url = url;
  }

  get isConnected() { return this.#socket !== null; }
  get executions() { return [...this.#current.keys()]; }
  /** The stay that goes on. */
  stayIn(execution) { return this.#current.get(execution); }

  async connect() {
    const socket = new WebSocket(this.#url, { perMessageDeflate: false });
    this.#socket = socket;
    this.#isGreeted = false;
    socket.on('error', (error) => this.#fault(error.message));
    socket.on('close', (code, reason) => { if (this.#socket === socket) this.#fault(`closed with ${code} ${reason}`); });
    socket.on('message', (data) => { if (this.#socket === socket) this.#take(data.toString()); });
    await this.#until(() => this.#isGreeted, 'the greeting');
  }

  /** Hangs up, with or without a word. */
  async hangUp(abruptly) {
    const socket = this.#socket;
    const closed = new Promise((resolve) => { socket.once('close', resolve); });
    this.#socket = null;
    this.#current.clear();
    if (abruptly) socket.terminate();
    else socket.close(1000);
    await within(closed, WAIT_MS, `the end of a connection of ${this.name}`);
  }

  ask(execution) { this.#send({ type: 'subscribe', room_id: `execution:${execution}`, snapshot: true }); }

  /** Is shown the state, again if it is there already. */
  async follow(execution) {
    const before = this.#current.get(execution);
    this.ask(execution);
    await this.follows(execution, before);
  }

  follows(execution, before) {
    return this.#until(() => this.#current.get(execution) !== before && this.#current.get(execution)?.isLive, `the state of ${execution}`);
  }

  async leave(execution) {
    this.#send({ type: 'unsubscribe', room_id: `execution:${execution}` });
    await this.#until(() => !this.#current.has(execution), `the leave from ${execution}`);
  }

  fenced(fence) { return this.#until(() => this.fences.has(fence), fence); }

  stopReading() { this.#socket.pause(); }
  readAgain() { this.#socket.resume(); }

  #send(message) { this.#socket.send(JSON.stringify(message)); }
  #wake() { this.#waiting.splice(0).forEach((wake) => wake()); }
  #fault(what) { this.faults.push(`${this.name}: ${what}`); this.#wake(); }

  async #until(holds, what) {
    while (!holds()) {
      if (this.faults.length > 0) throw new Error(`${this.faults[0]}; it waits for ${what}`);
      await within(new Promise((resolve) => { this.#waiting.push(resolve); }), WAIT_MS, `${what} at ${this.name}`);
    }
  }

  #take(text) {
    const message = JSON.parse(text);
    switch (message.type) {
      case 'connection': break;
      case 'subscription': this.#subscription(message); break;
      case 'execution_update': this.#progresses(message.data); // and is an update
      case 'node_update': this.#update(message, text); break;
      case 'notification': this.notifications.push(message); break;
      case 'fence': this.fences.add(message.data); break;
      default: this.#fault(`unexpected ${text}`);
    }
    this.#wake();
  }

  #subscription({ event, room_id: room, recovered }) {
    const [kind, execution] = room.split(':');
    if (kind === 'user') this.#isGreeted = true;
    else if (event === 'unsubscribed') this.#current.delete(execution);
    else if (recovered === undefined) {
      const stay = { execution, shown: [], live: [], isLive: false, before: this.#current.get(execution) };
      this.stays.push(stay);
      this.#current.set(execution, stay);
    } else this.#current.get(execution).isLive = true;
  }

  #update(message, text) {
    const { execution_id: execution } = message.data;
    const stay = this.#current.get(execution);
    const isShown = [...this.#current.values()].find(({ isLive }) => !isLive);
    if (!stay) return this.#fault(`an update of ${execution}, which it does not follow: ${text}`);
    if (isShown && isShown !== stay) this.#fault(`an update of ${execution} within the state of ${isShown.execution}`);
    if (stay.isLive) stay.live.push(text);
    else stay.shown.push(message);
    return this.onUpdate(message, stay);
  }

  #progresses({ execution_id: execution, progress_percentage: progress, completed_nodes: completed }) {
    const before = this.#progress.get(execution) ?? { progress: 0, completed: 0 };
    if (progress < before.progress || completed < before.completed) {
      this.#fault(`${execution} goes back from ${JSON.stringify(before)} to ${JSON.stringify({ progress, completed })}`);
    }
    this.#progress.set(execution, { progress, completed });
  }
}
