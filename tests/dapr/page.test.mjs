// The commands of docs/how-to/from-dapr.md, run as printed with a real sidecar, on the ports that the page names.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { goProgram } from '../lib/daprd.mjs';
import { request } from '../lib/http.mjs';
import { BINARY, Child, ROOT } from '../lib/process.mjs';
import { codeBlocks } from '../lib/seed.mjs';
import { curls } from '../lib/shell.mjs';
import { until } from '../lib/wait.mjs';

const WAIT_MS = 30_000;
const page = codeBlocks(readFileSync(path.join(ROOT, 'docs/how-to/from-dapr.md'), 'utf8'));
const block = (label) => page.find((candidate) => candidate.label === label).text;

describe('from-dapr.md', { timeout: 120_000 }, () => {
  const children = [];
  let dataDir;
  let commands;
  before(() => {
    dataDir = mkdtempSync(path.join(os.tmpdir(), 'tidings-'));
    commands = mkdtempSync(path.join(os.tmpdir(), 'tidings-commands-'));
    symlinkSync(BINARY, path.join(commands, 'tidings'));
    symlinkSync(goProgram('daprd'), path.join(commands, 'daprd'));
  });
  after(async () => {
    for (const child of children.reverse()) await child.stop();
    for (const folder of [dataDir, commands]) rmSync(folder, { recursive: true, force: true });
  });

  /** The commands of a block, each started by itself, whether or not an `&` follows it. */
  function startAll(text) {
    const env = { PATH: `${commands}:${path.join(ROOT, 'tests/node_modules/.bin')}:${process.env.PATH}`, TIDINGS__SERVER__DATA_DIR: dataDir };
    return text.replaceAll('\\\n', ' ').trim().split('\n').map((line) => {
      const child = new Child('bash', ['-c', `exec ${line.replace(/&$/, '')}`], { env, cwd: ROOT, stdin: 'pipe' });
      children.push(child);
      return child;
    });
  }

  it('the sidecar asks and delivers, as printed', async () => {
    const printed = block('Trying it on one machine (1)');
    const typed = printed.indexOf('wscat');
    const [tidings, sidecar] = startAll(printed.slice(0, typed));
    const outputs = () => `${tidings.log}\n${sidecar.log}`;
    // Who types is slower than a server that starts.
    await until(async () => (await request('http://localhost:3500/v1.0/healthz').catch(() => null))?.status === 204, WAIT_MS, () => `a healthy sidecar\n${outputs()}`);
    await until(() => sidecar.log.includes('app is subscribed to the following topics'), WAIT_MS, () => `the subscription\n${outputs()}`);
    const [terminal] = startAll(printed.slice(typed));
    await until(() => terminal.log.includes('{"type":"connected"'), WAIT_MS, () => `the welcome in ${terminal.log}`);

    const [asked] = await curls(block('The subscription (1)'));
    assert.deepEqual(asked.json(), JSON.parse(block('The subscription (2)')));
    const [published] = await curls(block('Trying it on one machine (2)'));
    assert.equal(published.status, 204);
    const line = await until(() => /\{"type":"task_update".*\}/.exec(terminal.log)?.[0], WAIT_MS, () => `the update in ${terminal.log}\n${outputs()}`);
    assert.deepEqual(JSON.parse(line).event, { event_type: 'task.created', user_id: 'test-user', task_id: '123', title: 'Test Task' });

    const [dropped] = await curls(block('Trying it on one machine (2)').replace('"user_id"', '"nobody"'));
    assert.equal(dropped.status, 204);
    const letter = await until(async () => {
      const [listing] = startAll(block('Dead letters (1)'));
      assert.equal((await listing.exited).code, 0, listing.log);
      return listing.log;
    }, WAIT_MS, () => `a dead letter\n${outputs()}`);
    assert.deepEqual(JSON.parse(letter).reason, 'no_user');
  });
});
