import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { ROOT, run } from './process.mjs';

const POSTGRES = path.join(ROOT, 'target/services/postgres.url');

/** Both databases that the store runs on: `{name, env()}`, the environment of a server with a database of its own. */
export const DATABASES = [
  { name: 'SQLite', env: () => ({}) },
  { name: 'PostgreSQL', env: postgres },
];

function postgres() {
  if (!existsSync(POSTGRES)) throw new Error('no PostgreSQL: run `scripts/services start postgres`');
  const url = readFileSync(POSTGRES, 'utf8');
  const schema = `test_${randomUUID().replaceAll('-', '')}`;
  run('psql', [url, '--quiet', '--command', `CREATE SCHEMA ${schema}`]);
  return { TIDINGS__STORE__URL: `${url}?options=-csearch_path%3D${schema}`, TIDINGS__STORE__MIGRATE: 'true' };
}
