import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertProblem, request } from '../lib/http.mjs';
import { assertRefused, Inbox } from '../lib/inbox.mjs';
import { hmacToken, Issuer, now_s, SigningKey, token } from '../lib/issuer.mjs';
import { metric } from '../lib/metrics.mjs';
import { Server } from '../lib/server.mjs';
import { EventStream } from '../lib/stream.mjs';
import { Authority } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';

const LOCAL = '4c6f63616c2073656372657420666f72207468652074657374732c2036342062';
const SHARED = '536861726564207365637265742c20776974682061206e616d6520746f6f2c21';
const INVALID = [4401, 'invalid_token'];
const LATER = [1011, 'internal_error'];

const directory = mkdtempSync(path.join(os.tmpdir(), 'tidings-issuers-'));
after(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => { await Inbox.endAll(); await EventStream.endAll(); });

/** A server in production mode, on loopback addresses, that trusts these issuers. */
function production(issuers, more = {}) {
  const table = (issuer) => `{ ${Object.entries(issuer).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(', ')} }`;
  const env = {
    TIDINGS__SERVER__MODE: 'production',
    TIDINGS__AUTH__JWT__SECRET: LOCAL,
    TIDINGS__AUTH__JWT__ISSUERS: `[${issuers.map(table).join(', ')}]`,
    TIDINGS__AUTH__JWT__JWKS_REFRESH_INTERVAL_MS_MIN: '100',
    TIDINGS__ORIGINS__ALLOWED: 'https://app.example',
    TIDINGS__TASKS__DAPR__API_TOKEN: SHARED,
  };
  return { env: { ...env, ...more } };
}

const published = (issuer, more = {}) => ({ issuer: issuer.name, audience: 'app', jwks_url: issuer.jwksUrl, ...more });

/** Where a token opens a socket: what to ask and, of what comes first, who one is. */
const PLACES = [
  { name: '/ws', url: (server) => `${server.tasks.ws}/ws`, user: ({ user_id }) => user_id },
  { name: '/api/v1/ws', url: (server) => `${server.workflows.ws}/api/v1/ws`, user: ({ room_id }) => room_id?.replace(/^user:/, '') },
];

const at = (place, server, jwt) => `${place.url(server)}?token=${jwt}`;

/** Opens a socket, and waits for the frame that says who it is. */
async function open(place, server, jwt, user, url = at(place, server, jwt), options) {
  const inbox = await Inbox.open(url, options);
  const welcome = await inbox.find((message) => place.user(message) !== undefined, 'the welcome');
  assert.equal(place.user(welcome), user);
  return inbox;
}

async function assertServed(server, jwt, user) {
  for (const place of PLACES) await (await open(place, server, jwt, user)).close();
}

async function assertNotServed(server, jwt, [code, reason]) {
  for (const place of PLACES) await assertRefused(at(place, server, jwt), code, reason);
}

const refreshes = (server, result) => metric(server, `tidings_jwks_refresh_total{result="${result}"}`);

describe('issuers: whose tokens are good', () => {
  const [rsa, ec, ed] = [new SigningKey('RS256', 'rsa'), new SigningKey('ES256', 'ec'), new SigningKey('EdDSA', 'ed')];
  const foreign = new SigningKey('RS256', 'rsa');
  const inFile = new SigningKey('ES256', undefined);
  const sharing = { name: 'https://sharing.example' };
  const filed = { name: 'https://filed.example' };
  let server;
  let issuer;
  let other;
  before(async () => {
    issuer = await Issuer.start([rsa, ec, ed]);
    other = await Issuer.start([foreign]);
    const file = path.join(directory, 'filed.pem');
    writeFileSync(file, rsa.pem + inFile.pem);
    server = await Server.start(production([
      published(issuer),
      published(other, { algorithms: ['RS256'] }),
      { issuer: sharing.name, audience: 'app', secret: SHARED },
      { issuer: filed.name, audience: ['app', 'phone'], public_key_file: file },
    ]));
  });
  after(async () => { await server?.stop(); await issuer?.close(); await other?.close(); });

  const claims = (name, more) => issuer.claims('ada', { iss: name, ...more });

  it('each algorithm, with keys that are published, in a file, and secret', async () => {
    for (const [what, jwt] of Object.entries({
      RS256: rsa.token(issuer.claims('ada')), ES256: ec.token(issuer.claims('ada')), EdDSA: ed.token(issuer.claims('ada')),
      'no key id': ed.token(issuer.claims('ada'), { kid: undefined }),
      'another issuer with the same key id': foreign.token(other.claims('ada')),
      'a file': inFile.token(claims(filed.name)), 'a file, the second audience': rsa.token(claims(filed.name, { aud: ['phone', 'x'] })),
      HS256: hmacToken('HS256', SHARED, claims(sharing.name)), HS384: hmacToken('HS384', SHARED, claims(sharing.name)), HS512: hmacToken('HS512', SHARED, claims(sharing.name)),
      'the local secret': hmacToken('HS256', LOCAL, claims(undefined)), 'the local secret, HS512': hmacToken('HS512', LOCAL, claims('https://nobody.example')),
      'by command': server.token('ada'),
    })) {
      await assert.doesNotReject(assertServed(server, jwt, 'ada'), what);
    }
    await assertServed(server, ed.token(issuer.claims(42)), '42');
  });

  it('by query, header and subprotocol', async () => {
    const jwt = ec.token(issuer.claims('ada'));
    for (const place of PLACES) {
      await open(place, server, jwt, 'ada', place.url(server), { headers: { authorization: `Bearer ${jwt}` } });
      const inbox = await open(place, server, jwt, 'ada', place.url(server), { protocols: ['bearer', jwt] });
      assert.equal(inbox.socket.protocol, 'bearer');
    }
    assert.ok(!server.log.includes(jwt.slice(-40)));
  });

  it('times, audiences and issuers are judged', async () => {
    await assertServed(server, rsa.token(issuer.claims('ada', { exp: now_s() - 1 })), 'ada');
    await assertServed(server, rsa.token(issuer.claims('ada', { nbf: now_s() + 3 })), 'ada');
    for (const [what, more] of Object.entries({
      expired: { exp: now_s() - 6 }, 'not yet good': { nbf: now_s() + 30 }, 'wrong audience': { aud: 'another' }, 'no audience': { aud: undefined },
      'wrong issuer': { iss: 'https://evil.example' }, 'almost the issuer': { iss: `${issuer.name}/` }, 'no issuer': { iss: undefined },
      'a refresh token': { type: 'refresh' }, 'no user': { sub: undefined }, 'an expiry that is none': { exp: 'soon' }, 'for the control API': { aud: ['app', 'tidings'], scope: 'operator' },
    })) {
      await assert.doesNotReject(assertNotServed(server, rsa.token(issuer.claims('ada', more)), INVALID), what);
    }
  });

  it('no other key will do', async () => {
    const good = rsa.token(issuer.claims('ada'));
    const [header, , signature] = good.split('.');
    const tampered = [header, Buffer.from(JSON.stringify(issuer.claims('eve'))).toString('base64url'), signature].join('.');
    for (const [what, jwt] of Object.entries({
      'a key that nobody publishes': new SigningKey('RS256', 'new').token(issuer.claims('ada')),
      'a forged key under a known id': new SigningKey('RS256', 'rsa').token(issuer.claims('ada')),
      "another issuer's key under the same id": foreign.token(issuer.claims('ada')),
      'a key of the issuer in the name of another': ec.token(other.claims('ada')),
      'the local secret in the name of an issuer': hmacToken('HS256', LOCAL, issuer.claims('ada'), { kid: 'rsa' }),
      'the shared secret in the name of another': hmacToken('HS256', SHARED, issuer.claims('ada')),
      'the shared secret as the local one': hmacToken('HS256', SHARED, claims(undefined)),
      'other claims': tampered,
      'a key id that is a path': rsa.token(issuer.claims('ada'), { kid: '../../rsa' }),
      'a key in the header': rsa.token(issuer.claims('ada'), { kid: 'x', jwk: rsa.jwk, jku: issuer.jwksUrl }),
      'an extension that must be understood': rsa.token(issuer.claims('ada'), { crit: ['b64'], b64: true }),
    })) {
      await assert.doesNotReject(assertNotServed(server, jwt, INVALID), what);
    }
  });

  it('a public key is no secret (key confusion)', async () => {
    for (const secret of [rsa.pem, rsa.pem.trim(), rsa.der, JSON.stringify(rsa.jwk), Buffer.from(rsa.jwk.n, 'base64url')]) {
      for (const name of [issuer.name, filed.name, undefined]) {
        await assertNotServed(server, hmacToken('HS256', secret, claims(name), { kid: 'rsa' }), INVALID);
      }
    }
    await assertNotServed(server, hmacToken('HS512', rsa.pem, issuer.claims('ada')), INVALID);
  });

  it('alg none, however it is written, and algorithms that the key is not for', async () => {
    const [, payload, signature] = rsa.token(issuer.claims('ada')).split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 'HS256', 'ES256', 'RS384', 'RS512', 'PS256']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'rsa' })).toString('base64url');
      await assertNotServed(server, `${header}.${payload}.${signature}`, INVALID);
      await assertNotServed(server, `${header}.${payload}.`, INVALID);
    }
    // ES256 under another issuer, who may use RS256 alone.
    await assertNotServed(server, ec.token(other.claims('ada')), INVALID);
    await assertNotServed(server, token({ alg: 'none' }, claims(undefined), () => ''), INVALID);
  });

  it('no issuer makes an operator or a service', async () => {
    const operator = { iss: issuer.name, aud: 'tidings', scope: 'operator', exp: now_s() + 60 };
    for (const jwt of [rsa.token(operator), rsa.token({ ...operator, iss: undefined }), hmacToken('HS256', SHARED, { ...operator, iss: sharing.name }), hmacToken('HS256', SHARED, { ...operator, iss: undefined })]) {
      const body = { room: 'user:ada', kind: 'x', data: {} };
      assertProblem(await request(`${server.operators.http}/api/v1/publish`, { method: 'POST', token: jwt, body }), 401, 'invalid_token');
      assertProblem(await request(`${server.workflows.http}/api/v1/workflows/w`, { method: 'PUT', token: jwt, body: { owner_id: 'x' } }), 401, 'invalid_token');
      assertProblem(await request(`${server.tasks.http}/stats`, { token: jwt }), 401, 'invalid_token');
    }
    await server.publish({ room: 'user:ada', kind: 'x', data: {} });
  });

  it('a stream and a request, as the sockets', async () => {
    const jwt = ed.token(issuer.claims('ada'));
    const stream = await EventStream.open(`${server.tasks.http}/sse`, { headers: { authorization: `Bearer ${jwt}` } });
    assert.equal((await stream.json('the welcome')).user_id, 'ada');
    assert.equal((await request(`${server.workflows.http}/api/v1/ws/stats`, { token: jwt })).status, 200);
    const bad = foreign.token(issuer.claims('ada'));
    assertProblem(await request(`${server.tasks.http}/sse?token=${bad}`), 401, 'invalid_token');
    assertProblem(await request(`${server.workflows.http}/api/v1/ws/stats`, { token: bad }), 401, 'invalid_token');
  });
});

describe('issuers: keys that come and go', () => {
  let server;
  let issuer;
  afterEach(async () => {
    await server?.stop();
    issuer?.release();
    await issuer?.close().catch(() => {});
    server = undefined;
  });

  /** A server that has fetched this key; asked for by default no more often than a token makes it ask. */
  async function started(key, more = {}) {
    issuer = await Issuer.start([key]);
    server = await Server.start(production([published(issuer)], more));
    await until(async () => await refreshes(server, 'loaded') === 1, 5_000, 'the first fetch');
  }

  it('rotation: a token of a new key is served at once, and all that come with it by one request', async () => {
    const [old, next] = [new SigningKey('ES256', 'old'), new SigningKey('ES256', 'next')];
    await started(old);
    issuer.keys = [old, next];
    const inboxes = await Promise.all(Array.from({ length: 40 }, (_, n) => open(PLACES[n % 2], server, next.token(issuer.claims('ada')), 'ada')));
    assert.ok(issuer.requests <= 3, `${issuer.requests} requests`);
    await assertServed(server, old.token(issuer.claims('ada')), 'ada');
    await Promise.all(inboxes.map((inbox) => inbox.close()));
    // The old key goes with the next fetch, which a third key brings about.
    const third = new SigningKey('ES256', 'third');
    issuer.keys = [next, third];
    await assertServed(server, third.token(issuer.claims('ada')), 'ada');
    await assertNotServed(server, old.token(issuer.claims('ada')), INVALID);
    await assertServed(server, next.token(issuer.claims('ada')), 'ada');
  });

  it('in the background: a key that is withdrawn is good no longer, without anybody asking', async () => {
    const [old, next] = [new SigningKey('EdDSA', 'old'), new SigningKey('EdDSA', 'next')];
    await started(old, { TIDINGS__AUTH__JWT__JWKS_REFRESH_INTERVAL_MS: '1000' });
    issuer.keys = [next];
    const requests = issuer.requests;
    await until(() => issuer.requests >= requests + 2, 5_000, 'two more requests');
    await assertNotServed(server, old.token(issuer.claims('ada')), INVALID);
    await assertServed(server, next.token(issuer.claims('ada')), 'ada');
  });

  it('unknown keys do not make it ask without end', async () => {
    const key = new SigningKey('EdDSA', 'key');
    await started(key, { TIDINGS__AUTH__JWT__JWKS_REFRESH_INTERVAL_MS_MIN: '1000' });
    const start = performance.now();
    const unknown = new SigningKey('EdDSA', 'same');
    for (let round = 0; round < 20; round += 1) {
      await assertNotServed(server, unknown.token(issuer.claims('ada')), INVALID);
      await assertNotServed(server, unknown.token(issuer.claims('ada'), { kid: undefined }), INVALID);
    }
    await Promise.all(Array.from({ length: 40 }, (_, n) => assertNotServed(server, unknown.token(issuer.claims('ada'), { kid: `random-${n}` }), INVALID)));
    const seconds = Math.ceil((performance.now() - start) / 1000);
    assert.ok(issuer.requests <= 2 + seconds, `${issuer.requests} requests in ${seconds} s`);
    await assertServed(server, key.token(issuer.claims('ada')), 'ada');
  });

  it('issuer down: known keys go on, unknown ones may come again later, and do', async () => {
    const [key, next] = [new SigningKey('ES256', 'key'), new SigningKey('ES256', 'next')];
    await started(key);
    issuer.keys = [key, next];
    await issuer.close();
    await assertNotServed(server, next.token(issuer.claims('ada')), LATER);
    await assertServed(server, key.token(issuer.claims('ada')), 'ada');
    assertProblem(await request(`${server.tasks.http}/sse?token=${next.token(issuer.claims('ada'))}`), 500, 'internal_error');
    assertProblem(await request(`${server.workflows.http}/api/v1/ws/stats`, { token: next.token(issuer.claims('ada')) }), 500, 'internal_error');
    assert.ok(await refreshes(server, 'failed') >= 1);
    assert.match(server.log, /JWKS: the keys could not be fetched; the old ones stay/);
    await issuer.listen();
    await until(() => assertServed(server, next.token(issuer.claims('ada')), 'ada').then(() => true, () => false), 20_000, 'a token of the new key is served');
  });

  it('issuer down from the start: the server starts, and serves its tokens once it is up', async () => {
    const key = new SigningKey('RS256', 'key');
    issuer = await Issuer.start([key]);
    await issuer.close();
    server = await Server.start(production([published(issuer)]));
    await assertNotServed(server, key.token(issuer.claims('ada')), LATER);
    await assertServed(server, server.token('ada'), 'ada');
    await issuer.listen();
    await until(() => assertServed(server, key.token(issuer.claims('ada')), 'ada').then(() => true, () => false), 20_000, 'its token is served');
  });

  it('issuer hangs: known keys are not held up by tokens that wait', async () => {
    const [key, next] = [new SigningKey('ES256', 'key'), new SigningKey('ES256', 'next')];
    await started(key, { TIDINGS__AUTH__JWT__JWKS_TIMEOUT_MS: '3000' });
    issuer.keys = [key, next];
    issuer.isHanging = true;
    const waiting = PLACES.map((place) => assertRefused(at(place, server, next.token(issuer.claims('ada'))), ...LATER));
    await until(() => issuer.requests >= 2, 2_000, 'a request that hangs');
    const start = performance.now();
    for (let round = 0; round < 10; round += 1) await assertServed(server, key.token(issuer.claims('ada')), 'ada');
    const elapsed_ms = performance.now() - start;
    assert.ok(elapsed_ms < 2_000, `20 handshakes took ${elapsed_ms} ms`);
    await Promise.all(waiting);
    issuer.release();
    await until(() => assertServed(server, next.token(issuer.claims('ada')), 'ada').then(() => true, () => false), 20_000, 'a token of the new key is served');
  });

  it('issuer down for too long: its keys are believed no longer', async () => {
    const key = new SigningKey('ES256', 'key');
    await started(key, { TIDINGS__AUTH__JWT__JWKS_AGE_MS_MAX: '2000', TIDINGS__AUTH__JWT__JWKS_REFRESH_INTERVAL_MS: '1000' });
    await issuer.close();
    await assertServed(server, key.token(issuer.claims('ada')), 'ada');
    await until(() => assertNotServed(server, key.token(issuer.claims('ada')), LATER).then(() => true, () => false), 10_000, 'the key is not believed');
    await issuer.listen();
    await until(() => assertServed(server, key.token(issuer.claims('ada')), 'ada').then(() => true, () => false), 20_000, 'its token is served');
  });

  for (const [what, answer] of Object.entries({
    'an error': { status: 500 }, 'a page': { body: '<html>' }, 'too much': { body: JSON.stringify({ keys: [], more: 'x'.repeat(300 * 1024) }) },
    'too many keys': { body: JSON.stringify({ keys: Array(101).fill({}) }) }, 'a redirect': { status: 302, headers: { location: '/elsewhere' } }, nothing: { body: '' },
  })) {
    it(`issuer answers ${what}: the known keys stay`, async () => {
      const [key, next] = [new SigningKey('EdDSA', 'key'), new SigningKey('EdDSA', 'next')];
      await started(key);
      issuer.keys = [key, next];
      issuer.answer = answer;
      await assertNotServed(server, next.token(issuer.claims('ada')), LATER);
      await assertServed(server, key.token(issuer.claims('ada')), 'ada');
      assert.equal(await refreshes(server, 'loaded'), 1);
    });
  }

  it('over TLS, from an authority that the system trusts and from no other', async () => {
    const authority = new Authority();
    try {
      const key = new SigningKey('ES256', 'key');
      issuer = await Issuer.start([key], { authority });
      server = await Server.start(production([published(issuer)]));
      await assertNotServed(server, key.token(issuer.claims('ada')), LATER);
      assert.equal(issuer.requests, 0);
      await server.stop();
      server = await Server.start(production([published(issuer)], { SSL_CERT_FILE: authority.caFile }));
      await assertServed(server, key.token(issuer.claims('ada')), 'ada');
    } finally {
      authority.remove();
    }
  });
});

describe('issuers: the end of a token', () => {
  it('an expired one closes its connections after the grace', async () => {
    const key = new SigningKey('ES256', 'key');
    const issuer = await Issuer.start([key]);
    const server = await Server.start(production([published(issuer)], { TIDINGS__AUTH__JWT__EXPIRY_GRACE_MS: '1000' }));
    try {
      const exp = now_s() + 2;
      const inboxes = await Promise.all(PLACES.map((place) => open(place, server, key.token(issuer.claims('ada', { exp })), 'ada')));
      const stream = await EventStream.open(`${server.tasks.http}/sse?token=${key.token(issuer.claims('ada', { exp }))}`);
      await stream.next();
      const lasting = await open(PLACES[0], server, key.token(issuer.claims('ada', { exp: undefined })), 'ada');
      for (const inbox of inboxes) assert.deepEqual(await inbox.closing(10_000), { code: 4408, reason: 'token_expired' });
      const late_ms = Date.now() - (exp * 1000 + 1000);
      assert.ok(late_ms >= 0 && late_ms < 2_500, `closed ${late_ms} ms after the grace`);
      assert.equal((await stream.closing()).code, 4408);
      await lasting.drain();
    } finally {
      await server.stop();
      await issuer.close();
    }
  });
});

describe('issuers: what is not believed to be meant', () => {
  it('a server that is told wrong things about its issuers does not start', async () => {
    for (const [issuer, expected] of [
      [{ issuer: 'https://a', jwks_url: 'http://keys.example/k' }, /auth\.jwt\.issuers: https:\/\/a: its keys are asked for without TLS/],
      [{ issuer: 'https://a', secret: LOCAL }, /auth\.jwt\.issuers: https:\/\/a: it has the secret of this server/],
      [{ issuer: 'https://a', secret: 'short' }, /issuer 1: `secret`: signing secret is shorter than 32 bytes/],
      [{ issuer: 'https://a' }, /issuer 1: expected exactly one of jwks_url, public_key_file, secret, secret_file/],
    ]) {
      await assert.rejects(Server.start(production([issuer])), (error) => expected.test(error.message) && !error.message.includes(LOCAL));
    }
  });
});
