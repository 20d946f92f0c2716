// Counts the verdicts of an Autobahn report and fails unless all cases ran and all are good.
//
//   node judge.mjs REPORTS/index.json CASES
//
// NON-STRICT is good in 6.4.* alone: there it says that invalid UTF-8 was refused later than at the first byte that shows it.
import { readFileSync } from 'node:fs';

const [file, expected] = process.argv.slice(2);
const cases = Object.entries(Object.values(JSON.parse(readFileSync(file, 'utf8')))[0]);
const counts = new Map();
const bad = [];
for (const [id, { behavior, behaviorClose }] of cases) {
  counts.set(behavior, (counts.get(behavior) ?? 0) + 1);
  const good = (verdict) => ['OK', 'INFORMATIONAL'].includes(verdict) || (verdict === 'NON-STRICT' && id.startsWith('6.4.'));
  if (!good(behavior) || !good(behaviorClose)) bad.push(`${id}: ${behavior}, close ${behaviorClose}`);
}
console.log(`${cases.length} cases: ${[...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')}`);
bad.forEach((line) => console.log(line));
if (cases.length !== Number(expected)) console.log(`${expected} cases were expected`);
process.exit(bad.length === 0 && cases.length === Number(expected) ? 0 : 1);
