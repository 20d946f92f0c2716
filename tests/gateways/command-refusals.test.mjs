// What every voice command answers alike, whatever it is: requests that name no command, too many of them, and a database
// that is away. The tables of the commands are beside this file.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isEnd, wrong } from '../lib/command.mjs';
import { DATABASES, sql } from '../lib/database.mjs';
import { Room } from '../lib/room.mjs';
import { until } from '../lib/wait.mjs';

/** Each command, and what is to be waited for behind its answer. */
const ALL = [
  [{ command: 'get_leads' }],
  [{ command: 'create_lead', parameters: { name: 'Ann', email: 'ann@example.com' } }],
  [{ command: 'search_leads', parameters: { query: 'ann' } }],
  [{ command: 'get_metrics' }],
  [{ command: 'start_backup' }, { isEnd }],
  [{ command: 'compliance_check' }, { isEnd }],
];

for (const database of DATABASES) {
  describe(`requests on ${database.name}`, () => {
    let room;
    before(async () => { room = await Room.open(database); });
    after(() => room?.close());

    const rows = [
      ...[['another one', 'make_coffee'], ['empty', ''], ['a blank', ' '], ['null', null], ['a number', 7], ['true', true], ['a list', ['get_leads']], ['an object', { name: 'get_leads' }],
        ['a member of every object', 'constructor'], ['the longest that fits', 'x'.repeat(10_000)]].map(([what, command]) => [`the command is ${what}`, { command, parameters: {} }]),
      ['there is no command', { parameters: {} }],
      ['there is nothing', {}],
      ['the command has another name', { Command: 'get_leads', name: 'get_leads' }],
    ];
    for (const [what, request] of rows) it(`Unknown command: ${what}`, () => room.fails(request, 'Unknown command'));

    const details = [wrong('request', 'an object with a command')];
    for (const [what, request] of [['null', null], ['a text', 'get_leads'], ['a number', 7], ['false', false], ['a list', [{ command: 'get_leads' }]]]) {
      it(`Invalid parameters: the request is ${what}`, () => room.fails(request, 'Invalid parameters', { details }));
    }

    it('Access denied: another tenant, whatever the command', () => room.fails({ command: 'make_coffee', tenantId: 'rival' }, 'Access denied'));

    it('a request without an acknowledgement is answered by the event alone', async () => {
      const { response, before: heard } = await room.caller.command('make_coffee');
      assert.equal(response.error, 'Unknown command');
      assert.deepEqual(heard, []);
    });

    it('Service unavailable: the database cannot say whether the key is still good, of which everybody is told once', async () => {
      const clients = [room.caller, room.colleague, room.leadless, room.stranger];
      const told = () => clients.map(({ events }) => events.filter(({ name }) => name === 'integration_event').map(({ data }) => [data.type, data.tenantId, data.data]));
      sql(room.server, 'ALTER TABLE tenant_key RENAME TO tenant_key_away');
      try {
        await until(() => told().every((events) => events.length > 0), 5_000, 'word of the outage');
        for (const [message] of ALL) await room.fails(message, 'Service unavailable');
      } finally {
        sql(room.server, 'ALTER TABLE tenant_key_away RENAME TO tenant_key');
      }
      const outage = { operation: 'store', service: 'database', error: 'the database does not answer', retryable: true };
      assert.deepEqual(told(), ['acme', 'acme', 'acme', 'rival'].map((tenant) => [['EXTERNAL_SERVICE_ERROR', tenant, outage]]));
      for (const [message, options] of ALL) {
        assert.equal((await room.ask(message, options)).answer.success, true, message.command);
      }
    });
  });

  describe(`too many commands on ${database.name}`, () => {
    let room;
    before(async () => {
      room = await Room.open(database, { TIDINGS__LIMITS__COMMANDS_PER_TENANT_PER_SECOND: '1', TIDINGS__LIMITS__COMMANDS_PER_TENANT_BURST: '2' });
    });
    after(() => room?.close());

    for (const [message, options] of ALL) {
      it(`Rate limited: ${message.command}`, async () => {
        // One that is carried out is the first of the next second: the one behind it is too many.
        const asked = await until(async () => {
          const next = await room.ask(message, options);
          return !next.answer.success && next;
        }, 10_000, 'the end of the rate');
        room.assertFailed(asked, message, 'Rate limited');
      });
    }

    it('what would be refused anyway is told why, and another tenant has its own rate', async () => {
      await room.fails({ command: 'get_leads', parameters: { limit: 0 } }, 'Invalid parameters', { details: [wrong('limit', 'an integer from 1 to 100')] });
      await room.fails({ command: 'get_leads', tenantId: 'rival' }, 'Access denied');
      assert.equal((await room.stranger.command('get_leads')).response.success, true);
    });
  });
}
