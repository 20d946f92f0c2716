import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { within } from './wait.mjs';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BINARY = path.resolve(process.env.TIDINGS_BIN ?? path.join(ROOT, 'target/release/tidings'));
export const MOCK_KAFKA = path.resolve(process.env.TIDINGS_MOCK_KAFKA ?? path.join(ROOT, 'target/release/tidings-mock-kafka'));
export const EXAMPLES = path.resolve(process.env.TIDINGS_EXAMPLES ?? path.join(ROOT, 'target/release/examples'));

const LOG_BYTES_MAX = 256 * 1024;
const live = new Set();
process.on('exit', () => live.forEach((child) => child.kill('SIGKILL')));

/** A child process whose output is kept (its last 256 KiB, if not told otherwise), killed at the latest when the tests end. */
export class Child {
  #log = '';

  constructor(command, args, { env = {}, cwd, stdin = 'ignore', logBytesMax = LOG_BYTES_MAX } = {}) {
    this.command = command;
    this.process = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: [stdin, 'pipe', 'pipe'] });
    live.add(this.process);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => { this.#log = (this.#log + text).slice(-logBytesMax); });
    }
    this.exited = new Promise((resolve) => {
      const settle = (outcome) => { live.delete(this.process); resolve(outcome); };
      this.process.once('error', (error) => settle({ error }));
      this.process.once('close', (code, signal) => settle({ code, signal }));
    });
    this.exited.then((outcome) => { this.outcome = outcome; });
  }

  get log() { return this.#log; }
  get pid() { return this.process.pid; }

  /** Asks it to end; kills it when it does not within `limit_ms`, which is a failure. */
  async stop(limit_ms = 15_000) {
    if (this.outcome) return this.outcome;
    this.process.kill('SIGTERM');
    try {
      return await within(this.exited, limit_ms, `${this.command} ends after SIGTERM`);
    } catch (error) {
      this.process.kill('SIGKILL');
      throw error;
    }
  }
}

/** Runs a command to its end and returns what it printed; a failure of the command is an error that shows it. */
export function run(command, args, { env = {}, input } = {}) {
  const done = spawnSync(command, args, { env: { ...process.env, ...env }, input, encoding: 'utf8', timeout: 30_000 });
  if (done.error) throw done.error;
  if (done.status !== 0) {
    throw new Error(`${path.basename(command)} ${args.slice(0, 2).join(' ')} ended with ${done.status ?? done.signal}\n${done.stdout}${done.stderr}`);
  }
  return done.stdout;
}
