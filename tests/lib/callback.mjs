import { once } from 'node:events';
import http from 'node:http';

/** The application's route that is asked who may enter which room. It can be away, hang, and fail. */
export class Callback {
  #server;
  #held = new Set();
  #answers = new Map();
  /** What it answers to all questions that nothing is set for: `{status, body}`. */
  otherwise = { status: 404, body: '' };
  isHanging = false;
  /** The questions so far: `{headers, body}`. */
  asked = [];

  static async start() {
    const callback = new Callback();
    callback.port = 0;
    await callback.listen();
    return callback;
  }

  get url() { return `http://127.0.0.1:${this.port}/may-enter`; }

  /** How often it was asked about this. */
  count(user, room) { return this.asked.filter(({ body }) => body.user_id === user && body.room === room).length; }

  /** What it answers from now on; `answer` is what its body says, or a status. */
  set(user, room, answer) {
    this.#answers.set(`${user} ${room}`, typeof answer === 'number' ? { status: answer, body: '' } : { status: 200, body: JSON.stringify(answer) });
  }

  /** Comes up, or up again where it was. */
  async listen() {
    this.#server = http.createServer((request, response) => this.#respond(request, response));
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
  }

  /** Goes away, if it is there, and takes its connections with it. */
  async close() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Answers what it let wait. */
  release() {
    this.isHanging = false;
    this.#held.forEach((answer) => answer());
    this.#held.clear();
  }

  async #respond(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the caller has gone
    }
    const body = JSON.parse(Buffer.concat(chunks));
    this.asked.push({ method: request.method, headers: request.headers, body });
    const answer = () => {
      const { status, body: text } = this.#answers.get(`${body.user_id} ${body.room}`) ?? this.otherwise;
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    };
    if (this.isHanging) this.#held.add(answer);
    else answer();
  }
}
