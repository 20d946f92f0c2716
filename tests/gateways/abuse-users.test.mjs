// What one user may do over all connections, by docs/reference/limits.md.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { start } from '../lib/limited.mjs';
import { assertClosed, reached } from '../lib/metrics.mjs';
import { until } from '../lib/wait.mjs';

describe('a user', () => {
  it('messages of a user have a rate over all connections: told first, closed then', async () => {
    const server = await start({ messages_per_user_per_second: 1, messages_per_user_burst: 6 });
    const open = async (user) => {
      const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token(user)}`);
      for (const what of ['the connection frame', 'the subscription frame']) await inbox.json(what);
      return inbox;
    };
    const inboxes = [await open('ada'), await open('ada')];
    const bob = await open('bob');
    const told = '{"type":"error","message":"Rate limited"}';
    const answers = [];
    for (let n = 0; n < 20; n += 1) {
      inboxes[n % 2].send({ type: 'ping' });
      answers.push(await inboxes[n % 2].text());
    }
    const pongs = answers.filter((answer) => answer.includes('"pong"')).length;
    assert.ok(pongs >= 6 && pongs < 12, `${pongs} answered`);
    assert.equal(answers.filter((answer) => answer === told).length, 20 - pongs);
    assert.equal(await reached(server, 'messages_per_user_per_second'), 20 - pongs);
    assert.deepEqual(await bob.drain(), [], 'others are not meant');
    // The first one goes on, the second one does not.
    const timer = setInterval(() => inboxes[0].send({ type: 'ping' }), 20);
    assert.deepEqual(await inboxes[0].closing(), { code: 4429, reason: 'rate_limited' });
    clearInterval(timer);
    await assertClosed(server, 4429, 1);
    assert.equal(inboxes[1].socket.readyState, inboxes[1].socket.OPEN);
    // Who comes back has what is left, not a new burst.
    const again = await open('ada');
    const replies = [];
    for (let n = 0; n < 6; n += 1) {
      again.send({ type: 'ping' });
      replies.push(await again.text());
    }
    assert.ok(replies.includes(told), 'a new connection is no new burst');
  });

  it('rooms of a user have a bound over all connections', async () => {
    const server = await start({ rooms_per_user_max: 2 });
    const claim = ['--claim', 'rooms=["execution:*"]'];
    const open = async (user) => {
      const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token(user, ...claim)}`);
      for (const what of ['the connection frame', 'the subscription frame']) await inbox.json(what);
      return inbox;
    };
    const ask = async (inbox, room) => {
      inbox.send({ type: 'subscribe', room_id: room });
      const { event, message } = await inbox.json();
      return event ?? message;
    };
    const [one, two, bob] = [await open('ada'), await open('ada'), await open('bob')];
    assert.deepEqual([await ask(one, 'execution:1'), await ask(two, 'execution:1'), await ask(two, 'execution:2')], ['subscribed', 'subscribed', 'Too many rooms']);
    assert.equal(await ask(two, 'workflow:w'), 'Too many rooms', 'whether it may be entered or not');
    assert.equal(await ask(bob, 'execution:2'), 'subscribed');
    const stream = await request(`${server.workflows.http}/api/v1/sse?token=${server.token('ada', ...claim)}&room=execution:3`);
    assertProblem(stream, 429, 'rate_limited');
    assert.equal(await reached(server, 'rooms_per_user_max'), 3);
    await one.close();
    await until(async () => await ask(two, 'execution:2') === 'subscribed', 5_000, 'the place of a closed connection');
  });
});
