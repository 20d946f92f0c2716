import { BINARY, Child } from './process.mjs';
import { until } from './wait.mjs';

const START_MS = 20_000;

/** `tidings demo` on a server's data, and what it has told so far. */
export class Demo {
  #child;

  constructor(server, args, env = {}) {
    this.#child = new Child(BINARY, ['--data-dir', server.dataDir, 'demo', ...args], { cwd: server.dataDir, env: { ...server.env, ...env } });
  }

  /** Started, its link printed. */
  static async start(server, args, env) {
    const demo = new Demo(server, args, env);
    await until(() => demo.link || demo.outcome, START_MS, () => `a link in ${demo.log}`);
    if (!demo.link) throw new Error(`the demo did not start: ${demo.log}`);
    return demo;
  }

  get log() { return this.#child.log; }
  get outcome() { return this.#child.outcome; }
  get link() { return /^http\S+#token=\S+$/m.exec(this.log)?.[0]; }

  /** Its runs, in their order: `{name, id, ended}`. */
  get runs() {
    const runs = [...this.log.matchAll(/^run (\d+) {3}(.+), execution (\S+)$/gm)].map(([, number, name, id]) => ({ number, name, id }));
    return runs.map((run) => ({ ...run, ended: new RegExp(`^run ${run.number} {3}(completed|failed|cancelled|left alone)`, 'm').exec(this.log)?.[1] }));
  }

  /** The tasks as it has them, the newest first: `[id, title, 'open' or 'done']`. */
  get tasks() {
    const done = new Set([...this.log.matchAll(/^task {4}(\S+) completed: /gm)].map(([, id]) => id));
    const created = [...this.log.matchAll(/^task {4}(\S+) created: (.+)$/gm)];
    return created.map(([, id, title]) => [id, title, done.has(id) ? 'done' : 'open']).reverse();
  }

  interrupt() { this.#child.process.kill('SIGINT'); }

  async ended(limit_ms) {
    return until(() => this.outcome, limit_ms, () => `the end of the demo: ${this.log}`);
  }

  stop() { return this.#child.stop(); }
}
