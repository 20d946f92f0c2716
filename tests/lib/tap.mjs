import http from 'node:http';

/** Stands between the sidecar and Tidings, and keeps every request with its answer. Without a `target` it cuts them off. */
export class Tap {
  /** `{method, path, headers, body, status, answer}` of each, in the order of their answers. */
  seen = [];
  /** How many were cut off. */
  cut = 0;
  #own = new Map();

  static async start(target) {
    const tap = new Tap();
    tap.target = target;
    tap.server = http.createServer((incoming, outgoing) => tap.#pass(incoming, outgoing));
    await new Promise((resolve) => { tap.server.listen(0, '127.0.0.1', resolve); });
    tap.port = tap.server.address().port;
    return tap;
  }

  /** Answers requests for a path by itself, with 200. */
  answer(route) { this.#own.set(route, []); }

  /** The bodies that came for a path that it answers by itself. */
  taken(route) { return this.#own.get(route); }

  /** The requests for a path. */
  for(route) { return this.seen.filter((row) => row.path === route); }

  #pass(incoming, outgoing) {
    const { method, url, headers } = incoming;
    collect(incoming, (body) => {
      if (this.#own.has(url)) {
        this.#own.get(url).push(body.toString());
        return outgoing.writeHead(200).end();
      }
      if (!this.target) {
        this.cut += 1;
        return outgoing.destroy();
      }
      const { port } = new URL(this.target);
      const forward = http.request({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (response) => {
        collect(response, (answer) => {
          this.seen.push({ method, path: url, headers, body: body.toString(), status: response.statusCode, answer: answer.toString() });
          outgoing.writeHead(response.statusCode, response.headers).end(answer);
        });
      });
      forward.on('error', () => outgoing.destroy());
      return forward.end(body);
    });
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => { this.server.close(resolve); });
  }
}

function collect(stream, whole) {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  stream.on('end', () => whole(Buffer.concat(chunks)));
}
