import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Child, run } from './process.mjs';
import { until } from './wait.mjs';

const START_MS = 20_000;

/** Debian's Redis, with nothing on disk. */
export class Redis {
  #child;
  #directory = mkdtempSync(path.join(os.tmpdir(), 'tidings-redis-'));

  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    redis.address = `127.0.0.1:${redis.port}`;
    redis.#child = new Child('redis-server', ['--port', String(redis.port), '--bind', '127.0.0.1', '--dir', redis.#directory, '--save', '', '--appendonly', 'no']);
    try {
      await until(() => {
        const { outcome } = redis.#child;
        if (outcome) throw new Error(`redis-server ended: ${outcome.error?.message ?? outcome.code}\n${redis.#child.log}`);
        return /Ready to accept connections/.test(redis.#child.log);
      }, START_MS, () => `a Redis that is ready\n${redis.#child.log}`);
    } catch (error) {
      await redis.stop();
      throw error;
    }
    return redis;
  }

  /** What Redis answers to a command, as `redis-cli` prints it. */
  ask(...command) {
    return run('redis-cli', ['-p', String(this.port), ...command]).trim();
  }

  async stop() {
    try {
      await this.#child.stop();
    } finally {
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }
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
