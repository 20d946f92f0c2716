// examples/board in headless Chromium: the page as the server gives it, fed by `tidings demo`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { Browser } from '../lib/browser.mjs';
import { structured } from '../lib/cloudevent.mjs';
import { Demo } from '../lib/demo.mjs';
import { assertProblem, request } from '../lib/http.mjs';
import { Inbox } from '../lib/inbox.mjs';
import { Seed } from '../lib/seed.mjs';
import { DEMO_KEYS, Server } from '../lib/server.mjs';
import { Authority } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';
import { executionOf, leadsOf, LIVE, openBoard, shown, shows } from './view.mjs';

const WAIT_MS = 30_000;
const RUN_MS = 90_000;
const FILES = {
  'index.html': 'text/html', 'board.css': 'text/css', 'icon.svg': 'image/svg+xml', 'workflow-websocket.js': 'text/javascript', 'board.js': 'text/javascript',
  'leads.js': 'text/javascript', 'link.js': 'text/javascript', 'runs.js': 'text/javascript', 'socket-io.js': 'text/javascript', 'tasks.js': 'text/javascript',
  'token.js': 'text/javascript',
};
const source = (name) => readFileSync(new URL(`../../examples/board/${name}`, import.meta.url), 'utf8');

/** Where the page is, with a token in the fragment as in the link of the demo. */
const link = (server, user) => `${server.workflows.isSecure ? 'https' : 'http'}://localhost:${server.workflows.address.split(':').at(-1)}/board/#token=${server.token(user)}`;
const errors = (page) => page.console.filter(({ type }) => type === 'error').map(({ text }) => text);

/** A port that nobody listens on at this moment. */
async function freePort() {
  const listener = net.createServer();
  await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
  const { port } = listener.address();
  await new Promise((resolve) => { listener.close(resolve); });
  return port;
}

async function backend(server, method, target, body) {
  const answer = await server.backend(method, `/api/v1${target}`, body);
  assert.ok([200, 201].includes(answer.status), `${method} ${target}: ${answer.status} ${answer.text}`);
}
/** An execution of the user's, told of as by the demo. */
async function announce(server, user, id, name = 'Announced') {
  await backend(server, 'PUT', `/workflows/of-${id}`, { owner_id: user });
  await backend(server, 'PUT', `/executions/${id}`, { workflow_id: `of-${id}`, total_nodes: 4 });
  await backend(server, 'POST', `/users/${user}/notifications`, { event: 'execution_started', data: { execution_id: id, name } });
}
async function postTask(server, user, data) {
  const answer = await request(`${server.tasks.http}/task-updates`, { method: 'POST', ...structured({ user_id: user, event_type: 'task.created', ...data }) });
  assert.deepEqual(answer.json, { status: 'SUCCESS' });
}
async function makeLead(server, name, more = {}) {
  const answer = await request(`${server.flow.http}/leads`, { method: 'POST', key: DEMO_KEYS.demo1, body: { name, email: 'someone@example.com', ...more } });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.id;
}

describe('the board', { timeout: 600_000 }, () => {
  let browser;
  const pages = [];
  const running = [];
  before(async () => { browser = await Browser.start(); });
  after(() => browser?.close());
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close();
    // The demos before the servers that they talk to.
    for (const one of running.splice(0).reverse()) await one.stop();
    await Inbox.endAll();
  });

  async function start(options) {
    const server = await Server.start(options);
    running.push(server);
    return server;
  }
  /** A killed server once more: its data, its addresses. */
  async function again(killed) {
    const listens = Object.fromEntries(['flow', 'tasks', 'workflows', 'operators'].map((gateway) => [`TIDINGS__${gateway.toUpperCase()}__LISTEN`, killed[gateway].address]));
    const server = await Server.start({ dataDir: killed.dataDir, env: listens });
    running[running.indexOf(killed)] = server;
    return server;
  }
  async function play(server, args, env) {
    const demo = await Demo.start(server, args, env);
    running.push(demo);
    return demo;
  }
  async function open(at, options) {
    const page = await openBoard(browser, at, options);
    pages.push(page);
    return page;
  }

  it('runs the class of the document as it is printed', () => {
    const printed = new Seed('workflow-updates.md').block('JavaScript Example');
    assert.equal(source('workflow-websocket.js'), `${printed.slice(0, printed.indexOf('\n\n// Usage'))}\n`);
    assert.ok(printed.startsWith(source('workflow-websocket.js').trimEnd()));
  });

  it('follows a run to 100 %, also when the server is killed and started again in between', async () => {
    const first = await start();
    const demo = await play(first, ['--executions', '2', '--pace', '400ms', '--seed', '7']);
    const page = await open(demo.link);
    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections');
    await shows(page, ({ execution }) => parseInt(execution.progress) >= 25, WAIT_MS, 'a quarter of the run');

    await first.kill();
    await shows(page, ({ states }) => states.every((state) => !state.includes('open')), WAIT_MS, 'three lost connections');
    const [{ name, ended }] = demo.runs;
    assert.equal(ended, undefined, 'the run goes on while the server is away');
    await until(() => /^tidings: .+; trying again$/m.test(demo.log), WAIT_MS, () => `an attempt of the demo in ${demo.log}`);
    const second = await again(first);

    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections again');
    assert.equal((await demo.ended(RUN_MS)).code, 0, demo.log);
    assert.match(demo.log, /^tidings: the server answers again$/m);
    assert.deepEqual(demo.runs.map((run) => run.ended), ['completed', 'completed']);

    const last = demo.runs.at(-1);
    const expected = await executionOf(second, 'demo', last.id);
    assert.equal(expected.execution.progress, '100%');
    assert.ok(expected.nodes.length >= 6, `${expected.nodes}`);
    const seen = await shows(page, (view) => view.name === last.name && view.execution.progress === '100%' && view.execution.status === 'completed', WAIT_MS, 'the last run, completed');
    assert.deepEqual({ execution: seen.execution, nodes: seen.nodes }, expected);
    assert.equal(seen.statusClass, 'status-completed');
    assert.deepEqual(seen.runs, demo.runs.map((run) => [run.name, 'status-completed', 100]).reverse());

    // The run in which the server was killed was followed to its end, nothing of it missing, and its bar never went back.
    const painted = (await page.evaluate('painted')).filter(([run]) => run === name);
    const percentages = painted.map(([, progress]) => parseInt(progress));
    assert.deepEqual(percentages, percentages.toSorted((one, other) => one - other));
    const { nodes } = await executionOf(second, 'demo', demo.runs[0].id);
    assert.deepEqual(painted.at(-1), [name, '100%', 'completed', ...nodes.map(([node, , status]) => [node, status])]);

    const leads = await leadsOf(second);
    const sorted = (columns) => Object.values(columns).map((names) => names.toSorted());
    await shows(page, (view) => `${sorted(view.leads)}` === `${sorted(leads)}`, WAIT_MS, `the leads ${JSON.stringify(leads)}`);
    assert.ok(Object.values(leads).flat().length >= 8, 'there are leads to compare');
    await shows(page, ({ tasks }) => `${tasks}` === `${demo.tasks}`, WAIT_MS, `the tasks ${demo.tasks}`);
    assert.ok(demo.tasks.some(([, , state]) => state === 'done') && demo.tasks.length >= 4, `${demo.tasks}`);

    const strange = errors(page).filter((text) => !/^WebSocket (connection to 'ws:|error:)/.test(text));
    assert.deepEqual(strange, []);
    assert.deepEqual(page.errors, []);
    assert.equal(page.page.url(), demo.link.split('#')[0], 'the token is not in the address any more');
  });

  it('a page that comes late, or is loaded again, catches up', async () => {
    const server = await start();
    const demo = await play(server, ['--pace', '700ms', '--seed', '1']);
    await until(() => /completed$/m.test(demo.log), WAIT_MS, 'a node');
    const page = await open(demo.link);
    const [{ id, name }] = demo.runs;
    await shows(page, (view) => view.name === name && view.nodes.length === 7 && view.tasks.length > 0, WAIT_MS, 'the run that is under way');
    await demo.stop();
    running.splice(running.indexOf(demo), 1);

    // Nobody tells it anything from now on.
    await page.page.reload();
    const expected = await executionOf(server, 'demo', id);
    assert.equal(expected.execution.status, 'cancelled', 'a demo that is stopped does not leave its run behind');
    await shows(page, ({ execution, nodes }) => JSON.stringify({ execution, nodes }) === JSON.stringify(expected), WAIT_MS, JSON.stringify(expected));
    const leads = JSON.stringify(await leadsOf(server));
    await shows(page, (view) => JSON.stringify(view.leads) === leads, WAIT_MS, `${leads}, in the order of the server`);
    assert.deepEqual(errors(page), []);
  });

  it('comes back however long the server is away', async () => {
    const server = await start();
    // The page's own clock, which can be put forward: the subject is time.
    const page = await browser.page();
    pages.push(page);
    await page.page.clock.install();
    await page.goto(link(server, 'stayer'));
    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections');
    await announce(server, 'stayer', 'long', 'Long');
    await shows(page, (view) => view.name === 'Long', WAIT_MS, 'the run');
    await server.kill();
    const attempts = () => page.said('Reconnecting in').length;
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      await until(() => attempts() >= attempt, WAIT_MS, () => `attempt ${attempt} of ${JSON.stringify(page.console)}`);
      await page.page.clock.runFor(20_000);
    }
    assert.ok(page.said('Reconnecting in').every((text) => Number(/\d+/.exec(text)[0]) <= 8_000), `${page.said('Reconnecting in')}`);
    const second = await again(server);
    await backend(second, 'POST', '/executions/long/status', { status: 'completed' });
    const isLive = ({ states }) => states.join() === LIVE.join();
    for (let tries = 0; !isLive(await shown(page)); tries += 1) {
      assert.ok(tries < 10, JSON.stringify(await shown(page)));
      await page.page.clock.runFor(8_000);
      // What was begun by then takes its own time.
      await shows(page, isLive, 1_000, 'three connections').catch(() => {});
    }
    await shows(page, ({ execution }) => execution.progress === '100%', WAIT_MS, 'the state of the run');
  });

  it('leaves texts texts', async () => {
    const server = await start();
    const page = await open(link(server, 'target'));
    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections');
    const bad = '<img src=x onerror="globalThis.injected = true">';
    await makeLead(server, bad, { company: bad });
    await postTask(server, 'target', { task_id: 'bad', title: bad });
    await announce(server, 'target', 'bad', bad);
    await backend(server, 'POST', '/executions/bad/nodes/%3Cb%3Enode/status', { status: 'running', node_name: bad, message: bad });
    await shows(page, (view) => view.leads.NEW[0] === bad && view.tasks[0]?.[1] === bad && view.name === bad && view.nodes[0]?.[3] === bad, WAIT_MS, 'the text in four places');
    assert.equal((await shown(page)).nodes[0][0], 'node-<b>node');
    assert.deepEqual(await page.evaluate(() => [globalThis.injected, document.querySelectorAll('main img, main b').length]), [undefined, 0]);
    assert.deepEqual(errors(page), []);
  });

  it('shows what becomes of runs, tasks and leads', async () => {
    const server = await start();
    const page = await open(link(server, 'watcher'));
    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections');
    const lead = await makeLead(server, 'Ada', { company: 'Engines' });
    const flow = (method, path, body) => request(`${server.flow.http}/leads/${lead}${path}`, { method, key: DEMO_KEYS.demo1, body });
    const column = (status, names) => shows(page, ({ leads, counts }) => `${leads[status]}` === names && counts[status] === (names ? 1 : 0), WAIT_MS, `${names} in ${status}`);
    await column('NEW', 'Ada');
    await flow('PATCH', '', { payload: { name: 'Ada L.' } });
    await column('NEW', 'Ada L.');
    await flow('PATCH', '/status', { status: 'LOST' });
    await column('NEW', '');
    await column('LOST', 'Ada L.');
    await flow('DELETE', '');
    await column('LOST', '');

    const tasks = (expected) => shows(page, (view) => view.tasks.map((task) => task.join(' ')).join() === expected, WAIT_MS, expected);
    for (let n = 1; n <= 9; n += 1) await postTask(server, 'watcher', { task_id: n, title: `No ${n}` });
    await tasks([9, 8, 7, 6, 5, 4, 3, 2].map((n) => `${n} No ${n} open`).join());
    await postTask(server, 'watcher', { task_id: 9, event_type: 'task.completed' });
    for (const n of [2, 3, 4, 5, 6, 7]) await postTask(server, 'watcher', { task_id: n, event_type: 'task.deleted' });
    await tasks('9 No 9 done,8 No 8 open');

    for (const id of ['r1', 'r2', 'r3', 'r4', 'r5', 'r6']) await announce(server, 'watcher', id, id);
    await shows(page, ({ name, runs }) => name === 'r6' && runs.length === 5, WAIT_MS, 'the newest of six runs, and four more');
    await backend(server, 'POST', '/executions/r3/nodes/n/status', { status: 'completed' });
    await backend(server, 'POST', '/executions/r3/status', { status: 'failed' });
    await shows(page, ({ runs }) => `${runs[3]}` === 'r3,status-failed,25', WAIT_MS, 'a failure in a run that is not shown');
    await page.page.getByRole('button', { name: 'r3' }).click();
    await shows(page, ({ name, execution, nodes }) => name === 'r3' && execution.progress === '25%' && nodes.length === 1, WAIT_MS, 'that run, asked for');
    // A workflow that is deleted takes its runs with it.
    await server.backend('DELETE', '/api/v1/workflows/of-r3');
    await shows(page, ({ name, runs }) => name === 'r6' && runs.length === 4, WAIT_MS, 'the runs that are left');
    assert.deepEqual(errors(page), []);
  });

  it('without a token it says what to run', async () => {
    const server = await start();
    const page = await open(link(server, 'nobody').split('#')[0]);
    assert.match(await page.page.locator('#no-token').innerText(), /tidings demo/);
    assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('main')].map((main) => main.hidden)), [false, true]);
    assert.deepEqual(errors(page), []);
    // The link, opened in this tab.
    await page.page.goto(link(server, 'somebody'));
    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections');
    assert.equal(await page.page.locator('#user').innerText(), 'somebody');
  });

  it('says why it was refused, and does not try again', async () => {
    const server = await start();
    const page = await open(`${link(server, 'nobody').split('#')[0]}#token=bad`);
    await shows(page, ({ states }) => states.join() === 'runs refused refused,tasks refused refused,leads open live', WAIT_MS, 'two refusals');
    assert.match(await page.page.locator('#refusal').innerText(), /invalid_token.+tidings demo/);
    assert.deepEqual(page.said('Reconnecting'), []);
  });

  it('is served with types and a policy, and knows where the others listen', async () => {
    const server = await start();
    const port = (gateway) => Number(server[gateway].address.split(':').at(-1));
    for (const [name, type] of [...Object.entries(FILES), ['', 'text/html'], ['addresses.json', 'application/json']]) {
      const answer = await request(`${server.workflows.http}/board/${name}`);
      assert.equal(answer.status, 200, name);
      assert.equal(answer.headers.get('content-type').split(';')[0], type, name);
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      const policy = answer.headers.get('content-security-policy');
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
      for (const gateway of ['workflows', 'tasks', 'flow']) assert.ok(policy.includes(` ws://127.0.0.1:${port(gateway)}`), policy);
      if (name in FILES) assert.equal(answer.text, source(name));
    }
    assert.deepEqual((await request(`${server.workflows.http}/board/addresses.json`)).json, {
      workflows: { port: port('workflows'), secure: false }, tasks: { port: port('tasks'), secure: false }, flow: { port: port('flow'), secure: false },
    });
    const redirect = await fetch(`${server.workflows.http}/board`, { redirect: 'manual' });
    assert.deepEqual([redirect.status, redirect.headers.get('location')], [307, '/board/']);
    assertProblem(await request(`${server.workflows.http}/board/nothing.js`), 404, 'not_found');
    assertProblem(await request(`${server.workflows.http}/board/`, { method: 'POST' }), 405, 'method_not_allowed');
    for (const gateway of ['tasks', 'flow', 'operators']) assertProblem(await request(`${server[gateway].http}/board/`), 404, 'not_found');
  });

  it('works where all gateways share a listener', async () => {
    const port = await freePort();
    const server = await start({ env: Object.fromEntries(['FLOW', 'TASKS', 'WORKFLOWS', 'OPERATORS'].map((name) => [`TIDINGS__${name}__LISTEN`, `127.0.0.1:${port}`])) });
    const page = await open(link(server, 'sharer'));
    await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, 'three connections');
    const addresses = (await request(`${server.workflows.http}/board/addresses.json`)).json;
    assert.deepEqual(Object.values(addresses).map((address) => address.port), [port, port, port]);
    assert.deepEqual(errors(page), []);
  });

  it('works over TLS, and where one gateway alone speaks it', async () => {
    const authority = new Authority();
    try {
      for (const listeners of [['workflows', 'tasks', 'flow'], ['tasks']]) {
        const server = await start({ tls: { listeners, authority } });
        const page = await open(link(server, 'private'), { ignoreHTTPSErrors: true });
        await shows(page, ({ states }) => states.join() === LIVE.join(), WAIT_MS, `three connections, over TLS: ${listeners}`);
        assert.deepEqual(errors(page), []);
      }
    } finally {
      authority.remove();
    }
  });

  it('does without a gateway that is off', async () => {
    const server = await start({ env: { TIDINGS__TASKS__LISTEN: 'off' } });
    const page = await open(link(server, 'demo'));
    await shows(page, ({ states }) => states.join() === 'runs open live,tasks off off,leads open live', WAIT_MS, 'two connections');
    const demo = await play(server, ['--executions', '1', '--pace', '1ms']);
    assert.equal((await demo.ended(RUN_MS)).code, 0, demo.log);
    assert.match(demo.log, /^the tasks gateway is off, or not to be reached from here; its part of the page stays empty$/m);
    await shows(page, ({ runs, leads }) => `${runs[0]}`.includes('status-completed') && leads.NEW.length > 0, WAIT_MS, 'a run and leads');
    assert.deepEqual(errors(page), []);
  });

  it('is not there in production', async () => {
    const server = await start({ env: {
      TIDINGS__SERVER__MODE: 'production', TIDINGS__AUTH__JWT__SECRET: '4c6f63616c2073656372657420666f72207468652074657374732c2036342062',
      TIDINGS__ORIGINS__ALLOWED: 'https://app.example', TIDINGS__TASKS__DAPR__API_TOKEN: '536861726564207365637265742c20776974682061206e616d6520746f6f2c21',
    } });
    for (const path of ['/board', '/board/', '/board/addresses.json']) assertProblem(await request(`${server.workflows.http}${path}`), 404, 'not_found');
    for (const [mode, told] of [['production', /the demo is for a server in development mode/], ['development', /has no page \/board\/: only one in development mode does/]]) {
      const demo = new Demo(server, [], { TIDINGS__SERVER__MODE: mode });
      assert.equal((await demo.ended(WAIT_MS)).code, 64, demo.log);
      assert.match(demo.log, told);
    }
  });
});
