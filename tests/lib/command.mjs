import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { DATABASES, idLiteral, sql } from './database.mjs';
import { PERMISSIONS, Room } from './room.mjs';

/** What an answer says of a parameter that is wrong, or not there. */
export const wrong = (parameter, expected) => ({ parameter, expected, message: `${parameter} must be ${expected}` });
export const missing = (parameter, expected) => ({ parameter, expected, message: `${parameter} is required` });

/** A value of every kind that is no text, by name. */
export const NO_TEXTS = [['a number', 7], ['true', true], ['a list', ['NEW']], ['an object', { text: 'NEW' }]];

/** Rows of failures: what, the parameters, the details. Each value of `values` for one parameter, the others being good. */
export const each = (parameter, expected, values, good = {}) =>
  values.map(([what, value]) => [`${parameter}: ${what}`, { ...good, [parameter]: value }, [wrong(parameter, expected)]]);

/** Whether an event ends what a command began. */
export const isEnd = ({ type }) => type === 'SYNC_COMPLETED' || type === 'EXTERNAL_SERVICE_ERROR';

/** A row of `breaks`: as many jobs of this kind as a tenant may have are in somebody's hands. */
export const tooMany = (kind) => ['Rate limited', '16 are unfinished', {}, ({ server }) => [
  Array.from({ length: 16 }, () => `INSERT INTO job (id, tenant_id, kind, priority, parameters, actor, status, attempts, held_until, requested_at)
    VALUES (${idLiteral(server, `job_${randomUUID()}`)}, 'acme', '${kind}', 1, '{}', 'nobody', 'running', 1, ${Date.now() + 3_600_000}, ${Date.now()})`).join(';'),
  "DELETE FROM job WHERE actor = 'nobody'",
]];

/**
 * The table of one command, on both databases.
 *
 * - `permission`: the one that suffices.
 * - `prepare`: what is there before, put into the room.
 * - `successes`: `[what, parameters, expect]`, see `Room.succeeds`; the first is also what the rows of permissions and tenants send.
 * - `failures`: `[what, parameters, details]`.
 * - `table`: without this one of the database's tables, the command cannot be carried out.
 * - `breaks`: `[error, what, parameters, statements]`, more of what makes it fail in the middle: the room's `[spoil, mend]`.
 * - `isEnd`: of what the room hears behind the answer, whether it is the last.
 */
export function testCommand(command, { permission, prepare, successes, failures, table, breaks = [], isEnd }) {
  for (const database of DATABASES) {
    describe(`${command} on ${database.name}`, () => {
      let room;
      before(async () => {
        room = await Room.open(database);
        await prepare?.(room);
      });
      after(() => room?.close());

      const [, usual, expectUsual] = successes[0];
      const request = (parameters, more) => ({ command, parameters, ...more });
      const succeeds = (message, options) => room.succeeds(message, expectUsual, { isEnd, ...options });
      const denied = (message, options) => room.fails(message, 'Access denied', options);

      for (const [what, parameters, expect] of successes) {
        it(what, () => room.succeeds(request(parameters), expect, { isEnd }));
      }

      const whole = [wrong('parameters', 'an object')];
      for (const [what, parameters, details] of [
        ...failures,
        ['a list as parameters', [], whole], ['a text as parameters', 'all', whole],
        ['a number as parameters', 0, whole], ['false as parameters', false, whole],
      ]) {
        it(`Invalid parameters: ${what}`, () => room.fails(request(parameters), 'Invalid parameters', { details }));
      }

      const others = PERMISSIONS.filter((name) => name !== permission);
      for (const permissions of [...others.map((name) => [name]), others]) {
        it(`Access denied: with ${permissions.join(' and ')} alone, whatever the parameters`, async () => {
          const as = await room.client({ permissions });
          await denied(request(usual), { as });
          await denied(request([]), { as });
        });
      }
      it(`with ${permission} alone`, async () => {
        const as = await room.client({ permissions: [permission] });
        await succeeds(request(usual), { as });
      });

      for (const [what, tenantId] of [
        ["another one's id", 'rival'], ["another one's slug", 'rival-as-slug'], ['nobody\'s id', 'nobody'], ['the own id in capitals', 'ACME'],
        ['an empty text', ''], ['a number', 1], ['a list with the own id', ['acme']], ['an object', {}], ['false', false],
      ]) {
        it(`Access denied: ${what} as tenantId`, () => denied(request(usual, { tenantId })));
      }
      for (const [what, tenantId] of [['the own id', 'acme'], ['the own slug', 'acme-as-slug'], ['null', null]]) {
        it(`${what} as tenantId`, () => succeeds(request(usual, { tenantId })));
      }

      for (const name of [command.toUpperCase(), ` ${command}`, `${command}\0`, command.replace('_', '-')]) {
        it(`Unknown command: ${JSON.stringify(name)}`, () => room.fails({ command: name, parameters: usual }, 'Unknown command'));
      }

      const away = [`ALTER TABLE ${table} RENAME TO ${table}_away`, `ALTER TABLE ${table}_away RENAME TO ${table}`];
      for (const [error, what, parameters, statements] of [['Service unavailable', `no ${table} in the database`, usual, () => away], ...breaks]) {
        it(`${error}: ${what}`, async () => {
          const [spoil, mend] = statements(room);
          sql(room.server, spoil);
          try {
            await room.breaks(request(parameters), error);
          } finally {
            sql(room.server, mend);
          }
          await succeeds(request(usual));
        });
      }
    });
  }
}
