// Plays a session against one server over bare HTTP and WebSockets, and writes down what it answers.
//
// Nothing here waits for time to pass. A step is over when the answers to two markers have come, one after the other: a
// marker is a CONNECT to a namespace that does not exist, which every live session refuses by its name. The first
// shows that the step's packets were read, the second that what they brought about was sent.
import http from 'node:http';
import { OPCODE, RawSocket, closing, frame, handshake } from '../lib/raw.mjs';
import { pause, within } from '../lib/wait.mjs';

const WAIT_MS = 5_000;
const PATH = '/socket.io/';
const POLLING = 'EIO=4&transport=polling';

/** The transcript of `session` on the server at `port`: one entry for each step. */
export async function play(session, port) {
  const player = new Player(port);
  const transcript = [];
  try {
    transcript.push(await player.open(session.transport === 'websocket'));
    for (const step of session.steps) {
      const entry = { op: step.op };
      transcript.push(entry);
      await player.step(step, entry);
      if (player.closed) break;
    }
  } catch (error) {
    transcript.push({ failed: error.message });
  } finally {
    player.end();
  }
  return transcript;
}

class Player {
  #port;
  #agent = new http.Agent({ keepAlive: true });
  #socket = null;
  #marker = 0;
  #sockets = [];
  #sid;
  closed = false;

  constructor(port) { this.#port = port; }

  end() {
    this.#agent.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  async open(websocket) {
    if (websocket) {
      this.#socket = await this.#webSocket('EIO=4&transport=websocket');
      const { payload } = await this.#socket.next(WAIT_MS);
      return { op: 'open', packets: [payload.toString()] };
    }
    const answer = await this.#request('GET', POLLING);
    this.#sid = JSON.parse(answer.body.slice(1)).sid;
    return { op: 'open', packets: [answer.body], type: answer.type };
  }

  async step(step, entry) {
    entry.packets = [];
    switch (step.op) {
      case 'packets': await this.#send(step.packets, entry, step.together); break;
      case 'fragments': this.#socket.write(fragments(step)); break;
      case 'bytes': this.#socket.write(Buffer.from(step.bytes, 'hex')); if (step.leaves) { await this.#drain(entry); return; } break;
      case 'upgrade': await this.#upgrade(step, entry); break;
      case 'failing_probe': await this.#failingProbe(step.packets); break;
      case 'request': entry.answer = await this.#other(step); break;
      case 'overlapping_gets': entry.answers = summary(await Promise.all([this.#get(), this.#get()])); break;
      case 'overlapping_posts': entry.answers = await this.#overlappingPosts(); break;
      case 'abandoned_get': entry.answers = summary([await this.#abandonedGet()]); break;
      case 'close_under_get': entry.answers = summary(await Promise.all([this.#get(), this.#post('1')])); break;
      case 'post_of_bytes': entry.post = await this.#post(Buffer.from([1, 2]), { 'content-type': 'application/octet-stream' }); break;
      case 'post_too_big': entry.post = await this.#post('4'.repeat(1_000_001)); break;
      default: throw new Error(`no step ${step.op}`);
    }
    for (let round = 0; round < 2 && !this.closed; round += 1) await this.#mark(entry);
    if (this.closed && !this.#socket) entry.after = await this.#gone();
  }

  /** All packets in one POST, or each in its frame; `together` puts the frames into one segment. */
  async #send(packets, entry, together) {
    if (!this.#socket) { entry.post = await this.#post(packets.map(inPayload).join('\u001e')); return; }
    const frames = packets.map(inFrame);
    if (together) this.#socket.write(Buffer.concat(frames));
    else for (const bytes of frames) this.#socket.write(bytes);
  }

  async #mark(entry) {
    const namespace = `/marker-${this.#marker += 1}`;
    const answered = (packet) => packet === `44${namespace},{"message":"Invalid namespace"}`;
    if (this.#socket) {
      this.#socket.send(OPCODE.text, `40${namespace}`);
      await this.#drain(entry, answered);
      return;
    }
    const { status } = await this.#post(`40${namespace}`);
    if (status !== 200) { this.closed = true; }
    for (;;) {
      const answer = await this.#get();
      if (answer.status !== 200) { this.closed = true; return; }
      entry.type = answer.type;
      const packets = answer.body.split('\u001e').map((packet) => (packet.startsWith('b') ? { binary: packet.slice(1) } : packet));
      const found = packets.findIndex(answered);
      if (found >= 0) packets.splice(found, 1);
      const end = packets.indexOf('1');
      entry.packets.push(...(end < 0 ? packets : packets.slice(0, end)));
      if (end >= 0) { this.closed = true; return; }
      if (found >= 0) return;
    }
  }

  /** Reads up to the answer, or to the end. */
  async #drain(entry, answered = () => false) {
    for (;;) {
      let received;
      try {
        received = await this.#socket.next(WAIT_MS);
      } catch (error) {
        if (/ended/.test(error.message)) { this.closed = true; return; }
        throw error;
      }
      const { opcode, payload } = received;
      if (opcode === OPCODE.close) {
        this.#socket.send(OPCODE.close, payload.length >= 2 ? closing(payload.readUInt16BE()) : Buffer.alloc(0));
        await this.#socket.end(WAIT_MS);
        this.closed = true;
        return;
      }
      if (opcode === OPCODE.ping) this.#socket.send(OPCODE.pong, payload);
      else if (opcode === OPCODE.pong) entry.packets.push(`pong ${payload}`);
      else if (opcode === OPCODE.binary) entry.packets.push({ binary: payload.toString('base64') });
      else if (answered(payload.toString())) return;
      else entry.packets.push(payload.toString());
    }
  }

  /** A session that was closed is not there any more. */
  async #gone() {
    let answer;
    for (let tries = 0; tries < 3; tries += 1) {
      answer = await this.#get();
      if (answer.status !== 200) break;
    }
    const post = await this.#post('40');
    return { get: answer.status, body: answer.body, post: post.status };
  }

  async #upgrade(step, entry) {
    if (step.before.length > 0) entry.post = await this.#post(step.before.join('\u001e'));
    const query = `EIO=4&transport=websocket&sid=${this.#sid}`;
    const socket = await this.#webSocket(query);
    const probe = async () => {
      socket.send(OPCODE.text, '2probe');
      entry.packets.push((await socket.next(WAIT_MS)).payload.toString());
    };
    for (let count = 0; count < step.probes; count += 1) await probe();
    if (step.second === 'before') entry.second = await ending(await this.#webSocket(query));
    // What waits is taken, so that this GET is answered because of the move.
    if (step.poll && step.before.length === 0) entry.poll = (await this.#get()).body;
    this.#socket = socket;
    socket.write(Buffer.concat([frame(OPCODE.text, '5'), ...step.behind.map(inFrame)]));
    for (let round = 0; round < 2 && !this.closed; round += 1) await this.#mark(entry);
    if (step.second === 'after') entry.second = await ending(await this.#webSocket(query));
    entry.polling = summary([await this.#get()]);
    entry.posting = summary([await this.#post('42["message"]')]);
  }

  async #failingProbe(packets) {
    const socket = await this.#webSocket(`EIO=4&transport=websocket&sid=${this.#sid}`);
    for (const packet of packets) socket.write(inFrame(packet));
    if (packets.length === 0) socket.send(OPCODE.close, closing(1000));
    await ending(socket);
  }

  async #other({ request: [method, query, body], own, upgrade }) {
    const whole = own ? `${query}&sid=${this.#sid}` : query;
    if (!upgrade) {
      const answer = await this.#request(method, whole, { body });
      return { method, own: Boolean(own), status: answer.status, body: answer.body, type: answer.type, origin: answer.origin, methods: answer.methods };
    }
    const socket = this.#raw();
    socket.write(Buffer.from(handshake(this.#port, { method, path: `${PATH}?${whole}` })));
    const answer = await Promise.race([socket.response().catch(() => ({ status: 0 })), socket.ended.then(() => ({ status: 0 }))]);
    if (answer.status === 101) await ending(socket);
    return { refused: true };
  }

  /** Two POSTs whose bodies do not end: one of them is refused, and the session with it. */
  async #overlappingPosts() {
    const posts = [0, 1].map(() => {
      const request = this.#ask('POST', `${POLLING}&sid=${this.#sid}`, { headers: { 'content-length': 10 } });
      request.write('4');
      return request;
    });
    const first = await within(Promise.race(posts.map(({ answer }) => answer)), WAIT_MS, 'the refusal of one of two POSTs');
    for (const post of posts) post.destroy();
    await Promise.all(posts.map(({ answer }) => answer));
    return first.status === 0 ? 400 : first.status;
  }

  /**
   * A GET that is given up, and the one behind it. Should the first have been gone before the server came to it, the
   * second one waits; then it has waited long enough to be the one that is given up.
   */
  async #abandonedGet() {
    await this.#abandon(async () => { for (let round = 0; round < 2; round += 1) await this.#request('GET', ''); });
    let answer = null;
    await this.#abandon(async (request) => { answer = await Promise.race([request.answer, pause(1_000)]); });
    return answer ?? this.#get();
  }

  async #abandon(until) {
    const request = this.#ask('GET', `${POLLING}&sid=${this.#sid}`);
    request.end();
    await new Promise((resolve) => request.once('finish', resolve));
    await until(request);
    request.destroy();
    await request.answer;
  }

  #get() { return this.#request('GET', `${POLLING}&sid=${this.#sid}`); }
  #post(body, headers) { return this.#request('POST', `${POLLING}&sid=${this.#sid}`, { body, headers }); }

  #request(method, query, { body, headers } = {}) {
    const request = this.#ask(method, query, { headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) } });
    request.end(body);
    return within(request.answer, WAIT_MS, `an answer to ${method} ${query}`);
  }

  /** A request whose body is still to come; its `answer` has status 0 if there is none. */
  #ask(method, query, { headers } = {}) {
    const request = http.request({ host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path: query === '' ? PATH : `${PATH}?${query}`, headers });
    let answered = false;
    request.answer = new Promise((resolve) => {
      const none = () => resolve({ status: 0, body: '' });
      request.on('error', none);
      request.on('close', () => { if (!answered) none(); });
      request.on('response', (response) => {
        answered = true;
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text) => { body += text; });
        response.on('close', () => resolve({
          status: response.statusCode, body, type: response.headers['content-type'], origin: response.headers['access-control-allow-origin'], methods: response.headers['access-control-allow-methods'],
        }));
      });
    });
    return request;
  }

  #raw() {
    const socket = new RawSocket(this.#port);
    this.#sockets.push(socket);
    return socket;
  }

  async #webSocket(query) {
    const socket = await RawSocket.open(this.#port, { path: `${PATH}?${query}` });
    this.#sockets.push(socket);
    return socket;
  }
}

const inPayload = (packet) => (typeof packet === 'string' ? packet : `b${packet.binary}`);
const inFrame = (packet) => (typeof packet === 'string' ? frame(OPCODE.text, packet) : frame(OPCODE.binary, Buffer.from(packet.binary, 'base64')));

function fragments({ text, at, ping }) {
  const bytes = Buffer.from(text);
  return Buffer.concat([frame(OPCODE.text, bytes.subarray(0, at), { fin: false }), ...(ping ? [frame(OPCODE.ping, 'p')] : []), frame(OPCODE.continuation, bytes.subarray(at))]);
}

/** The texts that come before the server's end of a WebSocket. */
async function ending(socket) {
  const texts = [];
  for (;;) {
    const received = await socket.next(WAIT_MS).catch((error) => { if (/ended/.test(error.message)) return null; throw error; });
    if (!received) return texts;
    if (received.opcode === OPCODE.close) {
      socket.send(OPCODE.close, received.payload.subarray(0, 2));
      await socket.end(WAIT_MS);
      return texts;
    }
    texts.push(received.payload.toString());
  }
}

/** Answers of requests that raced each other: as a set. */
function summary(answers) {
  return answers.map(({ status, body }) => (status === 200 ? `200 ${body}` : status)).sort();
}
