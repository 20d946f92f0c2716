// The user's runs, by the document's class `WorkflowWebSocket` as printed (workflow-websocket.js), and what it leaves to the reader.

import { isFinal } from './link.js';

/* global WorkflowWebSocket */

/** What the printed class connects to, before its query. */
const PRINTED_URL = 'ws://localhost:8000/api/v1/ws?';
const PING_INTERVAL_MS = 30_000;
/** The printed class gives up after five attempts, and each wait is twice the last: it is held at the third, 8 s. */
const ATTEMPTS_MAX = 2;
const RUNS_MAX = 5;
const STORED_RUNS = 'tidings.runs';
const ENDED = new Set(['completed', 'failed', 'cancelled']);

/** Has the printed address lead to where the page came from. Other addresses are left alone. */
export function leadPrintedAddressTo(url) {
  const BrowserSocket = globalThis.WebSocket;
  globalThis.WebSocket = class WebSocket extends BrowserSocket {
    constructor(address, protocols) {
      const isPrinted = String(address).startsWith(PRINTED_URL);
      super(isPrinted ? `${url}?${String(address).slice(PRINTED_URL.length)}` : address, protocols);
    }
  };
}

export class Runs extends WorkflowWebSocket {
  #onState;
  #heardAt = 0;
  /** By execution id, the newest last: `{id, name, status, progress, element}`. */
  #runs = new Map();
  #shown = null;

  /** `onState` is given the states of `Link`. */
  constructor(token, onState) {
    super(token);
    this.#onState = onState;
    for (const { id, name } of storedRuns()) this.#add(id, name);
    setInterval(() => this.#keepAlive(), PING_INTERVAL_MS);
  }

  connect() {
    this.#onState('connecting');
    super.connect();
    const socket = this.ws;
    socket.addEventListener('message', () => { this.#heardAt = Date.now(); });
    socket.addEventListener('close', ({ code, reason }) => {
      if (isFinal(code)) {
        this.#onState('refused', reason || `code ${code}`);
        return;
      }
      this.#onState('waiting');
      this.reconnectAttempts = Math.min(this.reconnectAttempts, ATTEMPTS_MAX);
      super.reconnect();
    });
  }

  /** The printed class calls it as soon as the connection is lost, and knows no close code: see `connect`. */
  reconnect() {}

  handleMessage(message) {
    super.handleMessage(message);
    switch (message.type) {
      case 'connection':
        this.#onState('open');
        for (const run of this.#runs.values()) {
          if (run === this.#shown || !ENDED.has(run.status)) this.#subscribe(run);
        }
        break;
      case 'notification':
        if (typeof message.data?.execution_id === 'string') this.#follow(message.data);
        break;
      case 'subscription':
        // Put out of the room. Should the execution come back, the user is told of it as of a new one.
        if (message.event === 'unsubscribed') this.#forget(String(message.room_id).replace('execution:', ''));
        break;
      case 'error':
        // Nobody knows the execution any more, or it is somebody else's by now.
        if (message.message === 'Access denied to room') this.#forget(String(message.room_id).replace('execution:', ''));
        break;
    }
  }

  updateExecutionUI(data) {
    const run = this.#runs.get(data.execution_id);
    if (!run) return;
    run.status = data.status;
    run.progress = data.progress_percentage;
    paintEntry(run, run === this.#shown);
    if (run !== this.#shown) return;
    super.updateExecutionUI(data);
    const track = document.getElementById('execution-track');
    track.className = `status-${data.status}`;
    track.setAttribute('aria-valuenow', Math.round(data.progress_percentage));
  }

  updateNodeUI(data) {
    if (data.execution_id !== this.#shown?.id) return;
    const element = document.getElementById(`node-${data.node_id}`) ?? addNode(data.node_id);
    element.querySelector('.name').textContent = data.node_name;
    element.querySelector('.message').textContent = data.message ?? '';
    super.updateNodeUI(data);
  }

  /** Takes up an execution that the user is told of, and shows it. */
  #follow({ execution_id: id, workflow_id: workflow, name }) {
    if (this.#runs.has(id)) return;
    for (const run of [...this.#runs.values()].slice(0, -(RUNS_MAX - 1))) {
      this.unsubscribeFromExecution(run.id);
      this.#remove(run);
    }
    this.#add(id, String(name ?? workflow ?? id));
    this.#subscribe(this.#shown);
    this.#store();
  }

  #add(id, name) {
    const run = { id, name, status: 'pending', progress: 0, element: instance('run') };
    this.#runs.set(id, run);
    run.element.querySelector('.name').textContent = name;
    run.element.querySelector('button').addEventListener('click', () => {
      this.#show(run);
      this.#subscribe(run);
    });
    document.getElementById('run-list').prepend(run.element);
    document.getElementById('runs').dataset.filled = '';
    this.#show(run);
  }

  /** Shows a run as one that nothing is known of yet. What is known comes with the subscription. */
  #show(run) {
    this.#shown = run;
    document.getElementById('run').hidden = run === null;
    document.getElementById('nodes').replaceChildren();
    for (const each of this.#runs.values()) paintEntry(each, each === run);
    if (!run) return;
    document.getElementById('execution-name').textContent = run.name;
    this.updateExecutionUI({ execution_id: run.id, status: run.status, progress_percentage: run.progress });
  }

  /** As the printed `subscribeToExecution`, and asks for the present state with it. */
  #subscribe(run) {
    this.send({ type: 'subscribe', room_id: `execution:${run.id}`, snapshot: true });
  }

  #forget(id) {
    const run = this.#runs.get(id);
    if (!run) return;
    this.#remove(run);
    if (run === this.#shown) {
      const [newest = null] = [...this.#runs.values()].reverse();
      this.#show(newest);
      if (newest) this.#subscribe(newest);
    }
    this.#store();
  }

  #remove(run) {
    this.#runs.delete(run.id);
    run.element.remove();
  }

  /** For a reloaded page: what these runs are and how they stand is the server's to tell. */
  #store() {
    const runs = [...this.#runs.values()].map(({ id, name }) => ({ id, name }));
    sessionStorage.setItem(STORED_RUNS, JSON.stringify(runs));
  }

  #keepAlive() {
    // No answer to the last ping: the connection may be dead without anybody having been told.
    if (Date.now() - this.#heardAt > 2 * PING_INTERVAL_MS) this.disconnect();
    else this.ping();
  }
}

function storedRuns() {
  return JSON.parse(sessionStorage.getItem(STORED_RUNS) ?? '[]');
}

function paintEntry({ element, status, progress }, isShown) {
  element.className = `status-${status}`;
  element.title = `${status}, ${Math.round(progress)}%`;
  element.querySelector('.bar').style.width = `${progress}%`;
  element.querySelector('button').setAttribute('aria-pressed', isShown);
}

/** By their ids, as in the state that comes with a subscription. */
function addNode(id) {
  const nodes = document.getElementById('nodes');
  const element = instance('node');
  element.id = `node-${id}`;
  const next = [...nodes.children].find((other) => other.id > element.id);
  nodes.insertBefore(element, next ?? null);
  return element;
}

function instance(name) {
  return document.getElementById(`template-of-${name}`).content.firstElementChild.cloneNode(true);
}
