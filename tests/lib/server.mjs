import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BINARY, Child, run } from './process.mjs';
import { request } from './http.mjs';
import { secureRequest } from './tls.mjs';
import { pause, until } from './wait.mjs';

const GATEWAYS = ['flow', 'tasks', 'workflows', 'operators'];
const DEFAULT_PORTS = { flow: 4000, tasks: 8004, workflows: 8000, operators: 9400 };
const START_MS = 20_000;

export const DEMO_KEYS = { demo1: 'demo-tenant-key-1', demo2: 'demo-tenant-key-2' };

/** A running server with a data directory of its own. */
export class Server {
  #child;
  #tokens = new Map();

  /**
   * On free ports; with `defaultPorts`, on the ports the documents name. `tls` is `{listeners, authority}`: these
   * gateways speak TLS with a certificate of the authority's. `dataDir` is one that a killed server left. `logBytesMax`
   * says how much of its log is kept.
   */
  static async start({ defaultPorts = false, env = {}, tls, dataDir, logBytesMax } = {}) {
    if (!existsSync(BINARY)) throw new Error(`no server at ${BINARY}: run \`cargo build --release\` or set TIDINGS_BIN`);
    const server = new Server();
    server.tls = tls;
    const ofTls = tls ? {
      TIDINGS__TLS__LISTENERS: tls.listeners.join(','),
      TIDINGS__TLS__CERTIFICATE: tls.authority.file,
      TIDINGS__TLS__KEY: tls.authority.file,
    } : {};
    server.env = env;
    server.dataDir = dataDir ?? mkdtempSync(path.join(os.tmpdir(), 'tidings-'));
    rmSync(path.join(server.dataDir, 'listeners.json'), { force: true });
    const listens = defaultPorts ? {} : Object.fromEntries(GATEWAYS.map((name) => [`TIDINGS__${name.toUpperCase()}__LISTEN`, '127.0.0.1:0']));
    server.#child = new Child(BINARY, ['--data-dir', server.dataDir], { cwd: server.dataDir, env: { ...listens, ...ofTls, ...env }, logBytesMax });
    try {
      await server.#ready(defaultPorts);
    } catch (error) {
      await server.stop().catch(() => {});
      throw new Error(`the server did not start: ${error.message}\n--- its log ---\n${server.#child.log}`);
    }
    return server;
  }

  async #ready(defaultPorts) {
    const file = path.join(this.dataDir, 'listeners.json');
    const alive = () => { if (this.#child.outcome) throw new Error(`it ended: ${JSON.stringify(this.#child.outcome)}`); };
    const addresses = await listenersIn(file, alive);
    const served = GATEWAYS.filter((name) => this.env[`TIDINGS__${name.toUpperCase()}__LISTEN`] !== 'off');
    for (const name of served) {
      const address = addresses[name] ?? (defaultPorts ? `localhost:${DEFAULT_PORTS[name]}` : undefined);
      if (!address) throw new Error(`${file} names no listener for ${name}: ${readFileSync(file, 'utf8')}`);
      this[name] = gatewayUrls(defaultPorts ? `localhost:${DEFAULT_PORTS[name]}` : address, this.tls?.listeners.includes(name));
    }
    for (const name of served) {
      await until(async () => {
        alive();
        const ask = this[name].isSecure ? (url) => secureRequest(url, this.tls.authority) : request;
        return (await ask(`${this[name].http}/health`).catch(() => null))?.status === 200;
      }, START_MS, `200 from the health of ${name}`);
    }
  }

  signal(name) { this.#child.process.kill(name); }

  get pid() { return this.#child.pid; }
  get log() { return this.#child.log; }

  /** The output of a command of the same binary on this server's data. */
  command(...args) {
    return run(BINARY, ['--data-dir', this.dataDir, ...args], { env: this.env }).trim();
  }

  token(user, ...more) {
    return this.#remember(['token', 'create', '--user', user, '--quiet', ...more]);
  }

  get serviceToken() { return this.#remember(['token', 'create', '--service', '--quiet']); }
  get operatorToken() { return this.#remember(['token', 'create', '--operator', '--quiet']); }

  key(tenant, ...permissions) {
    return this.command('key', 'create', '--tenant', tenant, ...permissions.flatMap((name) => ['--permission', name]), '--quiet');
  }

  #remember(args) {
    const name = args.join(' ');
    if (!this.#tokens.has(name)) this.#tokens.set(name, this.command(...args));
    return this.#tokens.get(name);
  }

  /** A request of the application's backend to the workflows gateway. */
  backend(method, target, body) {
    return request(`${this.workflows.http}${target}`, { method, token: this.serviceToken, body });
  }

  /** A request of an operator. */
  operator(method, target, body) {
    return request(`${this.operators.http}${target}`, { method, token: this.operatorToken, body });
  }

  async publish(event) {
    const answer = await this.operator('POST', '/api/v1/publish', event);
    if (answer.status !== 200) throw new Error(`publish was answered ${answer.status} ${answer.text}`);
    return answer.json.id;
  }

  /** Resident memory in KiB, from /proc. */
  get residentKib() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }

  /** Ends it (with SIGKILL without a chance to do anything), and leaves its data where they are. */
  async kill(signal = 'SIGKILL') {
    this.signal(signal);
    await this.#child.exited;
  }

  async stop() {
    try {
      const outcome = await this.#child.stop();
      this.exitCode = outcome.code;
    } finally {
      rmSync(this.dataDir, { recursive: true, force: true });
    }
  }
}

function gatewayUrls(address, isSecure = false) {
  const s = isSecure ? 's' : '';
  return { address, isSecure, http: `http${s}://${address}`, ws: `ws${s}://${address}` };
}

/** The addresses by gateway, once the file is there and whole; `alive` throws when waiting for it has become vain. */
async function listenersIn(file, alive) {
  let changed = () => {};
  const watcher = watch(path.dirname(file), () => changed());
  try {
    return await until(async () => {
      alive();
      const addresses = readListeners(file);
      // The change may have come between the reading and the waiting, so the wait is short.
      if (!addresses) await Promise.race([new Promise((resolve) => { changed = resolve; }), pause(100)]);
      return addresses;
    }, START_MS, file);
  } finally {
    watcher.close();
  }
}

function readListeners(file) {
  let value;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null; // not there yet, or half written
  }
  const rows = Array.isArray(value) ? value : Array.isArray(value.listeners) ? value.listeners
    : Object.entries(value).map(([gateway, address]) => ({ gateway, address }));
  const addresses = {};
  for (const { gateway, address } of rows) addresses[gateway] ??= [address].flat()[0];
  return addresses;
}
