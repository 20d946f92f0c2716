// What "at least once, in order, repeats only since the last commit" means, as a check of a recorded run.
//
// All times are of one machine's clock. The records of a partition are accepted in the order of their offsets, so that for a
// record that nobody got, the ones before and behind it say when it was accepted. What is demanded here is safe to demand.
//
// records: [{ partition, offset, user, n }]   the whole topic; `n` is its own for each
// crowd:   what each user got in each life, see crowd.mjs
// lives:   [{ from, to, endedAt, watched }]   of a server that reads the topic
//   from, to: what the group had committed at its beginning and its end, by partition
//   endedAt:  when it was killed
//   watched:  [{ at, committed }] what had been committed at that time

/** How long after its acceptance an event may take to its socket. */
const DELIVERED_WITHIN_MS = 1_000;

/** Every violation as a sentence, at most `limit`, and for each life what was counted. */
export function verify({ records, crowd, lives, uncommittedAge_ms, limit = 20 }) {
  const run = new Run(records, crowd, limit);
  lives.forEach((life, number) => run.checkLife(life, number));
  lives.forEach((life, number) => run.checkRepeats(lives, number, uncommittedAge_ms));
  return { violations: run.violations, counts: run.counts };
}

class Run {
  violations = [];
  counts = [];
  #byNumber = new Map();
  #byPlace = [];
  #ends = []; // by life and partition: behind the last record that is known to have been accepted

  constructor(records, crowd, limit) {
    this.crowd = crowd;
    this.limit = limit;
    for (const record of records) {
      if (this.#byNumber.has(record.n)) this.#violation(`${record.n} is in the topic twice`);
      this.#byNumber.set(record.n, record);
      (this.#byPlace[record.partition] ??= [])[record.offset] = record;
    }
  }

  #violation(text) {
    if (this.violations.length < this.limit) this.violations.push(text);
  }

  checkLife(life, number) {
    this.counts.push({ accepted: 0, delivered: 0, demanded: 0, unseen: 0, repeats: 0, repeatsMax: 0 });
    const delivered = life.from.map(() => new Map()); // by partition: time of acceptance by offset
    for (const user of this.crowd.users) this.#checkUser(user, number, delivered);
    this.#ends[number] = life.from.map((from, partition) => this.#checkPartition(life, number, partition, delivered[partition]));
  }

  /** Its own, each once, in their order. */
  #checkUser(user, number, delivered) {
    let last = -1;
    for (const { life, n, acceptedAt } of this.crowd.stream(user)) {
      if (life !== number) continue;
      const record = this.#byNumber.get(n);
      if (record?.user !== user) {
        this.#violation(`${user} got ${n}, which is ${record?.user}'s`);
        continue;
      }
      if (record.offset <= last) this.#violation(`life ${number}: ${user} got ${n} twice, or behind a later one`);
      last = record.offset;
      delivered[record.partition].set(record.offset, acceptedAt);
    }
  }

  /** Returns the offset behind the last record that is known to have been accepted. */
  #checkPartition(life, number, partition, delivered) {
    const counts = this.counts[number];
    const from = life.from[partition];
    const offsets = [...delivered.keys()].sort((a, b) => a - b);
    if (offsets[0] < from) this.#violation(`life ${number}: ${offsets[0]} of partition ${partition} was delivered, which was committed before`);
    const end = Math.max(life.to[partition], (offsets.at(-1) ?? -1) + 1);
    let [next, earliest] = [0, -Infinity];
    for (let offset = from; offset < end; offset += 1) {
      counts.accepted += 1;
      const acceptedAt = delivered.get(offset);
      if (acceptedAt !== undefined) {
        counts.delivered += 1;
        if (acceptedAt < earliest) this.#violation(`life ${number}: ${offset} of partition ${partition} was accepted before one that stands before it`);
        earliest = acceptedAt;
        next += 1;
      }
      const { user, n } = this.#byPlace[partition][offset];
      const committed = life.watched.find((watched) => watched.committed[partition] > offset);
      const latest = Math.min(delivered.get(offsets[next]) ?? Infinity, committed?.at ?? Infinity, life.endedAt);
      const isDemanded = this.crowd.welcomedAt(user, number) <= earliest && latest + DELIVERED_WITHIN_MS <= life.endedAt;
      if (isDemanded) counts.demanded += 1;
      if (acceptedAt !== undefined) continue;
      counts.unseen += 1;
      if (isDemanded) this.#violation(`life ${number}: ${user} did not get ${n}, ${offset} of partition ${partition}, and was there`);
    }
    return end;
  }

  /** What comes again had not been committed, and was accepted shortly before the end of its life. */
  checkRepeats(lives, number, uncommittedAge_ms) {
    const counts = this.counts[number];
    const earlier = this.#ends.slice(0, number);
    lives[number].from.forEach((from, partition) => {
      counts.repeatsMax += Math.max(from, ...earlier.map((ends) => ends[partition])) - from;
    });
    for (const user of this.crowd.users) {
      const last = new Map(); // life and time of acceptance by number, in the earlier lives
      for (const { life, n, acceptedAt } of this.crowd.stream(user)) {
        if (life < number) last.set(n, { life, acceptedAt });
        else if (life === number && last.has(n)) {
          counts.repeats += 1;
          const before = last.get(n);
          const age_ms = lives[before.life].endedAt - before.acceptedAt;
          if (age_ms > uncommittedAge_ms) this.#violation(`life ${number}: ${user} got ${n} again, accepted ${age_ms} ms before the end of life ${before.life}`);
        }
      }
    }
    if (counts.repeats > counts.repeatsMax) this.#violation(`life ${number}: ${counts.repeats} repeats, ${counts.repeatsMax} records were not committed`);
  }
}
