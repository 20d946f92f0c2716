// Random Socket.IO sessions, the same against the npm server and the example `socketio_echo`: the answers are the same.
// SESSIONS says how many (default 300), SEED where they begin; one session alone: SESSIONS=1 SEED=its seed.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startExample, startOnPort } from '../lib/example.mjs';
import { generate } from './generate.mjs';
import { minimise } from './minimise.mjs';
import { normalise } from './normalise.mjs';
import { play } from './play.mjs';

const SESSIONS = Number(process.env.SESSIONS ?? 300);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const AT_ONCE = 12;
const FAILURES_MAX = 3;
/** How long a failing session is made smaller. */
const MINIMISE_MS = 20_000;
/** No session lives long enough for a ping: those are the conformance suite's. */
const TIMES = { PING_INTERVAL_MS: '60000', PING_TIMEOUT_MS: '60000', CONNECT_TIMEOUT_MS: '60000' };

let ours;
let reference;
before(async () => {
  ours = await startExample('socketio_echo', TIMES);
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'reference.mjs');
  reference = await startOnPort('the reference server', process.execPath, [script], TIMES);
});
after(() => Promise.all([ours?.stop(), reference?.stop()]));

/** Both transcripts, in the form that is compared. */
const both = async (session) => (await Promise.all([play(session, reference.port), play(session, ours.port)])).map(normalise);

async function differs(session) {
  const [expected, actual] = await both(session);
  return JSON.stringify(expected) !== JSON.stringify(actual) || expected.some((entry) => entry.failed);
}

it(`${SESSIONS} random sessions have the same answers`, { timeout: 150_000 + SESSIONS * 200 }, async (t) => {
  t.diagnostic(`SEED=${SEED}`);
  const failures = [];
  let next = 0;
  const worker = async () => {
    while (next < SESSIONS && failures.length < FAILURES_MAX) {
      const session = generate(SEED + next++);
      if (await differs(session)) failures.push(session);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  t.diagnostic(`${next} sessions played`);
  const reports = [];
  for (const session of failures) reports.push(await report(session));
  assert.equal(reports.length, 0, reports.join('\n\n'));
  assert.equal(next, SESSIONS);
});

async function report(session) {
  const smallest = await minimise(session, differs, MINIMISE_MS);
  const [expected, actual] = await both(smallest);
  const lines = (transcript) => transcript.map((entry) => `    ${JSON.stringify(entry)}`).join('\n');
  return `SEED=${session.seed}, ${smallest.transport}, ${smallest.steps.length} of ${session.steps.length} steps:\n${smallest.steps.map((step) => `    ${JSON.stringify(step)}`).join('\n')}\n  reference:\n${lines(expected)}\n  tidings:\n${lines(actual)}`;
}
