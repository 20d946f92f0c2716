// As much of a Socket.IO client as this page needs, over a browser's WebSocket: one namespace, text events, no acknowledgements.
// Engine.IO 4 puts one digit before each packet (0 open, 2 ping, 3 pong, 4 message), Socket.IO 5 another one before each message
// (0 connect, 1 disconnect, 2 event, 4 refusal). An application would take the npm package socket.io-client.

import { Link } from './link.js';

const OPENING_MS_MAX = 10_000;

export class SocketIo {
  #link;
  #namespace;
  #auth;
  #onConnect;
  #onEvent;

  /** `url` is the server's, such as `ws://localhost:4000`; `namespace` begins with a slash; `auth` goes with the CONNECT. */
  constructor({ url, namespace, auth, onConnect, onEvent, onState }) {
    this.#namespace = namespace;
    this.#auth = JSON.stringify(auth);
    this.#onConnect = onConnect;
    this.#onEvent = onEvent;
    this.#link = new Link({
      url: () => `${url}/socket.io/?EIO=4&transport=websocket`,
      onText: (text) => this.#packet(text),
      onState,
      silenceMsMax: OPENING_MS_MAX,
    });
  }

  open() {
    this.#link.open();
  }

  emit(name, data) {
    this.#link.send(`42${this.#namespace},${JSON.stringify([name, data])}`);
  }

  #packet(text) {
    if (text.startsWith('0')) {
      const { pingInterval, pingTimeout } = JSON.parse(text.slice(1));
      this.#link.silenceMsMax = pingInterval + pingTimeout;
      this.#link.send(`40${this.#namespace},${this.#auth}`);
    } else if (text === '2') {
      this.#link.send('3');
    } else if (text.startsWith(`40${this.#namespace},`)) {
      this.#link.welcome();
      this.#onConnect();
    } else if (text.startsWith(`42${this.#namespace},`)) {
      const [name, data] = JSON.parse(text.slice(text.indexOf(',') + 1));
      this.#onEvent(name, data);
    } else if (text.startsWith(`44${this.#namespace},`)) {
      this.#link.refuse(JSON.parse(text.slice(text.indexOf(',') + 1)).message);
    } else if (text.startsWith(`41${this.#namespace},`)) {
      this.#link.refuse('the server has ended it');
    }
  }
}
