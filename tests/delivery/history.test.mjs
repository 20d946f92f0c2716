// What `history.mjs` has to notice, so that `executions.test.mjs` may trust it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from './history.mjs';

const overall = (more = {}) => ({ execution_id: 'e', status: 'running', progress_percentage: 0, completed_nodes: 0, total_nodes: 4, current_node: null, ...more });
const node = (id, status, message = null) => ({ execution_id: 'e', node_execution_id: id, node_id: id, node_name: id, status, message });
const update = (data) => ({ type: 'node_id' in data ? 'node_update' : 'execution_update', event: 'status_changed', data, timestamp: 'T' });
const stay = (shown, live, more = {}) => ({ execution: 'e', shown: shown.map(update), live: live.map((data) => JSON.stringify(update(data))), isLive: true, ...more });
const answered = (data, status = 200) => ({
  report: { execution: 'e', node: data.node_id, body: { status: data.status } }, status, json: status === 200 ? { id: 'e', ...data } : { code: 'illegal_transition' },
});

const begun = overall({ current_node: 'a' });
const half = overall({ current_node: 'a', completed_nodes: 1, progress_percentage: 25 });
const ended = { ...half, status: 'completed', progress_percentage: 100 };
const LIVE = [node('a', 'running'), begun, node('a', 'running', 'Step'), node('a', 'completed'), half, node('b', 'failed'), ended];
const ANSWERS = [...LIVE.filter((data) => data.node_id), ended, ended].map((data) => answered(data));
const history = (live = LIVE, answers = ANSWERS) => new History(stay([overall()], live), answers);
const found = (...parameters) => history(...parameters).wrongs.join('; ');
const without = (n) => LIVE.filter((_, at) => at !== n);
const judged = (shown, live, { goesOn = true, ...more } = {}) => history().judge(stay(shown, live, more), goesOn);

describe('the judge of histories', () => {
  it('accepts a run without fault, and reports that came too late', () => {
    assert.equal(found(), '');
    assert.equal(found(LIVE, [...ANSWERS, ANSWERS[0], answered(node('a', 'running'), 409), answered(node('b', 'completed'), 409), answered(overall(), 409)]), '');
  });
  it('sees a change that was told to nobody', () => assert.match(found(without(2)), /"message":"Step"} was answered, and not told/));
  it('sees an end that was told to nobody', () => assert.match(found(without(6)), /"completed",.* was answered, and not told/));
  it('sees an update that does not follow', () => assert.match(found(without(4)), /instead of .*"progress_percentage":25/));
  it('sees one that is missing at the end', () => assert.match(found(LIVE.slice(0, 4), ANSWERS.slice(0, 3)), /is missing at the end/));
  it('sees what was told twice', () => assert.match(found([...LIVE.slice(0, 4), LIVE[3], ...LIVE.slice(4)]), /instead of|told twice/));
  it('sees what nobody reported', () => assert.match(found(LIVE, ANSWERS.filter(({ json }) => json.node_id !== 'b')), /was told, and not answered/));
  it('sees a way back', () => assert.match(found([...LIVE, node('a', 'running', 'Again')]), /"Again"} behind .*"completed"/));
  it('sees a wrong progress', () => assert.match(found(LIVE.map((data) => (data === half ? { ...half, progress_percentage: 50 } : data))), /instead of/));
  it('sees a refusal without a reason', () => assert.match(found(LIVE, [...ANSWERS, answered(node('a', 'completed'), 409)]), /409 illegal_transition/));
  it('sees another answer', () => assert.match(found(LIVE, [...ANSWERS, answered(node('a', 'completed'), 503)]), /503 to/));

  it('accepts a stay from anywhere on', () => {
    assert.equal(judged([overall()], LIVE), null);
    assert.equal(judged([begun, node('a', 'running')], LIVE.slice(2)), null);
    assert.equal(judged([ended, node('a', 'completed'), node('b', 'failed')], []), null);
    assert.equal(judged([begun, node('a', 'running')], LIVE.slice(2, 4), { goesOn: false }), null);
  });
  it('sees a gap behind the state', () => assert.match(judged([begun, node('a', 'running')], LIVE.slice(3)), /instead of/));
  it('sees what is in the state once more', () => assert.match(judged([begun, node('a', 'running')], LIVE.slice(1)), /instead of/));
  it('sees a gap later on', () => assert.match(judged([overall()], without(5)), /instead of/));
  it('sees that something is missing at the end', () => assert.match(judged([overall()], LIVE.slice(0, 6)), /6 updates of 7/));
  it('sees a state that never was', () => assert.match(judged([half, node('a', 'running')], []), /never was in/));
  it('sees a state in the middle of a report', () => assert.match(judged([begun, node('a', 'completed')], LIVE.slice(4)), /in the middle of a report/));
  it('sees a state out of order', () => assert.match(judged([ended, node('b', 'failed'), node('a', 'completed')], []), /by their ids/));
  it('sees what is missing between a stay and the next', () => {
    const before = { ...stay([overall()], LIVE.slice(0, 2)), end: 2 };
    assert.equal(judged([begun, node('a', 'running')], LIVE.slice(2), { before }), null);
    assert.match(judged([half, node('a', 'completed')], LIVE.slice(5), { before }), /shown again behind 5 updates, of which it had got 2/);
  });
});
