// `tidings demo`: what it says, what becomes of it when something goes wrong, and when it ends.
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { Demo } from '../lib/demo.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Server } from '../lib/server.mjs';
import { Authority, secureRequest } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';
import { executionOf } from './view.mjs';

const WAIT_MS = 30_000;
const RUN_MS = 90_000;

describe('tidings demo', { timeout: 300_000 }, () => {
  const running = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
    await Inbox.endAll();
  });
  async function start(options) {
    const server = await Server.start(options);
    running.push(server);
    return server;
  }
  async function play(server, args, env) {
    const demo = await Demo.start(server, args, env);
    running.push(demo);
    return demo;
  }

  it('tells the same story of a seed', async () => {
    const server = await start();
    const told = [];
    for (const user of ['one', 'other']) {
      const demo = await play(server, ['--user', user, '--executions', '3', '--pace', '1ms', '--seed', '5']);
      assert.equal((await demo.ended(RUN_MS)).code, 0, demo.log);
      // Ids are new, or the second would find what the first has ended.
      told.push(demo.log.replace(/#token=\S+/, '').replaceAll(/(demo-)?[0-9a-f]{12}-\d+/g, 'ID'));
    }
    assert.equal(told[0], told[1]);
    assert.equal((told[0].match(/^run \d+ {3}(completed|failed)/gm) ?? []).length, 3);
  });

  it('starts a run again that the server has lost, and leaves one alone that somebody else has ended', async () => {
    const server = await start();
    const demo = await play(server, ['--executions', '2', '--pace', '200ms', '--seed', '3']);
    await until(() => /^node .+: completed$/m.test(demo.log), WAIT_MS, 'a node');
    const [{ id }] = demo.runs;
    const workflow = id.replace(/-1$/, '-inquiry');
    const deleted = await server.backend('DELETE', `/api/v1/workflows/${workflow}`);
    assert.equal(deleted.status, 200, deleted.text);
    await until(() => demo.runs[0].ended, WAIT_MS, 'the end of the first run');
    const { execution, nodes } = await executionOf(server, 'demo', id);
    assert.deepEqual([execution.status, execution.progress], ['completed', '100%']);
    assert.ok(nodes.length === 7 && nodes.every(([, , status]) => ['completed', 'skipped'].includes(status)), `${nodes}`);

    await until(() => demo.runs.length === 2, WAIT_MS, 'the second run');
    await until(async () => (await server.backend('POST', `/api/v1/executions/${demo.runs[1].id}/status`, { status: 'cancelled' })).status === 200, WAIT_MS, 'the execution');
    assert.equal((await demo.ended(WAIT_MS)).code, 0);
    assert.equal(demo.runs[1].ended, 'left alone', demo.log);
  });

  it('ends when it is told to, and takes its run with it', async () => {
    const server = await start();
    const demo = await play(server, ['--pace', '100ms']);
    await until(() => /^node /m.test(demo.log), WAIT_MS, 'a node');
    demo.interrupt();
    assert.equal((await demo.ended(WAIT_MS)).code, 0, demo.log);
    assert.equal((await executionOf(server, 'demo', demo.runs[0].id)).execution.status, 'cancelled');
  });

  it('gives up when its patience is at an end', async () => {
    const server = await start();
    const demo = await play(server, ['--pace', '100ms', '--patience', '1s']);
    await until(() => /^node /m.test(demo.log), WAIT_MS, 'a node');
    await server.kill();
    assert.equal((await demo.ended(WAIT_MS)).code, 69, demo.log);
    assert.match(demo.log, /^tidings: .+; given up after 1 s$/m);
    const late = new Demo(server, []);
    assert.equal((await late.ended(WAIT_MS)).code, 69, late.log);
    assert.match(late.log, /^tidings: the server that has written \S+listeners\.json does not answer at http:\/\/localhost:\d+: /m);
  });

  it('shows the token that Dapr would', async () => {
    const server = await start({ env: { TIDINGS__TASKS__DAPR__API_TOKEN: 'a token that only the sidecar knows' } });
    const demo = await play(server, ['--executions', '1', '--pace', '1ms']);
    assert.equal((await demo.ended(RUN_MS)).code, 0, demo.log);
    assert.match(demo.log, /^task /m);
    const stranger = new Demo(server, [], { TIDINGS__TASKS__DAPR__API_TOKEN: 'another' });
    assert.equal((await stranger.ended(WAIT_MS)).code, 64, stranger.log);
    assert.match(stranger.log, /^tidings: a new task: the server answers 401 invalid_token: .+; is it served with the same configuration\?$/m);
  });

  it('needs the gateway that serves the page', async () => {
    const server = await start({ env: { TIDINGS__WORKFLOWS__LISTEN: 'off' } });
    const demo = new Demo(server, []);
    assert.equal((await demo.ended(WAIT_MS)).code, 64, demo.log);
    assert.match(demo.log, /^tidings: the workflows gateway is off/);
  });

  it('speaks TLS with the certificate of docs/how-to/tls.md', async () => {
    const page = readFileSync(new URL('../../docs/how-to/tls.md', import.meta.url), 'utf8');
    const [command] = /^openssl req -x509 .*\\\n.*certificate\.pem$/m.exec(page);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'tidings-certificate-'));
    try {
      execSync(command, { cwd: folder, stdio: 'ignore' });
      const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => path.join(folder, name));
      const both = path.join(folder, 'both.pem');
      writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
      const server = await start({ tls: { listeners: ['flow', 'tasks', 'workflows'], authority: { file: both, ca: readFileSync(certificate) } } });
      const demo = await play(server, ['--executions', '1', '--pace', '1ms'], { TIDINGS__TLS__LISTENERS: 'flow,tasks,workflows', TIDINGS__TLS__CERTIFICATE: certificate, TIDINGS__TLS__KEY: key });
      assert.equal((await demo.ended(RUN_MS)).code, 0, demo.log);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('speaks TLS', async () => {
    const authority = new Authority();
    try {
      const server = await start({ tls: { listeners: ['flow', 'tasks', 'workflows'], authority } });
      const ofTls = { TIDINGS__TLS__LISTENERS: 'flow,tasks,workflows', TIDINGS__TLS__CERTIFICATE: authority.file, TIDINGS__TLS__KEY: authority.file };
      const demo = await play(server, ['--executions', '1', '--pace', '1ms'], { ...ofTls, SSL_CERT_FILE: authority.caFile });
      assert.equal((await demo.ended(RUN_MS)).code, 0, demo.log);
      assert.ok(demo.link.startsWith('https://localhost:'), demo.link);
      const addresses = JSON.parse((await secureRequest(demo.link.replace(/#.*/, 'addresses.json'), authority)).text);
      assert.deepEqual([addresses.tasks.secure, addresses.flow.secure], [true, true]);
    } finally {
      authority.remove();
    }
  });
});
