import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { Child, ROOT } from './process.mjs';
import { request } from './http.mjs';
import { until } from './wait.mjs';

/** Who signs is not looked at, but somebody has to. */
const SIGNED = { authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0' };

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

  /** Puts an object in the place of the one of this name. */
  async put(name, body) {
    const { status, text } = await request(`${this.endpoint}/${this.name}/${name}`, { method: 'PUT', headers: SIGNED, body });
    assert.equal(status, 200, text);
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
