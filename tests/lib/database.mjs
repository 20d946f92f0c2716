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
  return { TIDINGS__STORE__URL: new PostgresSchema().url, TIDINGS__STORE__MIGRATE: 'true' };
}

/** A schema of its own in the PostgreSQL of the tests: somebody's whole database. */
export class PostgresSchema {
  #server;

  constructor() {
    if (!existsSync(POSTGRES)) throw new Error('no PostgreSQL: run `scripts/services start postgres`');
    this.#server = readFileSync(POSTGRES, 'utf8');
    this.name = `test_${randomUUID().replaceAll('-', '')}`;
    run('psql', [this.#server, '--quiet', '--command', `CREATE SCHEMA ${this.name}`]);
  }

  get port() { return Number(new URL(this.#server).port); }

  get url() { return this.urlBy(this.port); }

  /** Its address by way of another port. */
  urlBy(port) {
    const url = new URL(this.#server);
    url.port = port;
    return `${url}?options=-csearch_path%3D${this.name}`;
  }

  execute(...statements) {
    run('psql', [this.url, '--quiet', '--set=ON_ERROR_STOP=1'], { input: `${statements.join(';\n')};` });
  }
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
