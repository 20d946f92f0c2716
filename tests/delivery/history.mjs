// What was told of an execution, from its beginning to its end, and what has to be true of it.
import { createHash } from 'node:crypto';

const RANKS = { pending: 0, running: 1 };
const rank = (status) => RANKS[status] ?? 2;
const mayFollow = (before, after) => before === after || rank(before) < rank(after);
const text = (value) => JSON.stringify(value);

/** An execution as it is known: the update that tells of it, and that of each node. */
class State {
  constructor(shown) {
    this.overall = shown.find(({ type }) => type === 'execution_update')?.data;
    this.nodes = new Map(shown.filter(({ type }) => type === 'node_update').map(({ data }) => [data.node_id, data]));
  }

  get digest() {
    const hash = createHash('sha1').update(text(this.overall));
    for (const id of [...this.nodes.keys()].sort()) hash.update(text(this.nodes.get(id)));
    return hash.digest('base64');
  }

  count(status) { return [...this.nodes.values()].filter((node) => node.status === status).length; }

  /** The execution as it must be behind an update of a node, by docs/reference/wire.md. */
  behind(node, hasStatusChanged) {
    const { status, completed_nodes: completed, total_nodes: total, progress_percentage: progress, current_node: current } = this.overall;
    const hasEnded = rank(status) === 2;
    const completed_nodes = Math.max(completed, this.count('completed'));
    const computed = Math.min(100, (completed_nodes + this.count('skipped')) * 100 / total);
    return {
      ...this.overall,
      progress_percentage: status === 'completed' ? 100 : Math.max(progress, computed),
      completed_nodes,
      current_node: hasStatusChanged && node.status === 'running' && !hasEnded ? node.node_id : current,
    };
  }
}

export const digestOf = (shown) => new State(shown).digest;

/**
 * All updates of an execution, as a member saw them that was there before the first one; `wrongs` says what is not as it
 * must be. `answers` are those to all reports on this execution, with the reports.
 */
export class History {
  wrongs = [];
  /** The number of updates behind which the execution is in this state. */
  #places = new Map();

  constructor(stay, answers) {
    this.execution = stay.execution;
    this.texts = stay.live;
    this.state = new State(stay.shown);
    this.#replay();
    this.#compare(answers);
  }

  #replay() {
    const { state } = this;
    this.ofNodes = [];
    this.ofExecution = [];
    this.views = new Set([text(state.overall)]);
    let due = null;
    this.#places.set(state.digest, { count: 0, isWhole: true });
    this.texts.forEach((frame, n) => {
      const { type, data } = JSON.parse(frame);
      if (due && (type !== 'execution_update' || text(data) !== due)) this.wrongs.push(`${frame} instead of ${due}`);
      if (type === 'node_update') {
        const before = state.nodes.get(data.node_id);
        if (before && (!mayFollow(before.status, data.status) || text(before) === text(data) || rank(before.status) === 2)) {
          this.wrongs.push(`${text(data)} behind ${text(before)}`);
        }
        state.nodes.set(data.node_id, data);
        this.ofNodes.push(text(data));
        const expected = text(state.behind(data, before?.status !== data.status));
        due = expected === text(state.overall) ? null : expected;
      } else {
        if (!due) {
          this.ofExecution.push(text(data));
          if (!mayFollow(state.overall.status, data.status) || text(state.overall) === text(data)) this.wrongs.push(`${frame} behind ${text(state.overall)}`);
        }
        due = null;
        state.overall = data;
        this.views.add(text(data));
      }
      this.#places.set(state.digest, { count: n + 1, isWhole: due === null });
    });
    if (due) this.wrongs.push(`${due} is missing at the end`);
    if (this.#places.size !== this.texts.length + 1) this.wrongs.push('an update changes nothing, or back');
  }

  /** Each change that a report was answered with was told once, and nothing else was told. */
  #compare(answers) {
    const [changed, seen] = [new Set(), new Set()];
    for (const { report: { node, body }, status, json } of answers) {
      const final = node ? this.state.nodes.get(node)?.status : this.state.overall.status;
      if (status === 409) {
        if (json.code !== 'illegal_transition' || !final || mayFollow(final, body.status)) this.wrongs.push(`409 ${json.code} to ${text({ node, body })}, which ended as ${final}`);
      } else if (status !== 200) this.wrongs.push(`${status} to ${text({ node, body })}`);
      else if (node) {
        const { execution_id, node_execution_id, node_id, node_name, status: reported, message } = json;
        changed.add(text({ execution_id, node_execution_id, node_id, node_name, status: reported, message }));
      } else {
        const { id, status: reported, progress_percentage, completed_nodes, total_nodes, current_node } = json;
        seen.add(text({ execution_id: id, status: reported, progress_percentage, completed_nodes, total_nodes, current_node }));
      }
    }
    const told = new Set(this.ofNodes);
    if (told.size !== this.ofNodes.length) this.wrongs.push('an update of a node was told twice');
    for (const change of changed) if (!told.has(change)) this.wrongs.push(`${change} was answered, and not told`);
    for (const change of told) if (!changed.has(change)) this.wrongs.push(`${change} was told, and not answered`);
    for (const view of seen) if (!this.views.has(view)) this.wrongs.push(`${view} was answered, and not told`);
    for (const view of this.ofExecution) if (!seen.has(view)) this.wrongs.push(`${view} was told, and not answered`);
  }

  /** What is wrong with a stay. One that goes on must have come as far as there was anything to tell. */
  judge(stay, goesOn) {
    const ids = stay.shown.slice(1).map(({ data }) => data.node_id);
    if (stay.shown[0]?.type !== 'execution_update' || ids.some((id, n) => n > 0 && id <= ids[n - 1])) return 'a state that is not one execution and its nodes by their ids';
    const place = this.#places.get(digestOf(stay.shown));
    if (!place) return 'a state that the execution never was in';
    if (!place.isWhole) return `a state in the middle of a report, behind ${place.count} updates`;
    const end = place.count + stay.live.length;
    for (let n = 0; n < stay.live.length; n += 1) {
      if (stay.live[n] !== this.texts[place.count + n]) return `behind the state of ${place.count} updates and ${n} more: ${stay.live[n]} instead of ${this.texts[place.count + n]}`;
    }
    if (goesOn && end !== this.texts.length) return `${end} updates of ${this.texts.length}`;
    if (stay.before && stay.before.end !== place.count) return `shown again behind ${place.count} updates, of which it had got ${stay.before.end}`;
    stay.end = end;
    return null;
  }
}
