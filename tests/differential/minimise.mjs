/** The smallest session that `differs` still: steps are left out, then packets of a step, as long as that can be done and `limit_ms` lasts. */
export async function minimise(session, differs, limit_ms) {
  const deadline = performance.now() + limit_ms;
  let smallest = session;
  for (let again = true; again;) {
    again = false;
    for (const candidate of smaller(smallest)) {
      if (performance.now() > deadline) return smallest;
      if (await differs(candidate)) {
        smallest = candidate;
        again = true;
        break;
      }
    }
  }
  return smallest;
}

function* smaller(session) {
  const { steps } = session;
  for (let place = steps.length - 1; place >= 0; place -= 1) yield { ...session, steps: steps.toSpliced(place, 1) };
  for (const [place, step] of steps.entries()) {
    for (const key of ['packets', 'before', 'behind']) {
      if (!Array.isArray(step[key])) continue;
      for (let at = 0; at < step[key].length; at += 1) {
        // A packet and its attachments stay together: without one of them it would be another session.
        if (key === 'packets' && (step[key].length === 1 || step[key].slice(at, at + 2).some((packet) => packet.binary !== undefined))) continue;
        yield { ...session, steps: steps.with(place, { ...step, [key]: step[key].toSpliced(at, 1) }) };
      }
    }
  }
}
