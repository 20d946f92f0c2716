import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { request } from '../lib/http.mjs';
import { assertSameKeys, Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { curls, start } from '../lib/shell.mjs';
import { structured } from '../lib/cloudevent.mjs';
import { until } from '../lib/wait.mjs';

const WAIT_MS = 10_000;

export function tasksDocument(seed, place) {
  const address = (user, token) => seed.block('WebSocket Connection').replace('<user_id>', user).replace('<jwt_token>', token);

  /** The printed `GET /path`, sent. */
  const get = (block) => {
    const [method, target] = block.trim().split(' ');
    return request(`http://localhost:8004${target}`, { method });
  };

  const post = async (event) => {
    const answer = await request('http://localhost:8004/task-updates', { method: 'POST', ...structured(event) });
    assert.deepEqual([answer.status, answer.json], [200, { status: 'SUCCESS' }]);
  };

  describe('task-updates.md', () => {
    it('WebSocket Connection, Connection Established, Task Update, Ping', async () => {
      const user = seed.json('Connection Established').user_id;
      const inbox = await Inbox.open(address(user, place.server.token(user)));
      try {
        const welcome = await inbox.json();
        assertSameKeys(welcome, seed.json('Connection Established'));
        assert.deepEqual({ ...welcome, timestamp: null }, { ...seed.json('Connection Established'), timestamp: null });
        assert.match(welcome.timestamp, TIMESTAMP);

        const printed = seed.json('Task Update');
        await post(printed.event);
        const update = await inbox.json();
        assertSameKeys(update, printed);
        assert.deepEqual({ ...update, timestamp: null }, { ...printed, timestamp: null });

        inbox.send(seed.block('Ping (Keep-Alive)'));
        assert.equal(await inbox.text(), JSON.stringify(seed.json('Response')));
      } finally {
        await inbox.close();
      }
    });

    it('Health Check, Statistics: the printed answer to the letter', async () => {
      const printed = seed.json('Statistics', 2);
      await until(async () => (await get(seed.block('Statistics', 1))).json?.total_connections === 0, WAIT_MS, 'no connection of another test');
      const inboxes = [];
      try {
        for (const [user, count] of Object.entries(printed.users)) {
          for (let n = 0; n < count; n += 1) {
            inboxes.push(await Inbox.open(`ws://localhost:8004/ws?user_id=${user}`));
            await inboxes.at(-1).json();
          }
        }
        assert.equal((await get(seed.block('Statistics', 1))).text, JSON.stringify(printed));
        const [bash] = await curls(seed.block('3. Check Statistics'));
        assert.deepEqual([bash.status, bash.json()], [200, printed]);
        const health = await get(seed.block('Health Check'));
        assert.deepEqual([health.status, health.json], [200, { status: 'healthy', service: 'websocket-service', connections: 3 }]);
      } finally {
        await Promise.all(inboxes.map((inbox) => inbox.close()));
      }
    });

    it('Test WebSocket Connection, Test Event Flow: wscat receives what Dapr delivers', async () => {
      const connect = seed.block('1. Test WebSocket Connection').split('\n').find((line) => line.startsWith('wscat '));
      assert.equal(connect, seed.block('Terminal 1 - WebSocket Client').trim());
      const terminal = start(connect);
      try {
        await until(() => terminal.log.includes('{"type":"connected","message":"WebSocket connected successfully",'), WAIT_MS, () => `the welcome in ${JSON.stringify(terminal.log)}`);
        const printed = seed.json('Terminal 1 should receive');
        await post(printed.event);
        const line = await until(() => /\{"type":"task_update".*\}/.exec(terminal.log)?.[0], WAIT_MS, () => `the update in ${JSON.stringify(terminal.log)}`);
        const { timestamp, ...update } = JSON.parse(line);
        assert.deepEqual(update, printed);
        assert.match(timestamp, TIMESTAMP);
      } finally {
        await terminal.stop();
      }
    });

    it('Check Dapr subscription', async () => {
      const [answer] = await curls(seed.block('Check Dapr subscription'));
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.json(), [{ pubsubname: 'kafka-pubsub', topic: 'task-updates', route: '/task-updates' }]);
    });
  });
}
