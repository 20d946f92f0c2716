// A client of its own thread, which takes what it gets at once however busy the test is: `Watcher.open(server, key)`.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { within } from '../lib/wait.mjs';

const WAIT_MS = 10_000;

export class Watcher {
  #worker;

  static async open(server, key) {
    const watcher = new Watcher();
    watcher.#worker = new Worker(new URL(import.meta.url), { workerData: { flow: server.flow, key } });
    await watcher.#answer('welcomed');
    return watcher;
  }

  /** The ids of the LEAD_CREATED events that it got so far, by lead. */
  async created() {
    this.#worker.postMessage('report');
    const events = await this.#answer('a report');
    const byLead = new Map();
    for (const { leadId, id } of events) byLead.set(leadId, [...(byLead.get(leadId) ?? []), id]);
    return byLead;
  }

  /** Once the server has closed the connection and everything before that was read. */
  async disconnected() {
    this.#worker.postMessage('disconnected');
    await this.#answer('the end of the connection');
  }

  close() {
    return this.#worker.terminate();
  }

  #answer(what) {
    const answer = new Promise((resolve, reject) => {
      this.#worker.once('message', resolve);
      this.#worker.once('error', reject);
    });
    return within(answer, WAIT_MS, what);
  }
}

if (!isMainThread) {
  const { FlowClient } = await import('../lib/flow.mjs');
  const client = await FlowClient.open({ flow: workerData.flow }, { key: workerData.key, transports: ['websocket'] });
  const gone = new Promise((resolve) => { client.socket.once('disconnect', resolve); });
  parentPort.on('message', async (request) => {
    if (request === 'disconnected') {
      await gone;
      parentPort.postMessage(null);
    } else {
      const isCreation = ({ name, data }) => name === 'lead_event' && data.type === 'LEAD_CREATED';
      parentPort.postMessage(client.events.filter(isCreation).map(({ data }) => ({ leadId: data.leadId, id: data.id })));
    }
  });
  parentPort.postMessage('welcomed');
}
