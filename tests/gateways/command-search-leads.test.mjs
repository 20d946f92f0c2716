// The voice command `search_leads`, by table. How well a lead matches is the subject of the store's own tests.
import { each, missing, NO_TEXTS, testCommand, wrong } from '../lib/command.mjs';

const QUERY = 'a text of 1 to 200 characters';
const STATUS = 'one of NEW, CONTACTED, QUALIFIED, LOST';
const DATE_RANGE = 'today, week, month, year or {from?, to?} with dates or RFC 3339 timestamps';
const DAY_MS = 24 * 60 * 60 * 1000;
/** Newest first; the last one came ten days ago. */
const PEOPLE = [
  { name: 'Søren Kierkegaard', email: 'sk@either.example', company: 'Either Or', notes: 'likes irony' },
  { name: 'Regine Olsen', email: 'regine@example.com', phone: '+45 12 34 56 78', notes: 'knows Kierkegaard' },
  { name: 'Jürgen Müller', email: 'jm@example.com', company: 'Kierkegaard & Sons' },
  { name: 'Kierke Nobody', email: 'kn@example.com' },
  { name: 'Old Customer', email: 'old@example.com', notes: 'of last year' },
];

async function prepare(room) {
  const [old, ...people] = PEOPLE.toReversed();
  await room.import({ source: 'fair', status: 'NEW', createdAt: new Date(Date.now() - 10 * DAY_MS).toISOString(), payload: old });
  room.people = (await room.http('GET', '/leads')).json.data;
  for (const payload of people) room.people.unshift(await room.lead('fair', payload));
  room.people[3] = (await room.http('PATCH', `/leads/${room.people[3].id}/status`, { status: 'LOST' })).json;
}

/** Those of `people`, by number and in this order. */
const finds = (numbers, accepted) => ({ people }, { query }) => {
  const [total, count] = [numbers.length, numbers.length];
  const message = `Found ${total} matching ${total === 1 ? 'lead' : 'leads'}`;
  return { data: { leads: numbers.map((n) => people[n]), total, query, message }, summary: { count, total, message }, accepted };
};
const row = (query, numbers, more, accepted) => [`${query.slice(0, 20)} ${JSON.stringify(more ?? {})}`, { query, ...more }, finds(numbers, accepted && { query, ...accepted })];
const day = (offset) => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10);
const longest = 'ø'.repeat(200);

testCommand('search_leads', {
  permission: 'leads:read',
  table: 'lead',
  prepare,
  successes: [
    row('søren kierkegaard', [0]),
    row('soren kierkegaard', []),
    row('KIERKEGAARD', [0, 2, 1]),
    row('kierke', [3, 0, 2, 1]),
    row('ierkegaard', []),
    row('kierke nobody', [3]),
    row('irony either', [0]),
    row('muller', [2]),
    row('SK@either', [0]),
    row('34 56', [1]),
    row('example.com', [1, 2, 3, 4]),
    row('"*!', []),
    row(' ', []),
    row(longest, []),
    ...['" OR 1', 'kierk* NOT', "x'); --", 'name:kierke', 'a & !b'].map((query) => row(query, [])),
    row('kierke', [3, 0, 2, 1], { status: null, date_range: null, limit: 1 }, {}),
    row('kierke', [3], { status: 'LOST' }),
    row('kierke', [0, 2, 1], { status: 'new' }, { status: 'NEW' }),
    row('old', [4]),
    ...['today', 'week'].map((date_range) => row('old', [], { date_range })),
    ...['month', 'year'].map((date_range) => row('old', [4], { date_range })),
    row('kierke', [3, 0, 2, 1], { date_range: 'week' }),
    row('kierke', [3, 0, 2, 1], { date_range: {} }),
    row('old', [4], { date_range: { from: null, to: null, until: 'then' } }, { date_range: {} }),
    row('old', [], { date_range: { to: '2001-01-01T00:00:00Z' } }, { date_range: { to: '2001-01-01T00:00:00.000Z' } }),
    row('old', [4], { date_range: { from: '2001-01-01T01:00:00+01:00' } }, { date_range: { from: '2001-01-01T00:00:00.000Z' } }),
    row('old', [4], { date_range: { from: day(-11), to: day(-9) } }, { date_range: { from: `${day(-11)}T00:00:00.000Z`, to: `${day(-9)}T23:59:59.999Z` } }),
    row('old', [], { date_range: { from: day(-8), to: day(1) } }, { date_range: { from: `${day(-8)}T00:00:00.000Z`, to: `${day(1)}T23:59:59.999Z` } }),
  ],
  failures: [
    ['nothing', {}, [missing('query', QUERY)]],
    ['no parameters', undefined, [missing('query', QUERY)]],
    ['null as parameters', null, [missing('query', QUERY)]],
    ['query: null', { query: null }, [missing('query', QUERY)]],
    ...each('query', QUERY, [['empty', ''], ['too long', `${longest}x`], ...NO_TEXTS]),
    ...each('status', STATUS, [['a word that is none', 'HOT'], ['empty', ''], ...NO_TEXTS], { query: 'a' }),
    ...each('date_range', DATE_RANGE, [
      ['a word that is none', 'tomorrow'], ['a word in capitals', 'WEEK'], ['empty', ''], ['a date alone', '2026-02-07'], ['a number', 7], ['true', true], ['a list', ['2026-01-01']],
      ['from is a word', { from: 'soon' }], ['from is empty', { from: '' }], ['from is a number', { from: 7 }], ['from is a list', { from: [] }], ['from is no date of the calendar', { from: '2026-02-30' }],
      ['to has no zone', { to: '2026-02-07T12:00:00' }], ['to is an object', { from: '2026-02-07', to: {} }],
    ], { query: 'a' }),
    ['all of them at once', { date_range: 'ever', status: 1, query: '' }, [wrong('query', QUERY), wrong('status', STATUS), wrong('date_range', DATE_RANGE)]],
    ['one that is not there and one that is wrong', { status: [] }, [missing('query', QUERY), wrong('status', STATUS)]],
  ],
  breaks: [['Internal error', 'what is stored is no lead', { query: 'irony' }, () => ["UPDATE lead SET payload = 'x' || payload", 'UPDATE lead SET payload = substr(payload, 2)']]],
});
