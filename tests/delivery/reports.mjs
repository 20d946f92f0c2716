// What eight reporters tell of many executions: in an order of chance, twice, late, and against each other.

const RUN = 1; // all times are parts of the run
const NODE_ENDS = [...Array(17).fill('completed'), 'failed', 'skipped', 'cancelled'];
const EXECUTION_ENDS = [...Array(8).fill('completed'), 'failed', 'cancelled'];

/**
 * The reports of each reporter, in its order: `{execution, node, body}`, without `node` on the execution itself. A message
 * that another report on the same status may follow is told once, so that whatever is told is told of one change.
 */
export function plans({ executions, nodes, reporters, random }) {
  const chance = (part) => random.below(1_000) < part * 1_000;
  const span = (length) => random.below(1_000_000) / 1_000_000 * length;
  const reports = [];
  const send = (at, execution, node, body, { repeats = 0.15 } = {}) => {
    // Some are held back until much else has happened.
    const sent_at = at + (chance(0.08) ? span(0.3) : span(0.01));
    reports.push({ at: sent_at, reporter: random.below(reporters), execution, node, body });
    if (chance(repeats)) reports.push({ at: sent_at + span(chance(0.5) ? 0.001 : 0.1), reporter: random.below(reporters), execution, node, body });
  };
  for (const execution of executions) {
    const [start, length] = [span(0.7 * RUN), 0.2 * RUN + span(0.1)];
    if (chance(0.8)) send(start, execution, undefined, { status: 'running' });
    for (let step = 0; step < 3; step += 1) {
      const progress_percentage = chance(0.5) ? random.below(400) / 10 : undefined;
      send(start + span(length), execution, undefined, { status: 'running', current_node: `phase-${step}`, progress_percentage }, { repeats: 0 });
    }
    send(start + length * 0.9 + span(length * 0.2), execution, undefined, { status: random.of(EXECUTION_ENDS), message: 'The end' });
    for (let n = 0; n < nodes; n += 1) {
      const node = `node-${10 + n}`;
      const named = () => (chance(0.5) ? { node_execution_id: `run-of-${node}`, node_name: `Node ${n}` } : {});
      const [begins, takes] = [start + span(length * 0.8), span(length * 0.2)];
      if (chance(0.2)) send(begins, execution, node, { status: 'pending', ...named() });
      if (chance(0.9)) send(begins, execution, node, { status: 'running', ...named() });
      for (let step = random.below(3) - 1; step > 0; step -= 1) {
        send(begins + span(takes), execution, node, { status: 'running', message: `Step ${step}`, ...named() }, { repeats: 0 });
      }
      send(begins + takes, execution, node, { status: random.of(NODE_ENDS), message: chance(0.3) ? 'Done' : undefined, ...named() });
      // Two who do not agree.
      if (chance(0.03)) send(begins + takes, execution, node, { status: random.of(NODE_ENDS), message: 'Otherwise' });
    }
  }
  reports.sort((one, other) => one.at - other.at);
  return Array.from({ length: reporters }, (_, n) => reports
    .filter(({ reporter }) => reporter === n)
    .map(({ execution, node, body }) => ({ execution, node, body })));
}
