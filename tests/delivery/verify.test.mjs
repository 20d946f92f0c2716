// The check itself must be able to fail: histories with one fault each.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verify } from './verify.mjs';

const ALWAYS = { joinRequested: 0, joinConfirmed: 1, leaveRequested: Infinity, leaveConfirmed: Infinity, from: 0, to: null };
const publishes = [1, 2, 3, 4].map((n) => ({ n, rooms: n === 4 ? ['s'] : ['r'], start: n * 10, end: n * 10 + 5 }));
const stayers = (stream) => [
  { name: 'a', stream, stays: [{ room: 'r', ...ALWAYS }, { room: 's', ...ALWAYS }] },
  { name: 'b', stream, stays: [{ room: 'r', ...ALWAYS }, { room: 's', ...ALWAYS }] },
];
const guest = (stream, stay) => ({ name: 'guest', stream, stays: [{ room: 'r', joinRequested: 12, joinConfirmed: 16, leaveRequested: 26, leaveConfirmed: 28, from: 0, to: null, ...stay }] });
const found = (members, more = publishes) => verify(more, members).violations.join('\n');

describe('the check of exact delivery', () => {
  it('accepts a run without fault', () => {
    assert.equal(found([...stayers([1, 2, 3, 4]), guest([2])]), '');
    assert.equal(found([...stayers([1, 2, 3, 4]), guest([1, 2])]), '', '1 overlaps the join');
    assert.equal(verify(publishes, stayers([1, 2, 3, 4])).counts.demanded, 8);
  });
  it('sees a duplicate', () => assert.match(found(stayers([1, 2, 2, 3, 4])), /got 2 twice/));
  it('sees a loss for one', () => assert.match(found([stayers([1, 2, 3, 4])[0], stayers([1, 3, 4])[1]]), /b saw another order|b lost 2/));
  it('sees a loss for all', () => assert.match(found(stayers([1, 2, 4])), /r lost 3 for all/));
  it('sees two orders', () => {
    const together = publishes.map((publish) => ({ ...publish, start: 10, end: 50 }));
    assert.match(found([stayers([1, 2, 3, 4])[0], stayers([2, 1, 3, 4])[1]], together), /b saw another order/);
  });
  it('sees an order against time', () => assert.match(found(stayers([2, 1, 3, 4])), /stands before one that was answered/));
  it('sees an event of a foreign room', () => assert.match(found([...stayers([1, 2, 3, 4]), guest([2, 4])]), /guest got 4 of s/));
  it('sees an event from before the join', () => assert.match(found([...stayers([1, 2, 3, 4]), guest([1, 2], { joinRequested: 17, joinConfirmed: 18 })]), /guest got 1/));
  it('sees an event from after the leave', () => assert.match(found([...stayers([1, 2, 3, 4]), guest([2, 3])]), /guest got 3/));
  it('sees an event outside the confirmations', () => assert.match(found([...stayers([1, 2, 3, 4]), guest([2], { to: 0 })]), /guest got 2/));
  it('sees a loss within a stay', () => assert.match(found([...stayers([1, 2, 3, 4]), guest([])]), /guest lost 2/));
  it('asks of who hung up no more than it has seen, and that whole', () => {
    const stay = { abrupt: true, joinRequested: 6, joinConfirmed: 7, leaveRequested: 40, leaveConfirmed: Infinity };
    assert.equal(found([...stayers([1, 2, 3, 4]), guest([1, 2], stay)]), '');
    assert.match(found([...stayers([1, 2, 3, 4]), guest([2, 3], stay)]), /guest lost 1/);
  });
  it('sees a hole', () => {
    const together = publishes.map((publish) => ({ ...publish, start: 14, end: 27 }));
    assert.match(found([...stayers([1, 2, 3, 4]), guest([1, 3])], together), /guest did not see one piece/);
  });
  it('sees a room without witnesses', () => assert.match(found([stayers([1, 2, 3, 4])[0]]), /order is not checked/));
});
