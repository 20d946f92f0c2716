// The server's own log, on standard error.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, it } from 'node:test';
import { request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { BINARY, Child } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const LISTENS = Object.fromEntries(['FLOW', 'TASKS', 'WORKFLOWS', 'OPERATORS'].map((gateway) => [`TIDINGS__${gateway}__LISTEN`, '127.0.0.1:0']));

let [child, folder] = [];
afterEach(async () => {
  await Inbox.endAll();
  child?.process.kill('SIGKILL');
  await child?.exited;
  rmSync(folder, { recursive: true, force: true });
});

it('when nobody reads it any more, what it says is lost and nothing else', async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'tidings-log-'));
  child = new Child(BINARY, ['--data-dir', folder], { env: { ...LISTENS, TIDINGS__LOG__LEVEL: 'debug' } });
  const file = path.join(folder, 'listeners.json');
  await until(() => existsSync(file) && child.log.includes('"ready"'), 20_000, () => `it is ready: ${child.log}`);
  const tasks = JSON.parse(readFileSync(file, 'utf8')).tasks;
  child.process.stdout.destroy();
  child.process.stderr.destroy();
  const inbox = await Inbox.open(`ws://${[tasks].flat()[0]}/ws?user_id=reader`);
  assert.equal((await inbox.json()).type, 'connected');
  assert.equal((await request(`http://${[tasks].flat()[0]}/health`)).json.connections, 1);
  child.process.kill('SIGTERM');
  assert.deepEqual(await inbox.closing(20_000), { code: 1001, reason: 'shutting_down' });
  await until(() => child.outcome, 20_000, 'its end');
  assert.deepEqual(child.outcome, { code: 0, signal: null });
});
