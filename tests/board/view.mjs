// The board as somebody sees it, and as the server says it should be.
import { request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { DEMO_KEYS } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const STATUSES = ['NEW', 'CONTACTED', 'QUALIFIED', 'LOST'];

/** The board at a link, and what it has shown at each change of its bar: `[run, percentage, status, [node, status]…]`. */
export async function openBoard(browser, link, options) {
  const page = await browser.page(options);
  await page.page.addInitScript(() => {
    globalThis.painted = [];
    addEventListener('DOMContentLoaded', () => {
      const text = (id) => document.getElementById(id).textContent;
      const nodes = () => [...document.querySelectorAll('#nodes > li')].map((node) => [node.id, node.querySelector('.status').textContent]);
      const note = () => globalThis.painted.push([text('execution-name'), text('execution-progress'), text('execution-status'), ...nodes()]);
      new MutationObserver(note).observe(document.getElementById('execution-progress'), { childList: true });
    });
  });
  await page.goto(link);
  return page;
}

/** What the page shows; null while it is being loaded. */
export function shown(page) {
  return page.evaluate((statuses) => {
    const element = (id) => document.getElementById(id);
    const text = (parent, selector) => parent.querySelector(selector).textContent;
    if (document.readyState === 'loading') return null;
    const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
    return {
      states: ['runs', 'tasks', 'leads'].map((part) => `${part} ${element(part).dataset.state} ${text(element(part), '.connection')}`),
      name: element('execution-name').textContent,
      execution: {
        status: element('execution-status').textContent,
        progress: element('execution-progress').textContent,
        width: Math.round(parseFloat(element('execution-progress').style.width)),
        value: element('execution-track').getAttribute('aria-valuenow'),
      },
      statusClass: element('execution-status').className,
      nodes: all('#nodes > li', (node) => [node.id, text(node, '.name'), text(node, '.status'), text(node, '.message'), node.className]),
      runs: all('#run-list > li', (run) => [text(run, '.name'), run.className, Math.round(parseFloat(run.querySelector('.bar').style.width))]),
      tasks: all('#task-list > li', (task) => [task.dataset.id, text(task, '.title'), text(task, '.status')]),
      leads: Object.fromEntries(statuses.map((status) => [status, all(`[data-status=${status}] li`, (lead) => text(lead, '.name'))])),
      counts: Object.fromEntries(statuses.map((status) => [status, Number(document.querySelector(`[data-status=${status}] .count`)?.textContent)])),
    };
  }, STATUSES);
}

export const LIVE = ['runs open live', 'tasks open live', 'leads open live'];

/** Waits until the page shows what `matches`, and returns it. */
export async function shows(page, matches, limit_ms, what) {
  let last;
  return until(async () => {
    // A page that is just being loaded shows nothing yet.
    last = await shown(page).catch((error) => { if (!error.message.includes('context was destroyed')) throw error; });
    return last && matches(last) ? last : undefined;
  }, limit_ms, () => `${what}: ${JSON.stringify(last)}, ${JSON.stringify(page.errors.map(String))}`);
}

/** An execution as the server has it, in the form of `shown`. */
export async function executionOf(server, user, id) {
  const inbox = await Inbox.open(`${server.workflows.ws}/api/v1/ws?token=${server.token(user)}`);
  try {
    const nodes = [];
    let execution;
    inbox.send({ type: 'subscribe', room_id: `execution:${id}`, snapshot: true });
    await inbox.find(({ type, data, recovered }) => {
      if (type === 'execution_update') execution = data;
      if (type === 'node_update') nodes.push([`node-${data.node_id}`, data.node_name, data.status, data.message ?? '', `node status-${data.status}`]);
      return recovered === false;
    }, 'the end of the state');
    const { status, progress_percentage: progress } = execution;
    const value = String(Math.round(progress));
    return { execution: { status, progress: `${value}%`, width: Math.round(progress), value }, nodes };
  } finally {
    await inbox.close();
  }
}

/** The names of the newest leads as the server has them, by status, in the server's order. */
export async function leadsOf(server, tenant = 'demo1') {
  const answer = await request(`${server.flow.http}/leads?limit=100`, { key: DEMO_KEYS[tenant] });
  return Object.fromEntries(STATUSES.map((status) => [status, answer.json.data.filter((lead) => lead.status === status).map(({ payload }) => payload.name)]));
}
