// The voice command `get_leads`, by table.
import { each, NO_TEXTS, testCommand, wrong } from '../lib/command.mjs';

const STATUS = 'one of NEW, CONTACTED, QUALIFIED, LOST';
const LIMIT = 'an integer from 1 to 100';
const SOURCE = 'a text of 1 to 64 characters without control characters';
const LONGEST_SOURCE = 'ø'.repeat(64);

/** 101 leads, newest first: of four sources, the status of every tenth changed. */
async function prepare(room) {
  room.leads = [];
  const sources = ['website', 'fair', 'website', LONGEST_SOURCE];
  for (let n = 0; n < 101; n += 1) {
    let lead = await room.lead(sources[n % 4], { name: `Lead ${n}`, email: `lead-${n}@example.com`, n });
    const status = n % 10 === 0 && ['CONTACTED', 'LOST', 'QUALIFIED'][n / 10 % 3];
    if (status) lead = (await room.http('PATCH', `/leads/${lead.id}/status`, { status })).json;
    room.leads.unshift(lead);
  }
}

/** The newest `limit` of those that match, the count of all of them, and what was accepted. */
const finds = (limit, matches = () => true, accepted) => ({ leads }) => {
  const found = leads.filter(matches);
  const [total, count] = [found.length, Math.min(limit, found.length)];
  const message = `Found ${total} ${total === 1 ? 'lead' : 'leads'}`;
  return { data: { leads: found.slice(0, limit), total, message }, summary: { count, total, message }, accepted };
};
const from = (source) => (lead) => lead.source === source;
const is = (status) => (lead) => lead.status === status;

testCommand('get_leads', {
  permission: 'leads:read',
  table: 'lead',
  prepare,
  successes: [
    ['the ten newest', {}, finds(10)],
    ['no parameters', undefined, finds(10, undefined, {})],
    ['null as parameters', null, finds(10, undefined, {})],
    ['null as each parameter', { status: null, limit: null, source: null }, finds(10, undefined, {})],
    ['members that are not known', { limit: 2, tenantId: 'rival', offset: 5 }, finds(2, undefined, { limit: 2 })],
    ['limit: the least', { limit: 1 }, finds(1)],
    ['limit: the most', { limit: 100 }, finds(100)],
    ...['NEW', 'CONTACTED', 'QUALIFIED', 'LOST'].map((status) => [`status: ${status}`, { status }, finds(10, is(status))]),
    ['status: in small letters', { status: 'lost', limit: 3 }, finds(3, is('LOST'), { status: 'LOST', limit: 3 })],
    ['status: in mixed letters', { status: 'cOntacted' }, finds(10, is('CONTACTED'), { status: 'CONTACTED' })],
    ['source', { source: 'fair', limit: 100 }, finds(100, from('fair'), { limit: 100, source: 'fair' })],
    ['source: the longest', { source: LONGEST_SOURCE }, finds(10, from(LONGEST_SOURCE))],
    ['source: no lead is of it', { source: 'Fair' }, finds(10, () => false)],
    ['all of them', { status: 'LOST', limit: 5, source: 'website' }, finds(5, (lead) => is('LOST')(lead) && from('website')(lead))],
  ],
  failures: [
    ...each('status', STATUS, [['a word that is none', 'HOT'], ['empty', ''], ['blanks around it', ' NEW '], ['two of them', 'NEW,LOST'], ...NO_TEXTS]),
    ...each('limit', LIMIT, [
      ['too small', 0], ['too great', 101], ['negative', -1], ['beyond 32 bits', 2 ** 32 + 1], ['a fraction', 1.5], ['with an exponent', 1e300],
      ['a text', '5'], ['empty', ''], ['true', true], ['a list', [5]], ['an object', {}],
    ]),
    ...each('source', SOURCE, [['empty', ''], ['too long', `${LONGEST_SOURCE}x`], ['a line break', 'web\nsite'], ['a zero', '\0'], ...NO_TEXTS]),
    ['all of them at once', { source: '', limit: 0, status: 'OLD' }, [wrong('status', STATUS), wrong('limit', LIMIT), wrong('source', SOURCE)]],
    ['two of them, the third is good', { source: 7, limit: 5, status: 7 }, [wrong('status', STATUS), wrong('source', SOURCE)]],
  ],
  breaks: [['Internal error', 'what is stored is no lead', { limit: 1, source: 'website' }, () => ["UPDATE lead SET payload = 'x' || payload", 'UPDATE lead SET payload = substr(payload, 2)']]],
});
