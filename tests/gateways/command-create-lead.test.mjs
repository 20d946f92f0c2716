// The voice command `create_lead`, by table.
import assert from 'node:assert/strict';
import { each, missing, NO_TEXTS, testCommand, wrong } from '../lib/command.mjs';

const NAME = 'a text of 1 to 200 characters';
const EMAIL = 'an email address';
const COMPANY = 'a text of at most 200 characters';
const PHONE = 'a phone number of 5 to 15 digits';
const NOTES = 'a text of at most 10000 characters';
const ANN = { name: 'Ann', email: 'ann@example.com' };
const JOHN = { name: 'John Doe', email: 'john@example.com', company: 'Acme Corp', phone: '+45 12 34 56 78', notes: 'Interested\nin our services' };

/** A lead of this payload: answered, told to the room, and there. */
const creates = (payload) => async (room, { leadId, lead }) => {
  assert.match(leadId, /^lead_[0-9a-f-]{36}$/);
  const { json: stored } = await room.http('GET', `/leads/${leadId}`);
  const message = 'Lead created';
  const expected = { id: leadId, tenantId: 'acme', source: 'voice', status: 'NEW', payload, createdAt: lead.createdAt, updatedAt: lead.createdAt };
  assert.deepEqual(stored, expected);
  return {
    data: { leadId, lead: expected, message },
    accepted: payload,
    summary: { leadId, message },
    published: [{ name: 'lead_event', type: 'LEAD_CREATED', source: 'voice', data: { status: 'NEW', source: 'voice', payload }, leadId }],
  };
};
const good = (what, parameters, payload = parameters) => [what, parameters, creates(payload)];
const wide = (count) => 'ø'.repeat(count);

testCommand('create_lead', {
  permission: 'leads:write',
  table: 'lead',
  successes: [
    good('a name and an address', ANN),
    good('the same once more is another lead', ANN),
    good('all there is', JOHN),
    good('in another order, with white space around it and more members', { ...ANN, id: 'x', status: 'LOST', notes: '', phone: ' ', company: ' Acme ', email: ' ann@example.com ', name: '\tAnn ' }, { ...ANN, company: 'Acme' }),
    good('null for what may be absent', { ...ANN, company: null, phone: null, notes: null }, ANN),
    good('the longest name', { ...ANN, name: wide(200) }),
    good('the longest company', { ...ANN, company: wide(200) }),
    good('the longest notes, of many lines', { ...ANN, notes: `\r\n\t${wide(9_997)}` }),
    good('the longest address', { ...ANN, email: `${'a'.repeat(64)}@${'b.'.repeat(93)}ccc` }),
    good('an address with signs', { ...ANN, email: "o'neil+tag.x_y@bücher.example" }),
    good('the shortest number', { ...ANN, phone: '12345' }),
    good('the longest number', { ...ANN, phone: '+(12) 345-678.901/2345' }),
    good('markup and quotes as they are', { ...ANN, name: '<b>"Ann"</b> \\ \'; DROP TABLE lead; --' }),
  ],
  failures: [
    ['nothing', {}, [missing('name', NAME), missing('email', EMAIL)]],
    ['no parameters', undefined, [missing('name', NAME), missing('email', EMAIL)]],
    ['null as parameters', null, [missing('name', NAME), missing('email', EMAIL)]],
    ['name: absent', { email: ANN.email }, [missing('name', NAME)]],
    ['name: null', { ...ANN, name: null }, [missing('name', NAME)]],
    ...each('name', NAME, [['empty', ''], ['blank', ' \t '], ['too long', wide(201)], ['too long with its white space', `${wide(200)} `], ['two lines', 'A\nB'], ['a zero', 'A\0'], ...NO_TEXTS], ANN),
    ['email: absent', { name: 'Ann' }, [missing('email', EMAIL)]],
    ['email: null', { ...ANN, email: null }, [missing('email', EMAIL)]],
    ...each('email', EMAIL, [
      ['empty', ''], ['no host', 'ann'], ['an empty host', 'ann@'], ['no name', '@example.com'], ['a host without a dot', 'ann@example'], ['two of them', 'a@b@example.com'],
      ['a blank in it', 'an n@example.com'], ['in angle brackets', '<ann@example.com>'], ['two dots', 'a..b@example.com'], ['a host with an empty part', 'ann@example..com'],
      ['too long a name', `${'a'.repeat(65)}@example.com`], ['too long', `${'a'.repeat(64)}@${'b.'.repeat(93)}cccc`], ...NO_TEXTS,
    ], ANN),
    ...each('company', COMPANY, [['too long', wide(201)], ['two lines', 'A\nB'], ...NO_TEXTS], ANN),
    ...each('phone', PHONE, [
      ['too short', '1234'], ['too long', '1234567890123456'], ['words', 'call me'], ['a letter in it', '12345x'], ['a sign in the middle', '12+345'],
      ['too many blanks', `12345${' '.repeat(36)}`], ['Arabic digits', '١٢٣٤٥٦'], ...NO_TEXTS,
    ], ANN),
    ...each('notes', NOTES, [['too long', wide(10_001)], ['a zero', 'a\0b'], ...NO_TEXTS], ANN),
    ['all of them at once', { notes: 7, phone: 'no', company: [], email: 'nowhere', name: '' },
      [wrong('name', NAME), wrong('email', EMAIL), wrong('company', COMPANY), wrong('phone', PHONE), wrong('notes', NOTES)]],
    ['one that is not there and one that is wrong', { name: 'Ann', phone: {} }, [missing('email', EMAIL), wrong('phone', PHONE)]],
  ],
});
