import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Child, EXAMPLES } from './process.mjs';
import { until } from './wait.mjs';

/** One of the conformance servers of the transport crate on a free port: `{port, http, ws, stop}`. */
export async function startExample(name, env = {}) {
  const binary = path.join(EXAMPLES, name);
  if (!existsSync(binary)) throw new Error(`no ${binary}: run \`cargo build --release -p tidings-transport --examples\` or set TIDINGS_EXAMPLES`);
  return startOnPort(name, binary, [], env);
}

/** A program that listens on `PORT`, on a free one. */
export async function startOnPort(name, binary, args, env) {
  const port = await freePort();
  const child = new Child(binary, args, { env: { ...env, PORT: String(port) } });
  try {
    await until(() => {
      if (child.outcome) throw new Error(`it ended: ${JSON.stringify(child.outcome)}`);
      return accepts(port);
    }, 10_000, `${name} accepts connections on ${port}`);
  } catch (error) {
    child.process.kill('SIGKILL');
    throw new Error(`${error.message}\n--- its log ---\n${child.log}`);
  }
  return { port, http: `http://localhost:${port}`, ws: `ws://localhost:${port}`, child, stop: () => child.stop() };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, 'localhost');
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}
