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

/** Statements in a server's database, past the server, by somebody who sees every tenant. */
export function sql(server, ...statements) {
  const url = server.env.TIDINGS__STORE__URL;
  const text = `${statements.join(';\n')};`;
  if (url) run('psql', [url, '--quiet', '--set=ON_ERROR_STOP=1'], { input: `SET tidings.tenant = '*';\n${text}` });
  // The old way of renaming a table leaves what refers to it alone.
  else run('sqlite3', ['-bail', path.join(server.dataDir, 'tidings.db')], { input: `.timeout 5000\nPRAGMA legacy_alter_table = ON;\n${text}` });
}

/** A made id (`lead_…`, `job_…`) as its literal in a server's database. */
export function idLiteral(server, id) {
  const hex = id.slice(id.indexOf('_') + 1).replaceAll('-', '');
  return server.env.TIDINGS__STORE__URL ? `'\\x${hex}'` : `X'${hex}'`;
}
