// The voice command `get_metrics`, by table.
import { each, NO_TEXTS, testCommand, wrong } from '../lib/command.mjs';

const TYPE = 'one of leads, voice, events, connections, all';
const PERIOD = 'one of day, week, month, year, all';
const DAY_MS = 24 * 60 * 60 * 1000;
/** Days ago, status, how many of them. */
const LEADS = [[0, 'NEW', 3], [0, 'CONTACTED', 1], [3, 'QUALIFIED', 2], [20, 'LOST', 1], [200, 'NEW', 2], [800, 'LOST', 4]];
/** The leads of each period, counted. */
const COUNTS = {
  day: { total: 4, new: 3, contacted: 1, qualified: 0, lost: 0 },
  week: { total: 6, new: 3, contacted: 1, qualified: 2, lost: 0 },
  month: { total: 7, new: 3, contacted: 1, qualified: 2, lost: 1 },
  year: { total: 9, new: 5, contacted: 1, qualified: 2, lost: 1 },
  all: { total: 13, new: 5, contacted: 1, qualified: 2, lost: 5 },
};

const prepare = (room) => room.import(...LEADS.flatMap(([days, status, count]) => Array.from({ length: count }, () =>
  ({ source: 'import', status, createdAt: new Date(Date.now() - days * DAY_MS).toISOString(), payload: { phone: '+45 12345678' } }))));

const sum = (counts) => ({ total: Object.values(counts).reduce((all, count) => all + count, 0), ...counts });
/** What the room has heard and was answered before, and how many came; the command itself has begun. */
const happened = {
  voice: ({ before }) => sum({ failed: before.failed, succeeded: before.succeeded }),
  events: ({ before }) => sum({ integration_event: before.integration_event, voice_event: before.voice_event + 1 }),
  connections: ({ before }) => sum({ opened: before.opened }),
};

const counts = (type, period, accepted) => (room) => {
  const groups = Object.fromEntries(Object.entries(happened).map(([name, group]) => [name, group(room)]));
  const counted = { leads: COUNTS[period], ...groups, all: { ...COUNTS[period], ...groups } }[type];
  const message = `Metrics for ${type} over period ${period}`;
  return { data: { metrics: { type, period, ...counted }, message }, summary: { type, period, message }, accepted };
};

testCommand('get_metrics', {
  permission: 'metrics:read',
  table: 'lead_hour',
  prepare,
  successes: [
    ['the leads of a month', {}, counts('leads', 'month')],
    ['no parameters', undefined, counts('leads', 'month', {})],
    ['null as parameters', null, counts('leads', 'month', {})],
    ['null as each parameter, and members that are not known', { metric_type: null, period: null, tenantId: 'rival' }, counts('leads', 'month', {})],
    ...Object.keys(COUNTS).map((period) => [`leads, ${period}`, { period }, counts('leads', period)]),
    ...['leads', 'voice', 'events', 'connections', 'all'].map((type) => [type, { metric_type: type }, counts(type, 'month')]),
    ...['voice', 'events', 'connections', 'all'].flatMap((type) => ['day', 'all'].map((period) => [`${type}, ${period}`, { metric_type: type, period }, counts(type, period)])),
  ],
  failures: [
    ...each('metric_type', TYPE, [['a word that is none', 'weather'], ['empty', ''], ['in capitals', 'LEADS'], ['blanks around it', ' leads'], ...NO_TEXTS]),
    ...each('period', PERIOD, [['a word that is none', 'hour'], ['empty', ''], ['in capitals', 'MONTH'], ['a date', '2026-02-07'], ...NO_TEXTS]),
    ['both at once', { period: 'ever', metric_type: 7 }, [wrong('metric_type', TYPE), wrong('period', PERIOD)]],
    ['one of two', { period: [], metric_type: 'voice' }, [wrong('period', PERIOD)]],
  ],
  breaks: [['Internal error', 'a count that can be none', {}, () => ['UPDATE lead_hour SET count = -count', 'UPDATE lead_hour SET count = -count']]],
});
