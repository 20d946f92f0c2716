// Brokers that want a login or speak TLS: read from and written to with the stock settings, and told of where that fails.
// With KAFKA_TLS the binary has the feature `kafka-tls` (`./scripts/test kafka-tls`); without it, PLAIN is all it can do.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { request } from '../lib/http.mjs';
import { Broker } from '../lib/kafka.mjs';
import { BINARY, ROOT, run } from '../lib/process.mjs';
import { asked, numbers, Reader } from '../lib/reader.mjs';
import { codeBlocks } from '../lib/seed.mjs';
import { Authority } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';

const HAS_TLS = Boolean(process.env.KAFKA_TLS);
const WAIT_MS = 60_000;
/** While it fails again and again: errors of the client that are waited for, and warnings that may be logged. The client has two wordings for some. */
const ERRORS_MIN = 6;
const WARNINGS_MAX = 2;
const WRONG = 'close-sesame';
const EXPECTS_MORE = /(Disconnected|Send failed|Receive failed): .*: does the broker expect TLS, or a login\?/;

/** The variables of these keys of `[kafka]`. */
const variables = (keys) => Object.fromEntries(Object.entries(keys).map(([key, value]) => [`TIDINGS__KAFKA__${key.toUpperCase()}`, String(value)]));

describe(`a broker with security, and a binary with${HAS_TLS ? '' : 'out'} TLS for it`, { timeout: 900_000 }, () => {
  let broker;
  let security;
  let folder;
  let stranger;
  let reader;
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'tidings-secure-'));
    stranger = new Authority();
    broker = await Broker.start();
    security = await broker.security();
    // Whoever runs the tests may have named the system's certificates.
    reader = new Reader(broker, { SSL_CERT_FILE: undefined, SSL_CERT_DIR: undefined });
  });
  after(() => {
    stranger?.remove();
    rmSync(folder, { recursive: true, force: true });
    return broker?.stop();
  });
  afterEach(() => reader?.stop());

  const login = (mechanism, password = security.password) => ({ sasl_mechanism: mechanism, sasl_username: security.username, sasl_password: password });
  const trust = () => ({ tls: true, tls_authorities: security.authority });
  const plain = () => ({ brokers: security.sasl_plaintext, ...login('PLAIN') });

  let topics = 0;
  /** Topics that no other test has, and the variables to read and bury with. */
  async function topicOf(environment) {
    topics += 1;
    const topic = `secure-${topics}`;
    await broker.createTopic(topic, 2);
    await broker.createTopic(`${topic}-dead`, 1);
    return { topic, env: (keys) => reader.env(topic, { ...variables({ dead_letter_topic: `${topic}-dead`, ...keys }), ...environment }) };
  }
  const produce = (topic, n) => broker.produce(topic, [{ partition: 0, value: JSON.stringify({ user_id: 'ann', n }) }, { partition: 1, value: `poison ${n}` }]);
  const buried = async (topic) => (await broker.consumeAll(`${topic}-dead`)).map(({ value, headers }) => [String(value), headers['dlq-reason']]);
  async function check() {
    const { status, json } = await request(`${reader.server.operators.http}/readyz?verbose`);
    assert.deepEqual([status, json.status], [200, 'ready']);
    return json.checks.find(({ name }) => name === 'kafka');
  }

  /** Reads, commits, buries, and digs out again. */
  async function works(keys, environment) {
    const { topic, env } = await topicOf(environment);
    await reader.start(env(keys));
    const ann = await reader.open('ann');
    await produce(topic, 1);
    await reader.allCommitted(topic);
    assert.deepEqual(await numbers(ann), [1]);
    assert.deepEqual(await buried(topic), [['poison 1', 'not_json']]);
    assert.equal(reader.replay('--topic'), asked(1));
    await reader.inGroup();
    assert.deepEqual(await check(), { name: 'kafka', status: 'ok', partitions: 2 });
  }

  /** It does not: clients are served, all that tells of it tells why, and nothing is lost when it is mended. */
  async function tells(keys, reason, mended) {
    const { topic, env } = await topicOf();
    await produce(topic, 1);
    await reader.start(env(keys));
    await until(async () => (await reader.metric('tidings_kafka_errors_total')) >= ERRORS_MIN, WAIT_MS, () => `${ERRORS_MIN} errors\n${reader.server.log}`);
    const { detail, ...rest } = await check();
    assert.deepEqual(rest, { name: 'kafka', status: 'degraded', partitions: 0 });
    assert.match(detail, reason);
    const { status, json } = await request(`${reader.server.tasks.http}/health`);
    assert.deepEqual([status, json.status, json.degraded], [200, 'healthy', ['kafka']]);
    assert.deepEqual([await reader.metric('tidings_kafka_up'), await reader.metric('tidings_kafka_records_total')], [0, 0]);

    const meanwhile = await reader.open('ann');
    await reader.server.publish({ rooms: ['user:ann'], kind: 'notice', data: {} });
    assert.equal((await meanwhile.json('what an operator publishes meanwhile')).type, 'notice');
    assert.throws(() => reader.replay('--topic'), ({ message }) => {
      const [, told] = /ended with 69\n[^]*Kafka is out of reach: (.*)/.exec(message) ?? [];
      assert.match(told, reason);
      return true;
    });
    const warnings = reader.server.log.split('\n').filter((line) => line.includes('"WARN"') && line.includes('"target":"kafka"'));
    assert.ok(warnings.length <= WARNINGS_MAX, warnings.join('\n'));
    assert.ok(warnings.some((line) => reason.test(JSON.parse(line).message)), warnings.join('\n'));
    assert.ok(!reader.server.log.includes(WRONG), 'no password in the log');

    await reader.restart(env(mended));
    const ann = await reader.open('ann');
    await produce(topic, 2);
    await reader.allCommitted(topic);
    assert.equal((await numbers(ann)).at(-1), 2);
    assert.equal(await reader.events('accepted'), 2);
    assert.deepEqual(await buried(topic), [1, 2].map((n) => [`poison ${n}`, 'not_json']));
  }

  function passwordFile() {
    const file = path.join(folder, 'password');
    writeFileSync(file, `${security.password}\n`);
    return file;
  }

  it('PLAIN, with the password in a file', async () => {
    const { sasl_password: _, ...keys } = plain();
    await works({ ...keys, sasl_password_file: passwordFile() });
  });

  it('a wrong password', () => tells({ ...plain(), sasl_password: WRONG }, /SASL authentication error: Authentication failed: Invalid username or password$/, plain()));

  it('no login where one is wanted', () => tells({ brokers: security.sasl_plaintext }, EXPECTS_MORE, plain()));

  it('no TLS where it is wanted', () => tells({ brokers: security.ssl, ...login('PLAIN') }, EXPECTS_MORE, plain()));

  if (HAS_TLS) {
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      it(`TLS and ${mechanism}`, () => works({ brokers: security.sasl_ssl, ...trust(), ...login(mechanism) }));
    }
    it('TLS and SCRAM as docs/how-to/from-kafka.md prints it', async () => {
      let { text } = codeBlocks(readFileSync(path.join(ROOT, 'docs/how-to/from-kafka.md'), 'utf8')).find(({ label }) => label === 'TLS and logging in (1)');
      for (const [printed, ours] of [[/\["kafka-1.*"\]/, `["${security.sasl_ssl}"]`], ['/etc/tidings/kafka-ca.pem', security.authority], ['/run/secrets/kafka-password', passwordFile()]]) {
        assert.match(text, new RegExp(printed));
        text = text.replace(printed, ours);
      }
      const file = path.join(folder, 'tidings.toml');
      writeFileSync(file, text);
      await works({}, { TIDINGS_CONFIG: file, TIDINGS__KAFKA__BROKERS: undefined });
    });
    it('SCRAM without TLS', () => works({ brokers: security.sasl_plaintext, ...login('SCRAM-SHA-512') }));
    it('TLS alone', () => works({ brokers: security.ssl, ...trust() }));
    it('TLS, with the authority where the environment names the system’s', () => works({ brokers: security.ssl, tls: true }, { SSL_CERT_FILE: security.authority }));
    it('TLS, and a certificate of its own', () => works({ brokers: security.mutual, ...trust(), tls_certificate: security.client, tls_key: security.client }));
    it('TLS, and a key with a password, by a property', async () => {
      const key = path.join(folder, 'client.key');
      writeFileSync(key, run('openssl', ['pkcs8', '-topk8', '-in', security.client, '-passout', `pass:${WRONG}`]));
      await works({ brokers: security.mutual, ...trust(), tls_certificate: security.client, tls_key: key, properties: `ssl.key.password=${WRONG}` });
    });

    const distrust = /certificate verify failed/;
    it('another authority', () => tells({ brokers: security.ssl, ...trust(), tls_authorities: stranger.caFile }, distrust, { brokers: security.ssl, ...trust() }));
    it('the system’s authorities, among which it is not', () => tells({ brokers: security.ssl, tls: true }, distrust, { brokers: security.ssl, ...trust() }));
    it('a wrong password by SCRAM', () => {
      const scram = (password) => ({ brokers: security.sasl_ssl, ...trust(), ...login('SCRAM-SHA-256', password) });
      return tells(scram(WRONG), /SASL authentication error: .*invalid credentials/, scram());
    });
    it('no certificate of its own where one is wanted', () => tells({ brokers: security.mutual, ...trust() }, /alert (bad certificate|certificate required)/, plain()));
  } else {
    for (const [what, keys] of [['TLS', () => trust()], ['SCRAM', () => login('SCRAM-SHA-256')]]) {
      it(`${what} stops it at the start, with what to do`, () => {
        const env = { ...process.env, ...variables({ brokers: security.sasl_ssl, ...keys() }) };
        const { status, stderr } = spawnSync(BINARY, ['--data-dir', path.join(folder, 'data')], { env, encoding: 'utf8', timeout: WAIT_MS });
        assert.equal(status, 64, stderr);
        assert.match(stderr, /kafka: this build has no TLS and no SCRAM for Kafka: build it with the feature `kafka-tls`/);
      });
    }
  }
});
