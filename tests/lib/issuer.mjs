import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';

const encoded = (value) => Buffer.from(typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value)).toString('base64url');

/** Seconds since 1970, as tokens count them. */
export const now_s = () => Math.floor(Date.now() / 1000);

/** A token with this header and these claims; `signer` makes the signature of its first two parts. */
export function token(header, claims, signer) {
  const signed = `${encoded(header)}.${encoded(claims)}`;
  return `${signed}.${encoded(signer(signed))}`;
}

/** A token signed with a secret, by HS256, HS384 or HS512. */
export function hmacToken(algorithm, secret, claims, header = {}) {
  const hash = `sha${algorithm.slice(2)}`;
  return token({ alg: algorithm, typ: 'JWT', ...header }, claims, (signed) => createHmac(hash, secret).update(signed).digest());
}

const KINDS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

/** A key pair of an issuer, made by Node. */
export class SigningKey {
  #pair;

  constructor(algorithm, id) {
    this.algorithm = algorithm;
    this.id = id;
    this.#pair = KINDS[algorithm]();
  }

  get jwk() { return { ...this.#pair.publicKey.export({ format: 'jwk' }), kid: this.id, use: 'sig', alg: this.algorithm }; }
  get pem() { return this.#pair.publicKey.export({ format: 'pem', type: 'spki' }); }
  get der() { return this.#pair.publicKey.export({ format: 'der', type: 'spki' }); }

  token(claims, header = {}) {
    const hash = this.algorithm === 'EdDSA' ? null : 'sha256';
    const key = { key: this.#pair.privateKey, dsaEncoding: 'ieee-p1363' };
    return token({ alg: this.algorithm, kid: this.id, typ: 'JWT', ...header }, claims, (signed) => sign(hash, Buffer.from(signed), key));
  }
}

/** An issuer that publishes its keys over HTTP, or HTTPS with an authority's certificate. It can be away, hang, and answer nonsense. */
export class Issuer {
  #server;
  #held = new Set();
  /** The keys that it publishes. */
  keys = [];
  /** What it answers instead of its keys: `{status, headers, body}`. */
  answer = null;
  /** Whether it takes requests and does not answer them. */
  isHanging = false;
  /** Requests for its keys so far. */
  requests = 0;

  static async start(keys, { authority } = {}) {
    const issuer = new Issuer();
    issuer.keys = keys;
    issuer.authority = authority;
    issuer.port = 0;
    await issuer.listen();
    return issuer;
  }

  /** Its name in tokens, which is not where its keys are. */
  get name() { return `https://issuer-${this.port}.example`; }
  get jwksUrl() { return `http${this.authority ? 's' : ''}://localhost:${this.port}/keys`; }

  /** Comes up, or up again where it was. */
  async listen() {
    const respond = (_, response) => this.#respond(response);
    const pair = this.authority && readFileSync(this.authority.file);
    this.#server = this.authority ? https.createServer({ cert: pair, key: pair }, respond) : http.createServer(respond);
    this.#server.listen(this.port, 'localhost');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
  }

  /** Goes away, and takes its connections with it. */
  async close() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Answers what it let wait. */
  release() {
    this.isHanging = false;
    for (const response of this.#held) this.#send(response);
    this.#held.clear();
  }

  #respond(response) {
    this.requests += 1;
    if (this.isHanging) this.#held.add(response);
    else this.#send(response);
  }

  #send(response) {
    const { status = 200, headers = { 'content-type': 'application/jwk-set+json' }, body = JSON.stringify({ keys: this.keys.map((key) => key.jwk) }) } = this.answer ?? {};
    response.writeHead(status, headers).end(body);
  }

  /** The claims of a token for this user that is good for a minute; what is undefined is left out. */
  claims(user, more = {}) {
    return { iss: this.name, aud: 'app', sub: user, iat: now_s(), exp: now_s() + 60, ...more };
  }
}
