// `tidings healthcheck`, which containers and probes run: exit code 0 or 1, whatever may be wrong.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BINARY } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { Authority } from '../lib/tls.mjs';
import { within } from '../lib/wait.mjs';

/** Beside the server, so that a stand-in in this process can answer. */
async function healthcheck(args, env = {}) {
  const child = spawn(BINARY, ['healthcheck', ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { output[name] += text; });
  const code = await within(new Promise((resolve) => { child.once('close', resolve); }), 15_000, 'the end of the command');
  return { code, ...output };
}

describe('tidings healthcheck', () => {
  let server;
  before(async () => { server = await Server.start({ env: { TIDINGS__TASKS__LISTEN: 'localhost:0' } }); });
  after(() => server?.stop());

  it('asks the server that serves the data directory', async () => {
    const { code, stdout, stderr } = await healthcheck(['--data-dir', server.dataDir], server.env);
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(JSON.parse(stdout).status, 'healthy');
  });

  it('asks an address', async () => {
    const port = server.tasks.address.split(':').at(-1);
    for (const target of [`${server.operators.http}/livez`, `${server.operators.http}/readyz?verbose`, `${server.tasks.http}/health`, `http://localhost:${port}/health`, `http://[::1]:${port}/health`]) {
      assert.equal((await healthcheck([target])).code, 0, target);
    }
    const missing = await healthcheck([`${server.operators.http}/nowhere`]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /^tidings: HTTP\/1\.1 404 Not Found \{.*"status":404/);
  });

  for (const [name, answer, message] of [
    ['that says it is ill', 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 25\r\n\r\n{"status":"unhealthy","x"', /503 Service Unavailable \{"status":"unhealthy"/],
    ['that speaks something else', '220 mail.example.com ESMTP\r\n', /220 mail/],
    ['that hangs up', '', /no answer from 127\.0\.0\.1:\d+: it hung up/],
    ['that says nothing', null, /no answer from 127\.0\.0\.1:\d+/],
    ['that does not end', 'HTTP/1.1 200 OK\r\n\r\n', /no answer from/],
  ]) {
    it(`1 for a listener ${name}`, async () => {
      const isEndless = answer === null || answer.startsWith('HTTP/1.1 200');
      const listener = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => { if (isEndless) socket.write(answer ?? ''); else socket.end(answer); });
      });
      await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
      try {
        const { code, stderr } = await healthcheck([`http://127.0.0.1:${listener.address().port}/health`, '--timeout', '1s']);
        assert.equal(code, 1, stderr);
        assert.match(stderr, message);
      } finally {
        listener.close();
      }
    });
  }

  it('1 where nobody listens, and where no server is', async () => {
    const other = await Server.start();
    const { dataDir } = other;
    await other.kill();
    const dead = await healthcheck(['--data-dir', dataDir]);
    assert.equal(dead.code, 1);
    assert.match(dead.stderr, /no answer from 127\.0\.0\.1:\d+: Connection refused/);
    await other.stop();

    const empty = mkdtempSync(path.join(os.tmpdir(), 'tidings-'));
    const { code, stderr } = await healthcheck(['--data-dir', empty]);
    assert.equal(code, 1);
    assert.match(stderr, /no server has .*listeners\.json/);
    rmSync(empty, { recursive: true });
  });

  it('passes over listeners that speak TLS, and says so if they all do', async () => {
    const authority = new Authority();
    const secure = async (listeners, code) => {
      const other = await Server.start({ tls: { listeners, authority } });
      const env = { TIDINGS__TLS__LISTENERS: listeners.join(','), TIDINGS__TLS__CERTIFICATE: authority.file, TIDINGS__TLS__KEY: authority.file };
      try {
        const found = await healthcheck(['--data-dir', other.dataDir], env);
        assert.equal(found.code, code, found.stderr);
        return found.stderr;
      } finally {
        await other.stop();
      }
    };
    try {
      await secure(['operators', 'tasks'], 0);
      assert.match(await secure(['operators', 'tasks', 'flow', 'workflows'], 64), /no listener speaks plain HTTP/);
    } finally {
      authority.remove();
    }
  });

  it('64 for what is no address', async () => {
    for (const target of ['https://localhost/health', 'localhost:9400', '/health']) assert.equal((await healthcheck([target])).code, 64, target);
  });
});
