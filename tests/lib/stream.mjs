import assert from 'node:assert/strict';
import { Queue, within } from './wait.mjs';

const WAIT_MS = 10_000;

/** An event stream read with fetch, and taken apart by the rules of WHATWG HTML, section 9.2.6. */
export class EventStream {
  static #open = new Set();
  #events = new Queue();
  #abort = new AbortController();
  #event = { name: '', data: [] };
  comments = 0;
  retry_ms = null;

  /** An open stream, or an error if it was answered with anything but 200. */
  static async open(url, { headers = {} } = {}) {
    const stream = new EventStream();
    EventStream.#open.add(stream);
    const response = await fetch(url, { headers, signal: stream.#abort.signal });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    stream.headers = response.headers;
    stream.ended = stream.#read(response.body).finally(() => EventStream.#open.delete(stream));
    return stream;
  }

  static async endAll() {
    await Promise.all([...EventStream.#open].map((stream) => stream.close()));
  }

  /** The next event as `{name, data}`. */
  next(what = 'an event') { return within(this.#events.take(), WAIT_MS, what); }

  /** The next event's data, which must be JSON of an event without a name. */
  async json(what) {
    const { name, data } = await this.next(what);
    assert.equal(name, 'message', data);
    return JSON.parse(data);
  }

  /** The last event, and the orderly end behind it. */
  async closing() {
    const { name, data } = await this.next('the close event');
    assert.equal(name, 'close', data);
    assert.equal(await within(this.ended, WAIT_MS, 'the end of the stream'), 'ended');
    return JSON.parse(data);
  }

  /** Hangs up. */
  async close() {
    this.#abort.abort();
    await this.ended;
  }

  async #read(body) {
    let text = '';
    try {
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        const lines = (text + chunk).split('\n');
        text = lines.pop();
        lines.forEach((line) => this.#line(line));
      }
      this.#events.end(new Error('the stream has ended'));
      return text === '' && this.#event.data.length === 0 ? 'ended' : 'cut';
    } catch (error) {
      this.#events.end(error);
      return this.#abort.signal.aborted ? 'hung up' : 'broken';
    }
  }

  #line(line) {
    if (line === '') {
      if (this.#event.data.length > 0) this.#events.push({ name: this.#event.name || 'message', data: this.#event.data.join('\n') });
      this.#event = { name: '', data: [] };
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === '') this.comments += 1;
    else if (field === 'event') this.#event.name = value;
    else if (field === 'data') this.#event.data.push(value);
    else if (field === 'retry') this.retry_ms = Number(value);
    else throw new Error(`an unknown field: ${line}`);
  }
}
