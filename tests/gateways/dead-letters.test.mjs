import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { structured } from '../lib/cloudevent.mjs';
import { DATABASES } from '../lib/database.mjs';
import { request } from '../lib/http.mjs';
import { BINARY } from '../lib/process.mjs';
import { Server } from '../lib/server.mjs';
import { TIMESTAMP } from '../lib/inbox.mjs';

for (const database of DATABASES) {
  describe(`dead letters on ${database.name}`, () => {
    let server;
    before(async () => { server = await Server.start({ env: database.env() }); });
    after(() => server?.stop());

    const run = (...args) => {
      const { status, stdout, stderr } = spawnSync(BINARY, ['--data-dir', server.dataDir, 'dead-letters', ...args], { env: { ...process.env, ...server.env }, encoding: 'utf8' });
      return { status, stdout, stderr };
    };
    const list = (...args) => {
      const { status, stdout, stderr } = run('list', ...args);
      assert.equal(status, 0, stderr);
      return stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
    };
    const numbers = (...args) => list(...args).map(({ number }) => number);

    it('are listed, shown and purged', async () => {
      const deliveries = [structured({ title: 'ä' }), structured({ user_id: true }), { headers: { 'content-type': 'application/json' }, body: 'ping' }, structured({})];
      for (const delivery of deliveries) {
        const answer = await request(`${server.tasks.http}/task-updates`, { method: 'POST', ...delivery });
        assert.deepEqual(answer.json, { status: 'DROP' });
      }
      const letters = list();
      assert.deepEqual(letters.map(({ receivedAt, ...letter }) => letter), [4, 3, 2, 1].map((number) => ({
        number, source: 'dapr', topic: 'task-updates', reason: ['no_user', 'invalid_user', 'not_json', 'no_user'][number - 1], eventBytes: Buffer.byteLength(deliveries[number - 1].body), replaying: false,
      })));
      for (const { receivedAt } of letters) assert.match(receivedAt, TIMESTAMP);
      assert.deepEqual(numbers('--reason', 'no_user'), [4, 1]);
      assert.deepEqual(numbers('--reason', 'no_user', '--before', '4'), [1]);
      assert.deepEqual(numbers('--limit', '2'), [4, 3]);
      assert.deepEqual(numbers('--source', 'kafka'), []);
      assert.deepEqual(numbers('--older-than', '1h'), []);

      const shown = run('show', '1');
      assert.equal(shown.stdout, deliveries[0].body);
      assert.match(shown.stderr, /^received \S+ from dapr: no_user; \d+ bytes\n$/);
      assert.deepEqual([run('show', '9').status, run('show', '9').stderr], [64, 'tidings: there is no dead letter 9\n']);

      assert.deepEqual([run('purge').status, run('purge', '--all', '--reason', 'no_user').status], [64, 64]);
      assert.deepEqual(numbers(), [4, 3, 2, 1]);
      assert.equal(run('purge', '--reason', 'no_user').stdout, '2 dead letters deleted\n');
      assert.deepEqual(numbers(), [3, 2]);
      assert.equal(run('purge', '--all').stdout, '2 dead letters deleted\n');
      assert.deepEqual(numbers(), []);
    });
  });
}
