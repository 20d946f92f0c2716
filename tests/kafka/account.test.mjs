// The check of a recorded run finds what it should, and nothing where nothing is wrong.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { verify } from './account.mjs';

const UNCOMMITTED_AGE_MS = 3_000;
/** One partition, whose even records are ann's and odd ones bob's; one is accepted each 100 ms. */
const records = Array.from({ length: 100 }, (_, n) => ({ partition: 0, offset: n, user: n % 2 ? 'bob' : 'ann', n }));
const acceptedAt = (n, life = 0) => 1_000 + life * 100_000 + n * 100;

/** What users got, as `[life, n, n, …]` rows. */
function crowdOf(streams, welcomedAt = {}) {
  const stream = (user) => (streams[user] ?? []).flatMap(([life, ...numbers]) => numbers.map((n) => ({ life, n, acceptedAt: acceptedAt(n, life) })));
  return { users: ['ann', 'bob'], stream, welcomedAt: (user) => welcomedAt[user] ?? 0 };
}
const range = (from, to, step = 2) => Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step);
const without = (numbers, ...left) => numbers.filter((n) => !left.includes(n));
const life = (from, to, more = {}) => ({ from: [from], to: [to], endedAt: Infinity, watched: [], ...more });
const check = (streams, lives, welcomedAt) => verify({ records, crowd: crowdOf(streams, welcomedAt), lives, uncommittedAge_ms: UNCOMMITTED_AGE_MS });
const whole = { ann: [[0, ...range(0, 100)]], bob: [[0, ...range(1, 100)]] };
const firstOnly = { ann: [[0, ...range(0, 98)]], bob: [[0, ...range(1, 98)]] };
const [killedAt60, next] = [life(0, 50, { endedAt: acceptedAt(59) + 50 }), life(50, 100)];
const twoLives = (again = 50) => ({ ann: [[0, ...range(0, 60)], [1, ...range(again, 100)]], bob: [[0, ...range(1, 60)], [1, ...range(again + 1, 100)]] });

for (const [what, streams, lives, violation, welcomedAt] of [
  ['all is delivered', whole, [life(0, 100)]],
  ['one is missing', { ...whole, ann: [[0, ...without(whole.ann[0].slice(1), 40)]] }, [life(0, 100)], /ann did not get 40/],
  ['the last are missing, and committed long before the end', firstOnly,
    [life(0, 100, { endedAt: 20_000, watched: [{ at: 15_000, committed: [100] }] })], /ann did not get 98/],
  ['the last are missing, and committed just before the end', firstOnly,
    [life(0, 100, { endedAt: 15_900, watched: [{ at: 15_000, committed: [100] }] })]],
  ['the first are missing to one who came later', { ...whole, ann: [[0, ...range(20, 100)]] }, [life(0, 100)], undefined, { ann: acceptedAt(19) }],
  ['one is missing to one who was there by then', { ...whole, ann: [[0, ...range(22, 100)]] }, [life(0, 100)], /ann did not get 20/, { ann: acceptedAt(19) }],
  ['one comes twice', { ...whole, ann: [[0, 0, 2, 2, ...range(4, 100)]] }, [life(0, 100)], /ann got 2 twice/],
  ['two are exchanged', { ...whole, ann: [[0, 2, 0, ...range(4, 100)]] }, [life(0, 100)], /ann got 0 twice, or behind a later one/],
  ["one gets another's", { ...whole, bob: [[0, 0, ...range(1, 100)]] }, [life(0, 100)], /bob got 0, which is ann's/],
  ['what was not committed comes again', twoLives(), [killedAt60, next]],
  ['what was committed comes again', twoLives(48), [killedAt60, next], /48 of partition 0 was delivered, which was committed before/],
  ['what comes again had been accepted long before', twoLives(20), [life(0, 20, { endedAt: killedAt60.endedAt }), life(20, 100)], /ann got 20 again, accepted 3950 ms before the end of life 0/],
]) {
  it(`${what}: ${violation ?? 'nothing is wrong'}`, () => {
    const { violations } = check(streams, lives, welcomedAt);
    if (violation) assert.match(violations.join('\n'), violation);
    else assert.deepEqual(violations, []);
  });
}

it('counts what comes again, and what may', () => {
  const { counts } = check(twoLives(), [killedAt60, next]);
  assert.deepEqual(counts.map(({ accepted, delivered, unseen, repeats, repeatsMax }) => [accepted, delivered, unseen, repeats, repeatsMax]), [[60, 60, 0, 0, 0], [50, 50, 0, 10, 10]]);
});
