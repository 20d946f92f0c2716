import { createServer } from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { Child, ROOT } from './process.mjs';
import { request } from './http.mjs';
import { until } from './wait.mjs';

/** A bucket in a service that speaks S3 (moto, from PyPI). */
export class Bucket {
  #child;

  static async start(name = 'backups') {
    const bucket = new Bucket();
    const port = await freePort();
    bucket.endpoint = `http://127.0.0.1:${port}`;
    bucket.name = name;
    bucket.#child = new Child(path.join(ROOT, 'tests/.venv/bin/moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {});
    await until(async () => (await request(`${bucket.endpoint}/${name}`, { method: 'PUT' }).catch(() => null))?.status === 200, 20_000, 'the S3 service');
    return bucket;
  }

  /** What a server's environment says of it. */
  get env() {
    return {
      TIDINGS__BACKUP__DIR: `s3://${this.name}/tidings`,
      TIDINGS__BACKUP__S3_ENDPOINT: this.endpoint,
      TIDINGS__BACKUP__S3_REGION: 'us-east-1',
      TIDINGS__BACKUP__S3_ACCESS_KEY_ID: 'test',
      TIDINGS__BACKUP__S3_SECRET_ACCESS_KEY: 'test-secret',
    };
  }

  /** The names of all objects. */
  async names() {
    const { text } = await request(`${this.endpoint}/${this.name}?list-type=2`);
    return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, name]) => name);
  }

  object(method, name, body) {
    return request(`${this.endpoint}/${this.name}/${name}`, { method, ...(body === undefined ? {} : { body }) });
  }

  async stop() {
    await this.#child.stop();
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
