import { Inbox } from './inbox.mjs';
import { metric } from './metrics.mjs';
import { Server } from './server.mjs';
import { until } from './wait.mjs';

/** How long the group, a commit or a delivery may take. */
const WAIT_MS = 60_000;
/** What `dead-letters replay` says. */
export const asked = (count) => `${count} dead letters will be taken in once more`;

/** A server that reads topics of a cluster, over its restarts. */
export class Reader {
  #cluster;
  #always;

  /** `always` are variables of each start. */
  constructor(cluster, always = {}) {
    this.#cluster = cluster;
    this.#always = always;
  }

  /** The variables with which it reads a topic, in a group of the topic's own. */
  env(topic, more = {}) {
    return {
      TIDINGS__KAFKA__BROKERS: this.#cluster.bootstrap,
      TIDINGS__KAFKA__TOPICS: topic,
      TIDINGS__KAFKA__GROUP_ID: `group-of-${topic}`,
      ...this.#always,
      ...more,
    };
  }

  /** Starts a new one, with nothing. */
  async start(env) {
    await this.server?.stop();
    this.server = await Server.start({ env });
  }

  /** Ends it in order, or as the signal does, and starts it on its data. */
  async restart(env, signal = 'SIGTERM') {
    const { dataDir } = this.server;
    await this.server.kill(signal);
    this.server = await Server.start({ env, dataDir });
  }

  async stop() {
    await Inbox.endAll();
    await this.server?.stop();
    this.server = undefined;
  }

  /** A connection of the tasks gateway, its welcome read. */
  async open(user) {
    const inbox = await Inbox.open(`${this.server.tasks.ws}/ws?user_id=${user}`);
    await inbox.json('the welcome');
    return inbox;
  }

  metric(series) { return metric(this.server, series); }
  /** How many events have come to this end. */
  events(outcome, reason = '') { return this.metric(`tidings_source_events_total{outcome="${outcome}",reason="${reason}"}`); }
  accepted(count) { return until(async () => (await this.events('accepted')) >= count, WAIT_MS, `${count} accepted`); }
  allCommitted(topic) { return until(async () => (await this.#cluster.lag(`group-of-${topic}`, topic)) === 0, WAIT_MS, `all of ${topic} committed`); }
  inGroup() { return until(async () => (await this.metric('tidings_kafka_up')) === 1, WAIT_MS, 'in the group'); }

  /** The dead letters of its own store, the latest first. */
  letters(...args) { return this.server.command('dead-letters', 'list', ...args).split('\n').filter(Boolean).map((line) => JSON.parse(line)); }
  replay(...args) { return this.server.command('dead-letters', 'replay', ...args); }
  allReplayed() { return until(() => this.letters().length === 0, WAIT_MS, 'nothing left to replay'); }
}

/** The numbers of the events that have come to this connection and were not read. */
export const numbers = async (inbox) => (await inbox.drain()).map(({ event: { n } }) => n);
