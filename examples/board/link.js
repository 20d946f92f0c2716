// A WebSocket that comes back by itself, however long the server is away.

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 8_000;

/** Close codes behind which the same attempt would end the same way (docs/reference/close-codes.md). */
const FINAL_CODES = new Set([1002, 1007, 1008, 1009, 4400, 4401, 4403, 4408]);

/** Whether it is in vain to come back after a close. */
export const isFinal = (code) => FINAL_CODES.has(code);

/**
 * `url` gives the address, before each attempt. `onText` is given every text message, `onState` a state and, when the server
 * refuses for good, its reason: `connecting`, `open`, `waiting` (until the next attempt), `refused`.
 */
export class Link {
  #url;
  #onText;
  #onState;
  #silenceMsMax;
  #socket = null;
  #attempts = 0;
  #silence;

  constructor({ url, onText, onState, silenceMsMax }) {
    this.#url = url;
    this.#onText = onText;
    this.#onState = onState;
    this.#silenceMsMax = silenceMsMax;
  }

  open() {
    this.#onState('connecting');
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    this.#listen();
    socket.onmessage = ({ data }) => {
      this.#listen();
      if (typeof data === 'string') this.#onText(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (isFinal(code)) this.refuse(reason || `code ${code}`);
      else this.#retry();
    };
  }

  send(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** The server has let the page in: when this connection is lost, the next attempt is soon. */
  welcome() {
    this.#attempts = 0;
    this.#onState('open');
  }

  /** Gives up, because the server said so. */
  refuse(reason) {
    this.#drop();
    this.#onState('refused', reason);
  }

  /** How long the server may be silent from now on. */
  set silenceMsMax(value) {
    this.#silenceMsMax = value;
    this.#listen();
  }

  /** A connection on which nothing comes may be dead without anybody having been told. */
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#retry(), this.#silenceMsMax);
  }

  #retry() {
    this.#drop();
    this.#onState('waiting');
    const longest = Math.min(BACKOFF_MS_MIN * 2 ** this.#attempts, BACKOFF_MS_MAX);
    this.#attempts += 1;
    // Half of it at least; the rest is chance, so that not all pages come back at once.
    setTimeout(() => this.open(), longest * (1 + Math.random()) / 2);
  }

  #drop() {
    clearTimeout(this.#silence);
    if (!this.#socket) return;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
