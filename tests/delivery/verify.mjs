// What "exact delivery" means, as a check of a recorded run. All times are of one clock, that of the recording process,
// which sees a request's answer and a frame's arrival late, never early: what is demanded here is safe to demand.
//
// publishes: [{ n, rooms, start, end }]   `start` before the request was sent, `end` after its answer came
// members:   [{ name, stream, stays }]    `stream`: the numbers of the events received, in order
//   stays:   [{ room, joinRequested, joinConfirmed, leaveRequested, leaveConfirmed, from, to }]
//            `from`..`to`: the part of the stream between the confirmations (`to` is null for the whole rest)
//            `abrupt`: the client hung up without reading on, so that what was under way is lost on its side

/** Every violation as a sentence, at most `limit`; with counts of what was checked. */
export function verify(publishes, members, limit = 20) {
  const run = new Run(publishes, limit);
  for (const member of members) run.checkMember(member);
  const orders = run.roomOrders(members);
  for (const [room, order] of orders) run.checkRealTime(room, order);
  for (const member of members) {
    for (const stay of member.stays) run.checkStay(member, stay, orders.get(stay.room));
  }
  return { violations: run.violations, counts: run.counts };
}

class Run {
  violations = [];
  counts = { publishes: 0, deliveries: 0, stays: 0, demanded: 0 };
  #byNumber = new Map();
  #byRoom = new Map();

  constructor(publishes, limit) {
    this.limit = limit;
    this.counts.publishes = publishes.length;
    for (const publish of publishes) {
      this.#byNumber.set(publish.n, publish);
      for (const room of new Set(publish.rooms)) this.#byRoom.set(room, [...(this.#byRoom.get(room) ?? []), publish]);
    }
  }

  #violation(text) {
    if (this.violations.length < this.limit) this.violations.push(text);
  }

  /** Nothing twice, nothing of a room it is not in, nothing from before its join or after its leave. */
  checkMember({ name, stream, stays }) {
    this.counts.deliveries += stream.length;
    const seen = new Set();
    stream.forEach((n, at) => {
      if (seen.has(n)) this.#violation(`${name} got ${n} twice`);
      seen.add(n);
      const publish = this.#byNumber.get(n);
      const due = publish && stays.some((stay) => publish.rooms.includes(stay.room) && within(stay, at)
        && publish.end >= stay.joinRequested && publish.start <= stay.leaveConfirmed);
      if (!due) this.#violation(`${name} got ${n} of ${publish?.rooms}, and was in none of them`);
    });
  }

  /** Each room's one order: what a member that stayed the whole time saw; all such members must have seen the same. */
  roomOrders(members) {
    const orders = new Map();
    for (const [room, publishes] of this.#byRoom) {
      const first = Math.min(...publishes.map((publish) => publish.start));
      const last = Math.max(...publishes.map((publish) => publish.end));
      let witnesses = 0;
      for (const member of members) {
        const stay = member.stays.find((candidate) => candidate.room === room && !candidate.abrupt && candidate.joinConfirmed <= first && candidate.leaveRequested >= last);
        if (!stay) continue;
        witnesses += 1;
        const seen = this.#during(member, stay);
        const order = orders.get(room);
        if (!order) orders.set(room, seen);
        else if (order.join() !== seen.join()) this.#violation(`${member.name} saw another order, or others, in ${room}: ${difference(order, seen)}`);
      }
      if (witnesses < 2) this.#violation(`${room} has ${witnesses} members that stayed: its order is not checked`);
      const order = new Set(orders.get(room));
      const missing = publishes.filter((publish) => !order.has(publish.n));
      if (missing.length > 0) this.#violation(`${room} lost ${missing.map((publish) => publish.n)} for all`);
    }
    return orders;
  }

  /** A publish that was answered before another was sent stands before it. */
  checkRealTime(room, order) {
    let earliestEnd = Infinity;
    for (const n of [...order].reverse()) {
      const publish = this.#byNumber.get(n);
      if (!publish) continue; // reported by checkMember
      if (earliestEnd < publish.start) this.#violation(`${room}: ${n} stands before one that was answered before ${n} was sent`);
      earliestEnd = Math.min(earliestEnd, publish.end);
    }
  }

  /** What came during a stay is one piece of the room's order, and has all that was published within the stay. */
  checkStay(member, stay, order) {
    if (!order) return;
    this.counts.stays += 1;
    const seen = this.#during(member, stay);
    if (seen.length > 0) {
      const at = order.indexOf(seen[0]);
      const piece = order.slice(at, at + seen.length);
      if (piece.join() !== seen.join()) this.#violation(`${member.name} did not see one piece of ${stay.room}: ${difference(piece, seen)}`);
    }
    const got = new Set(seen);
    const places = new Map(order.map((n, place) => [n, place]));
    const reach = stay.abrupt ? places.get(seen.at(-1)) ?? -1 : Infinity;
    for (const publish of this.#byRoom.get(stay.room)) {
      if (publish.start < stay.joinConfirmed || publish.end > stay.leaveRequested || places.get(publish.n) > reach) continue;
      this.counts.demanded += 1;
      if (!got.has(publish.n)) this.#violation(`${member.name} lost ${publish.n} of ${stay.room}`);
    }
  }

  #during({ stream }, stay) {
    return stream.slice(stay.from, stay.to ?? stream.length).filter((n) => this.#byNumber.get(n)?.rooms.includes(stay.room));
  }
}

function within(stay, at) {
  return at >= stay.from && (stay.to === null || at < stay.to);
}

function difference(expected, seen) {
  const at = expected.findIndex((n, index) => seen[index] !== n);
  return `at ${at}: expected ${expected.slice(at, at + 4)}, seen ${seen.slice(at, at + 4)}`;
}
