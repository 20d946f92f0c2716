// The tenant's newest leads in columns by their status, by the flow gateway: the command `get_leads` for what is there, then `lead_event`s.

import { SocketIo } from './socket-io.js';

const STATUSES = ['NEW', 'CONTACTED', 'QUALIFIED', 'LOST'];
/** As many as one `get_leads` gives. */
const LEADS_MAX = 100;
/** How soon an answer must be there before it is asked for again. */
const ANSWER_MS_MAX = 10_000;

export class Leads {
  #socket;
  #columns;
  /** By lead id: `{id, status, createdAt, name, company}`. */
  #leads = new Map();
  #total = 0;
  /** Events since the leads were asked for: whether they are in the answer, nobody knows. */
  #meanwhile = null;
  #asking;

  /** `url` is the gateway's, such as `ws://localhost:4000`. */
  constructor({ url, tenantKey, onState }) {
    this.#columns = Object.fromEntries(STATUSES.map((status) => [status, addColumn(status)]));
    this.#socket = new SocketIo({
      url,
      namespace: '/events',
      auth: { tenantKey },
      onConnect: () => this.#ask(),
      onEvent: (name, data) => this.#event(name, data),
      onState,
    });
  }

  open() {
    this.#socket.open();
  }

  #ask() {
    this.#meanwhile = [];
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => this.#ask(), ANSWER_MS_MAX);
    this.#socket.emit('execute_voice_command', { command: 'get_leads', parameters: { limit: LEADS_MAX } });
  }

  #event(name, data) {
    if (name === 'voice_command_response' && data.command === 'get_leads' && data.success) {
      clearTimeout(this.#asking);
      this.#leads = new Map(data.data.leads.map((lead) => [lead.id, cardOf(lead)]));
      this.#total = data.data.total;
      // Applied once more, they end in the same state.
      const meanwhile = this.#meanwhile ?? [];
      this.#meanwhile = null;
      for (const event of meanwhile) this.#apply(event);
      this.#paint();
    } else if (name === 'lead_event') {
      this.#meanwhile?.push(data);
      this.#apply(data);
      this.#paint();
    }
  }

  #apply({ type, leadId, timestamp, data }) {
    const known = this.#leads.get(leadId);
    switch (type) {
      case 'LEAD_CREATED':
        if (known) break;
        this.#leads.set(leadId, cardOf({ id: leadId, createdAt: timestamp, ...data }));
        this.#total += 1;
        this.#dropOldest();
        break;
      case 'LEAD_UPDATED':
        if (known) this.#leads.set(leadId, cardOf({ id: leadId, createdAt: known.createdAt, ...data }));
        break;
      case 'LEAD_STATUS_CHANGED':
        if (known) this.#leads.set(leadId, { ...known, status: data.to });
        break;
      case 'LEAD_DELETED':
        // The next older one takes its place, and only the server knows which.
        if (this.#total > LEADS_MAX) this.#askSoon();
        else if (this.#leads.delete(leadId)) this.#total -= 1;
        break;
    }
  }

  #askSoon() {
    if (this.#meanwhile === null) this.#ask();
  }

  #dropOldest() {
    while (this.#leads.size > LEADS_MAX) {
      const [oldest] = [...this.#leads.values()].sort(byAge).slice(-1);
      this.#leads.delete(oldest.id);
    }
  }

  #paint() {
    const leads = [...this.#leads.values()].sort(byAge);
    for (const [status, column] of Object.entries(this.#columns)) {
      const cards = leads.filter((lead) => lead.status === status);
      column.querySelector('.count').textContent = cards.length;
      paintCards(column.querySelector('ul'), cards);
    }
    const total = document.getElementById('leads-total');
    total.textContent = this.#total > leads.length ? `the newest ${leads.length} of ${this.#total}` : `${this.#total}`;
  }
}

/** The newest first. */
const byAge = (one, other) => (one.createdAt < other.createdAt ? 1 : one.createdAt > other.createdAt ? -1 : one.id < other.id ? 1 : -1);

function cardOf({ id, status, createdAt, payload }) {
  return { id, status, createdAt, name: String(payload?.name ?? ''), company: String(payload?.company ?? '') };
}

/** Cards that are there already stay where they are, so that only what has changed is seen to move. */
function paintCards(list, cards) {
  const before = new Map([...list.children].map((element) => [element.dataset.id, element]));
  const elements = cards.map(({ id, name, company }) => {
    const element = before.get(id) ?? instance('lead');
    element.dataset.id = id;
    element.querySelector('.name').textContent = name;
    element.querySelector('.company').textContent = company;
    return element;
  });
  for (const element of before.values()) if (!elements.includes(element)) element.remove();
  elements.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
}

function addColumn(status) {
  const column = instance('column');
  column.dataset.status = status;
  column.querySelector('.name').textContent = status;
  document.getElementById('lead-columns').append(column);
  return column;
}

function instance(name) {
  return document.getElementById(`template-of-${name}`).content.firstElementChild.cloneNode(true);
}
