// What docs/how-to/from-kafka.md prints: its configuration, the forms of records, what stands in dead letters, the metrics.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { envelope } from '../lib/cloudevent.mjs';
import { request } from '../lib/http.mjs';
import { Broker } from '../lib/kafka.mjs';
import { ROOT } from '../lib/process.mjs';
import { asked, numbers, Reader } from '../lib/reader.mjs';
import { codeBlocks } from '../lib/seed.mjs';
import { until } from '../lib/wait.mjs';

const WAIT_MS = 60_000;
const markdown = readFileSync(path.join(ROOT, 'docs/how-to/from-kafka.md'), 'utf8');
const page = codeBlocks(markdown);
/** The keys of a block, without the header of the section. */
const keys = (label) => {
  const { language, text } = page.find((candidate) => candidate.label === label);
  assert.deepEqual([language, text.split('\n')[0]], ['toml', '[kafka]']);
  return text.split('\n').slice(1).join('\n');
};

describe('from-kafka.md', { timeout: 300_000 }, () => {
  let broker;
  let reader;
  let folder;
  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'tidings-page-'));
    broker = await Broker.start();
    await broker.createTopic('task-updates', 12);
    await broker.createTopic('task-updates-dead', 1);
    const brokers = /brokers = \[.*\]/;
    const first = keys('Events from Kafka (1)');
    assert.match(first, brokers);
    const file = path.join(folder, 'tidings.toml');
    writeFileSync(file, ['[kafka]', first.replace(brokers, `brokers = ["${broker.bootstrap}"]`), keys('Several nodes, and restarts (1)'), keys('Dead letters (1)')].join('\n'));
    reader = new Reader(broker);
    await reader.start({ TIDINGS_CONFIG: file });
  });
  after(async () => {
    await reader?.stop();
    rmSync(folder, { recursive: true, force: true });
    await broker?.stop();
  });
  const allCommitted = () => until(async () => (await broker.lag('tidings', 'task-updates')) === 0, WAIT_MS, 'all committed to the group that the page names');

  it('every form of a record is delivered, and the rest is where the page says', async () => {
    const ann = await reader.open('ann');
    const data = (n) => ({ user_id: 'ann', n });
    await broker.produce('task-updates', [
      { value: JSON.stringify(envelope(data(1))), headers: { 'content-type': 'application/cloudevents+json' } },
      { value: JSON.stringify(data(2)), headers: { ce_id: '2', ce_source: '/page', ce_type: 'task', ce_specversion: '1.0' } },
      { value: JSON.stringify(envelope(data(3))) },
      { value: JSON.stringify(data(4)) },
      { value: 'not json', headers: { own: 'kept' } },
    ].map((record) => ({ key: 'ann', ...record })));
    await allCommitted();
    assert.deepEqual(await numbers(ann), [1, 2, 3, 4]);

    const [letter, ...more] = await broker.consumeAll('task-updates-dead');
    assert.deepEqual([more, letter.key, String(letter.value)], [[], 'ann', 'not json']);
    const printed = new Set(markdown.match(/dlq-[a-z]+/g));
    assert.deepEqual(Object.keys(letter.headers).sort(), [...printed, 'own'].sort());
    assert.equal(letter.headers['dlq-reason'], 'not_json');

    assert.ok(markdown.includes('`tidings dead-letters replay --topic`'));
    assert.equal(reader.replay('--topic'), asked(1));
  });

  it('what there is to watch is there, by its name', async () => {
    const { text } = await request(`${reader.server.operators.http}/metrics`);
    const printed = [...markdown.matchAll(/`(tidings_[a-z_]+)(?:\{([a-z,]+)\})?`/g)];
    assert.ok(printed.length > 8);
    for (const [, name, labels] of printed) {
      const pattern = labels ? `\\{${labels.split(',').map((label) => `${label}="[^"]*"`).join(',')}\\}` : '';
      // Named without their labels too.
      assert.match(text, new RegExp(`^${name}${labels ? pattern : '(\\{.*\\})?'} `, 'm'), name);
    }
  });

  it('the health that it names tells of it', async () => {
    const [, target] = /`curl 'http:\/\/localhost:9400(\/[^']+)'`/.exec(markdown);
    await reader.inGroup();
    const { json } = await request(`${reader.server.operators.http}${target}`);
    assert.deepEqual(json.checks.find(({ name }) => name === 'kafka'), { name: 'kafka', status: 'ok', partitions: 12 });
  });
});
