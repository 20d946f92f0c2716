// How long a connection of the workflows gateway lives: its token's expiry, warnings, tokens that take its place, revocation.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { hmacToken, now_s } from '../lib/issuer.mjs';
import { assertClosed } from '../lib/metrics.mjs';
import { Server } from '../lib/server.mjs';
import { EventStream } from '../lib/stream.mjs';

const SECRET = '4c6f63616c2073656372657420666f72207468652074657374732c2036342062';
const GRACE_MS = 1_000;
const INVALID = '{"type":"error","message":"Invalid token"}';
const EXPIRED = { code: 4408, reason: 'token_expired' };

describe('the lifetime of a token', () => {
  let server;
  before(async () => { server = await Server.start({ env: { TIDINGS__AUTH__JWT__SECRET: SECRET, TIDINGS__AUTH__JWT__EXPIRY_GRACE_MS: `${GRACE_MS}` } }); });
  after(() => server?.stop());
  afterEach(async () => { await Inbox.endAll(); await EventStream.endAll(); });

  const jwt = (sub, ttl_s, more = {}) => hmacToken('HS256', SECRET, { sub, iat: now_s(), exp: now_s() + ttl_s, ...more });
  const expiry = (token) => new Date(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).exp * 1000).toISOString();
  const url = (token, more = '') => `${server.workflows.ws}/api/v1/ws?token=${token}${more}`;

  /** A connection, its two opening frames taken. */
  async function open(token, more) {
    const inbox = await Inbox.open(url(token, more));
    for (const what of ['the connection frame', 'the subscription frame']) await inbox.json(what);
    return inbox;
  }

  async function refresh(inbox, token) {
    inbox.send({ type: 'refresh', token });
    return inbox.text('the answer to a refresh');
  }

  it('a warning 60 s before, for those who ask for it', async () => {
    const token = jwt('ann', 62);
    const [warned, silent] = [await open(token, '&warn=1'), await open(token)];
    const text = await warned.text('the warning');
    const left_ms = Date.parse(expiry(token)) - Date.now();
    assert.equal(text, `{"type":"expiring","expires_at":"${expiry(token)}"}`);
    assert.match(JSON.parse(text).expires_at, TIMESTAMP);
    assert.ok(left_ms <= 60_000 && left_ms > 57_000, `${left_ms} ms before`);
    assert.deepEqual([...await warned.drain(), ...await silent.drain()], []);
  });

  it('a warning at once, where less than that is left, behind the greeting, on sockets and on streams', async () => {
    const token = jwt('ann', 30);
    const inbox = await Inbox.open(url(token, '&warn=1'));
    assert.deepEqual([(await inbox.json()).type, (await inbox.json()).type, (await inbox.json()).type], ['connection', 'subscription', 'expiring']);
    const stream = await EventStream.open(`${server.workflows.http}/api/v1/sse?token=${token}&warn=1`);
    const frames = [await stream.json(), await stream.json(), await stream.json()];
    assert.deepEqual(frames.map(({ type }) => type), ['connection', 'subscription', 'expiring']);
    assert.deepEqual(frames[2], { type: 'expiring', expires_at: expiry(token) });
  });

  it('who does nothing is closed some time after the expiry', async () => {
    const before = jwt('ann', 1);
    const inbox = await open(before);
    const { code, reason } = await inbox.closing(10_000);
    assert.deepEqual({ code, reason }, EXPIRED);
    const late_ms = Date.now() - Date.parse(expiry(before));
    assert.ok(late_ms >= GRACE_MS && late_ms < GRACE_MS + 4_000, `${late_ms} ms late`);
    await assertClosed(server, 4408, 1);
  });

  it('another token of the same user keeps the connection, and is warned of in its turn', async () => {
    const [first, second] = [jwt('ann', 2), jwt('ann', 62)];
    const [staying, leaving] = [await open(first, '&warn=1'), await open(first)];
    assert.equal((await staying.json()).type, 'expiring');
    assert.equal(await refresh(staying, second), `{"type":"refreshed","expires_at":"${expiry(second)}"}`);
    const { code, reason } = await leaving.closing(10_000);
    assert.deepEqual({ code, reason }, EXPIRED, 'the same token without a refresh');
    const warnings = await staying.drain();
    // By now the second one may have come into its last minute.
    assert.deepEqual(warnings, warnings.map(() => ({ type: 'expiring', expires_at: expiry(second) })));
    if (warnings.length === 0) assert.equal(await staying.text('a warning of the second token'), `{"type":"expiring","expires_at":"${expiry(second)}"}`);
    else assert.equal(warnings.length, 1);
    // Shorter than before is as good.
    assert.match(await refresh(staying, jwt('ann', 1)), /refreshed/);
    const end = await staying.find(({ type }) => type === 'expiring').then(() => staying.closing(10_000));
    assert.deepEqual({ code: end.code, reason: end.reason }, EXPIRED);
  });

  it('a token that is refused changes nothing', async () => {
    const { serviceToken, operatorToken } = server;
    const inbox = await open(jwt('ann', 3));
    const [header, payload] = jwt('ann', 600).split('.');
    for (const token of [
      jwt('bob', 600), jwt('ann', -10), jwt('ann', 600, { type: 'refresh' }), jwt('ann', 600, { exp: undefined }), jwt('ann', 600, { nbf: now_s() + 600 }),
      `${header}.${payload}.x`, serviceToken, operatorToken, 'x', '', undefined, null, 7, ['a'],
    ]) assert.equal(await refresh(inbox, token), INVALID, JSON.stringify(token));
    assert.deepEqual(await inbox.drain(), []);
    const { code, reason } = await inbox.closing(10_000);
    assert.deepEqual({ code, reason }, EXPIRED);
    assert.ok(!server.log.includes(payload), 'no token is in the log');
  });

  it('rooms by claim are those of the new token', async () => {
    const inbox = await open(jwt('ann', 600, { rooms: ['execution:a*', 'workflow:w'] }));
    const subscribe = async (room) => {
      inbox.send({ type: 'subscribe', room_id: room });
      return (await inbox.json()).event === 'subscribed';
    };
    for (const room of ['execution:a1', 'execution:a2', 'workflow:w']) assert.equal(await subscribe(room), true, room);
    assert.match(await refresh(inbox, jwt('ann', 600, { rooms: ['execution:a2', 'execution:b'] })), /refreshed/);
    const lost = (await inbox.drain()).map(({ event, room_id }) => `${event} ${room_id}`).sort();
    assert.deepEqual(lost, ['unsubscribed execution:a1', 'unsubscribed workflow:w']);
    for (const [n, room] of ['execution:a1', 'execution:a2'].entries()) await server.publish({ room, kind: 'told', event: 'told', data: n });
    assert.deepEqual((await inbox.drain()).map(({ data }) => data), [1]);
    assert.deepEqual([await subscribe('execution:b'), await subscribe('execution:a1')], [true, false]);
  });

  it('a revocation counts for the token that the connection rests on', async () => {
    const inbox = await open(jwt('ann', 600, { jti: 'first' }));
    assert.match(await refresh(inbox, jwt('ann', 600, { jti: 'second' })), /refreshed/);
    const other = await open(jwt('ann', 600, { jti: 'first' }));
    server.command('token', 'revoke', '--jti', 'first');
    assert.deepEqual(await other.closing(), { code: 4403, reason: 'forbidden' });
    assert.deepEqual(await inbox.drain(), [], 'it rests on another one');
    assert.equal(await refresh(inbox, jwt('ann', 600, { jti: 'first' })), INVALID);
    server.command('token', 'revoke', '--jti', 'second');
    assert.deepEqual(await inbox.closing(), { code: 4403, reason: 'forbidden' });
  });

  it('a revoked user has no connection left', async () => {
    const tokens = [jwt('carol', 600), jwt('carol', 600, { iat: now_s() - 500 }), jwt('carol', 600, { iat: undefined })];
    const [inboxes, other] = [await Promise.all(tokens.map((token) => open(token))), await open(jwt('dora', 600))];
    assert.match(await refresh(inboxes[0], jwt('carol', 900)), /refreshed/);
    server.command('token', 'revoke', '--sub', 'carol');
    for (const inbox of inboxes) assert.deepEqual(await inbox.closing(), { code: 4403, reason: 'forbidden' });
    assert.deepEqual(await other.drain(), []);
  });
});
