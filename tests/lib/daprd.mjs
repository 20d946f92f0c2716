import net from 'node:net';
import { existsSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { request } from './http.mjs';
import { Child, ROOT } from './process.mjs';
import { until } from './wait.mjs';

const START_MS = 60_000;
/** What it logs when it takes up the application's subscriptions, and when it takes up the declared ones alone. */
const SUBSCRIBED = /app is subscribed to the following topics|Skipping programmatic subscription loading/;
const CACHE = process.env.TIDINGS_CACHE ?? path.join(ROOT, 'target/services');

/** A Go program that `scripts/dapr build` has made. */
export function goProgram(name) {
  const program = path.join(CACHE, name);
  if (!existsSync(program)) throw new Error(`no ${program}: run \`scripts/dapr build\``);
  return program;
}

/** Dapr's sidecar, beside an application on this machine or alone. */
export class Sidecar {
  #child;
  #directory;

  /**
   * `resources` are what it reads, by file name: a text of YAML or an object. `appPort` is the application's, without it
   * there is none. Resolves when the application's subscriptions, `topics`, are taken up.
   */
  static async start({ appId = 'websocket-service', appPort, resources, env = {}, args = [], topics = [] }) {
    const sidecar = new Sidecar();
    const [httpPort, grpcPort] = await freePorts(2);
    sidecar.#directory = mkdtempSync(path.join(os.tmpdir(), 'tidings-daprd-'));
    for (const [name, resource] of Object.entries(resources)) {
      writeFileSync(path.join(sidecar.#directory, `${name}.yaml`), typeof resource === 'string' ? resource : JSON.stringify(resource));
    }
    const app = appPort === undefined ? [] : ['--app-port', String(appPort), '--app-protocol', 'http'];
    sidecar.#child = new Child(goProgram('daprd'), [
      '--app-id', appId, ...app, '--dapr-http-port', String(httpPort), '--dapr-grpc-port', String(grpcPort),
      '--dapr-listen-addresses', '127.0.0.1', '--dapr-internal-grpc-listen-address', '127.0.0.1', '--enable-metrics=false',
      '--dapr-graceful-shutdown-seconds', '1', '--resources-path', sidecar.#directory, ...args,
    ], { env });
    sidecar.http = `http://127.0.0.1:${httpPort}`;
    try {
      await until(async () => {
        sidecar.#alive();
        return (await request(`${sidecar.http}/v1.0/healthz`).catch(() => null))?.status === 204;
      }, START_MS, 'a healthy sidecar');
      await until(async () => {
        const found = (await sidecar.metadata()).subscriptions?.map(({ topic }) => topic) ?? [];
        return topics.every((topic) => found.includes(topic)) && (topics.length === 0 || SUBSCRIBED.test(sidecar.log));
      }, START_MS, `subscriptions to ${topics}`);
    } catch (error) {
      const { log } = sidecar;
      await sidecar.stop().catch(() => {});
      throw new Error(`the sidecar did not start: ${error.message}\n--- its log ---\n${log}`);
    }
    return sidecar;
  }

  get log() { return this.#child.log; }

  #alive() { if (this.#child.outcome) throw new Error(`it ended: ${JSON.stringify(this.#child.outcome)}`); }

  /** What it knows of itself: its subscriptions among it. */
  async metadata() { return (await request(`${this.http}/v1.0/metadata`)).json; }

  /** Publishes as an application does. `query` may have `metadata.…`. */
  async publish(topic, body, { pubsub = 'kafka-pubsub', headers = {}, query = '' } = {}) {
    const answer = await request(`${this.http}/v1.0/publish/${pubsub}/${topic}${query}`, { method: 'POST', headers, body });
    if (answer.status !== 204) throw new Error(`the publish was answered ${answer.status} ${answer.text}`);
  }

  async publishBulk(topic, entries, { pubsub = 'kafka-pubsub' } = {}) {
    const answer = await request(`${this.http}/v1.0-alpha1/publish/bulk/${pubsub}/${topic}`, { method: 'POST', body: entries });
    if (answer.status !== 204) throw new Error(`the publish was answered ${answer.status} ${answer.text}`);
  }

  async stop() {
    try {
      await this.#child.stop(30_000);
    } finally {
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }
}

/** Ports that are free, and that the system gives to nobody who connects. */
async function freePorts(count) {
  const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number);
  const found = [];
  while (found.length < count) {
    const port = 10_000 + Math.floor(Math.random() * 55_000);
    if ((port < first || port > last) && !found.includes(port) && await isFree(port)) found.push(port);
  }
  return found;
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = net.createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
