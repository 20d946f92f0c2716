import { Transcript } from './transcript.mjs';

const LETTERS = 'bcdfghjkmnpqrstvwxz0123456789';
/** How every mark begins: a query for it finds the leads of whoever asks, and of nobody else. */
export const COMMON_PREFIX = 'mark';

/** A tenant with keys, whose mark stands in all of its data and in nobody else's; and what must be there of it. */
export class Tenant {
  /** Id to `{source, status, payload, tag}`. */
  leads = new Map();
  /** Ids of all leads that ever were, in the order of their acknowledgements. */
  created = [];
  jobs = [];
  reports = [];
  cursors = [];
  /** Idempotency keys that it has sent, another's too. */
  usedKeys = new Set();
  ownKeys = [];
  notices = 0;
  others = [];

  constructor(server, random) {
    const word = (prefix) => prefix + Array.from({ length: 14 }, () => random.of([...LETTERS])).join('');
    this.id = word('id');
    this.slug = word('slug');
    this.mark = word(COMMON_PREFIX);
    server.command('tenant', 'create', this.id, '--name', `Customers of ${this.mark}`, '--slug', this.slug);
    this.keys = [server.key(this.id, 'admin'), server.key(this.id, 'leads:read', 'leads:write', 'metrics:read', 'backup:run', 'compliance:run')];
    this.transcript = new Transcript(this.id, [this.id, this.slug, this.mark, ...this.keys]);
  }

  /** The source of its forms. */
  get formSource() { return `${this.mark}-form`; }

  /** How many leads must be there of each status. */
  counts() {
    const counts = { total: this.leads.size, new: 0, contacted: 0, qualified: 0, lost: 0 };
    for (const { status } of this.leads.values()) counts[status.toLowerCase()] += 1;
    return counts;
  }
}
