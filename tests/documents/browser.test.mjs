// The class and the hook of workflow-updates.md in headless Chromium, with its WebSocket and its document, against a server.
// Of the printed code the address is replaced, and nothing else: the page gives it its token, its elements and its calls.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Browser } from '../lib/browser.mjs';
import { request } from '../lib/http.mjs';
import { compiled, Seed } from '../lib/seed.mjs';
import { Server } from '../lib/server.mjs';
import { bundle, Site } from '../lib/site.mjs';
import { until } from '../lib/wait.mjs';

const WAIT_MS = 15_000;
const PRINTED_ADDRESS = 'localhost:8000';
const seed = new Seed('workflow-updates.md');
const SCRIPT = seed.block('JavaScript Example');
const HOOK = compiled(seed.block('React Example'));
/** The printed subscription, and the execution that it names. */
const [SUBSCRIBE, EXECUTION] = /^wsClient\.subscribeToExecution\('(.+)'\);$/m.exec(SCRIPT);
const CONNECTIONS_MAX = 4;

/** The browser's own WebSocket, with every connection and every close kept. */
const RECORDER = `
  const sockets = [], closes = [];
  window.WebSocket = class extends WebSocket {
    constructor(...parameters) {
      super(...parameters);
      sockets.push(this);
      this.addEventListener('close', ({ code, reason, wasClean }) => closes.push({ code, reason, wasClean }));
    }
  };`;

const ELEMENTS = `
  <div style="width: 200px"><div id="execution-progress" style="height: 20px; background: teal"></div></div>
  <p id="execution-status"></p>
  <ul><li id="node-node-1" class="node">Agent: <span class="status"></span></li></ul>`;

const VIEW = `
  const { createElement } = require('react');
  const view = require('react-dom/client').createRoot(document.getElementById('root'));
  function View({ token, execution }) {
    const { executionStatus, isConnected } = hook.useWorkflowWebSocket(token, execution);
    const text = executionStatus ? executionStatus.status + ' ' + executionStatus.progress_percentage + '%' : 'nothing yet';
    return createElement('output', { id: 'view', className: isConnected ? 'connected' : 'disconnected' }, text);
  }
  const show = (token, execution) => view.render(createElement(View, { token, execution }));`;

describe('workflow-updates.md in a browser', { timeout: 180_000 }, () => {
  let [browser, site, server] = [];
  const pages = [];
  before(async () => {
    browser = await Browser.start();
    site = await Site.start();
    site.put('/recorder.js', RECORDER);
    site.put('/packages.js', bundle(['react', 'react-dom/client']));
    server = await Server.start({ env: { TIDINGS__AUTH__JWT__EXPIRY_GRACE_MS: '1000', TIDINGS__LIMITS__CONNECTIONS_PER_USER_MAX: `${CONNECTIONS_MAX}` } });
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    await server?.stop();
  });
  afterEach(async () => { for (const page of pages.splice(0)) await page.close(); });

  async function newPage() {
    const page = await browser.page();
    pages.push(page);
    return page;
  }

  /** A page with the printed class and its usage lines, as they stand. */
  async function classPage(token, { at = server, prepare = async () => {} } = {}) {
    const script = SCRIPT.replace(PRINTED_ADDRESS, at.workflows.address);
    assert.notEqual(script, SCRIPT);
    site.put('/class.js', script);
    const url = site.put('/class.html', `<!doctype html>${ELEMENTS}
      <script src="/recorder.js"></script><script>const accessToken = ${JSON.stringify(token)};</script><script src="/class.js"></script>`);
    const page = await newPage();
    await prepare(page);
    await page.goto(url);
    page.shown = () => page.evaluate(() => {
      const element = (id) => document.getElementById(id);
      const bar = element('execution-progress');
      return {
        width: bar.style.width && bar.getBoundingClientRect().width, progress: bar.textContent,
        status: element('execution-status').textContent, statusClass: element('execution-status').className,
        node: element('node-node-1').textContent, nodeClass: element('node-node-1').className,
      };
    });
    page.shows = async (expected) => {
      let shown;
      const same = async () => { shown = await page.shown(); return Object.keys(expected).every((key) => shown[key] === expected[key]); };
      await until(same, WAIT_MS, () => `${JSON.stringify(expected)} in ${JSON.stringify(shown)}`);
    };
    page.says = (beginning, times = 1) => until(() => page.said(beginning).length >= times, WAIT_MS, () => `${times} times "${beginning}" in ${JSON.stringify(page.console)}`);
    return page;
  }

  async function backend(method, target, body, at = server) {
    const answer = await at.backend(method, `/api/v1${target}`, body);
    assert.ok([200, 201].includes(answer.status), `${method} ${target}: ${answer.status} ${answer.text}`);
  }
  const report = (execution, body, at) => backend('POST', `/executions/${execution}/status`, body, at);
  const reportNode = (execution, node, body, at) => backend('POST', `/executions/${execution}/nodes/${node}/status`, body, at);
  async function own(owner, execution, at) {
    await backend('PUT', `/workflows/of-${execution}`, { owner_id: owner }, at);
    await backend('PUT', `/executions/${execution}`, { workflow_id: `of-${execution}`, total_nodes: 4 }, at);
  }
  const activeRooms = async (at = server) => (await request(`${at.workflows.http}/api/v1/ws/rooms`, { token: at.operatorToken })).json.active_rooms;
  const isActive = (room, at) => until(async () => (await activeRooms(at)).includes(room), WAIT_MS, `a member in ${room}`);
  const isEmpty = (room, at) => until(async () => !(await activeRooms(at)).includes(room), WAIT_MS, `nobody in ${room}`);
  const closes = (page) => page.evaluate('closes');
  const isClosed = (page, count = 1) => until(async () => (await closes(page)).length >= count, WAIT_MS, `${count} closed connections`);

  it('the class paints an execution from its start to its end, pings by itself, leaves and disconnects', async () => {
    const owner = 'painter';
    await own(owner, EXECUTION);
    const page = await classPage(server.token(owner), { prepare: ({ page: { clock } }) => clock.install() });
    await page.says('Connected with ID:');
    assert.match(page.said('Connected with ID:')[0], /^Connected with ID: [0-9a-f]{8}-[0-9a-f-]{27}$/);
    await page.says('Subscribed to:');
    assert.deepEqual(page.said('Subscribed to:'), [`Subscribed to: user:${owner}`], 'the usage lines subscribe before the socket is open');
    await page.evaluate(SUBSCRIBE);
    await page.says(`Subscribed to: execution:${EXECUTION}`);
    assert.deepEqual(await page.shown(), { width: '', progress: '', status: '', statusClass: '', node: 'Agent: ', nodeClass: 'node' });

    await report(EXECUTION, { status: 'running', progress_percentage: 45.5, completed_nodes: 1, current_node: 'node-1' });
    await page.shows({ width: 91, progress: '46%', status: 'running', statusClass: 'status-running' });
    await reportNode(EXECUTION, 'node-1', { status: 'running', node_name: 'Agent', message: 'Processing' });
    await page.shows({ node: 'Agent: running', nodeClass: 'node status-running' });
    for (const status of ['completed', 'failed', 'skipped']) await reportNode(EXECUTION, `unseen-${status}`, { status });
    await reportNode(EXECUTION, 'node-1', { status: 'failed' });
    await page.shows({ node: 'Agent: failed', nodeClass: 'node status-failed' });
    await report(EXECUTION, { status: 'completed' });
    await page.shows({ width: 200, progress: '100%', status: 'completed', statusClass: 'status-completed' });

    // The interval of the usage lines. Its clock goes on by itself, so not to the last second.
    await page.page.clock.fastForward(15_000);
    await page.evaluate('wsClient.unsubscribeFromExecution("another"); 0');
    await page.says('Subscribed to: execution:another');
    assert.deepEqual(page.said('Pong received'), []);
    await page.page.clock.fastForward(15_000);
    await page.says('Pong received');

    await page.evaluate(SUBSCRIBE.replace('subscribeToExecution', 'unsubscribeFromExecution'));
    await page.says(`Subscribed to: execution:${EXECUTION}`, 2);
    await isEmpty(`execution:${EXECUTION}`);
    assert.deepEqual(await closes(page), []);
    await page.evaluate('wsClient.maxReconnectAttempts = 0; wsClient.disconnect()');
    await page.says('WebSocket disconnected');
    assert.deepEqual(await closes(page), [{ code: 1005, reason: '', wasClean: true }]);
    await isEmpty(`user:${owner}`);
    assert.deepEqual([page.errors, page.console.filter(({ type }) => type === 'error')], [[], []]);
  });

  it('the class is told of a room that it may not enter, and stays connected', async () => {
    await own('somebody', 'denied-execution');
    const page = await classPage(server.token('else'));
    await page.says('Connected with ID:');
    for (const id of ['denied-execution', 'none-such']) await page.evaluate(`wsClient.subscribeToExecution('${id}')`);
    await page.evaluate('wsClient.send({ type: "dance" }); wsClient.ping()');
    await page.says('Pong received');
    assert.deepEqual(page.said('Error:'), ['Error: Access denied to room', 'Error: Access denied to room', 'Error: Unknown message type: dance']);
    assert.deepEqual(await closes(page), []);
  });

  it('the class comes back when the server was killed, and follows the execution on', async () => {
    const first = await Server.start();
    let second;
    try {
      await own('returner', EXECUTION, first);
      const page = await classPage(first.token('returner'), { at: first });
      await page.says('Connected with ID:');
      await page.evaluate(SUBSCRIBE);
      await isActive(`execution:${EXECUTION}`, first);
      await report(EXECUTION, { status: 'running', completed_nodes: 1 }, first);
      await page.shows({ progress: '25%', status: 'running' });
      await first.kill();
      await page.says('Reconnecting in 2000ms... (Attempt 1)');
      assert.deepEqual(await closes(page), [{ code: 1006, reason: '', wasClean: false }]);
      await page.says('Reconnecting in 4000ms... (Attempt 2)');
      assert.ok(page.said('WebSocket error:').length >= 1, 'nobody listened');
      second = await Server.start({ dataDir: first.dataDir, env: { TIDINGS__WORKFLOWS__LISTEN: first.workflows.address } });
      await page.says('Connected with ID:', 2);
      assert.equal(await page.evaluate('wsClient.reconnectAttempts'), 0);
      await page.evaluate(SUBSCRIBE);
      await isActive(`execution:${EXECUTION}`, second);
      await report(EXECUTION, { status: 'running', completed_nodes: 3 }, second);
      await page.shows({ progress: '75%' });

      const count = (await closes(page)).length;
      second.signal('SIGTERM');
      await isClosed(page, count + 1);
      assert.deepEqual((await closes(page))[count], { code: 1001, reason: 'shutting_down', wasClean: true });
      await page.says('Reconnecting in 2000ms... (Attempt 1)', 2);
      assert.deepEqual(page.errors, []);
    } finally {
      await (second ?? first).stop();
    }
  });

  it('the class with a token that is refused, and one that expires: what it sees of the close', async () => {
    const refused = await classPage('no-token');
    await isClosed(refused);
    assert.deepEqual(await closes(refused), [{ code: 4401, reason: 'invalid_token', wasClean: true }]);
    // It was open before it was closed, and so the class tries again as after any other end.
    await refused.says('WebSocket connected');
    await refused.says('Reconnecting in 2000ms... (Attempt 1)');
    assert.deepEqual([refused.said('Connected with ID:'), refused.said('WebSocket error:')], [[], []]);

    const expiring = await classPage(server.token('expiring', '--ttl', '2s'));
    await expiring.says('Connected with ID:');
    await isClosed(expiring);
    assert.deepEqual((await closes(expiring))[0], { code: 4408, reason: 'token_expired', wasClean: true });
    // The token stays expired: behind the leeway for clocks that differ, the handshake is refused.
    const isRefused = ({ code, reason }) => code === 4401 && reason === 'invalid_token';
    await until(async () => isRefused((await closes(expiring)).at(-1)), WAIT_MS, 'a refusal');
  });

  it('other close codes, as a page sees them', async () => {
    const page = await newPage();
    await page.goto(site.put('/blank.html', '<!doctype html><script src="/recorder.js"></script>'));
    const connect = (token, then = '') => page.evaluate(`
      new Promise((resolve) => {
        const socket = new WebSocket('${server.workflows.ws}/api/v1/ws${token === undefined ? '' : `?token=${token}`}');
        socket.addEventListener('message', () => { ${then}; resolve('open'); }, { once: true });
        socket.addEventListener('close', ({ code, reason, wasClean }) => resolve([code, reason, wasClean]));
      })`);
    for (const [token, ...close] of [[undefined, 4401, 'missing_token'], ['', 4401, 'missing_token'], [server.serviceToken, 4401, 'invalid_token']]) {
      assert.deepEqual(await connect(token), [...close, true]);
    }
    /** What the page sees of the next close. */
    const nextClose = async () => {
      const count = (await closes(page)).length;
      return async () => { await isClosed(page, count + 1); return (await closes(page))[count]; };
    };

    let close = await nextClose();
    assert.equal(await connect(server.token('talker'), 'socket.send("x".repeat(1024 * 1024 + 1))'), 'open');
    assert.deepEqual(await close(), { code: 1009, reason: 'message_too_big', wasClean: true });

    close = await nextClose();
    for (let n = 0; n < CONNECTIONS_MAX; n += 1) assert.equal(await connect(server.token('many')), 'open');
    assert.deepEqual(await connect(server.token('many')), [4429, 'rate_limited', true]);

    assert.equal(await connect(server.token('revoked')), 'open');
    close = await nextClose();
    server.command('token', 'revoke', '--sub', 'revoked');
    assert.deepEqual(await close(), { code: 4403, reason: 'forbidden', wasClean: true });
    assert.deepEqual(await connect(server.token('revoked')), [4403, 'forbidden', true]);

    // No page of ours: in development these are on the machine's own names and addresses.
    const foreign = await Site.start('127.0.0.2');
    try {
      await page.goto(foreign.put('/foreign.html', '<!doctype html>'));
      assert.deepEqual(await connect(server.token('visitor')), [4403, 'forbidden', true]);
    } finally {
      await foreign.stop();
    }
    assert.deepEqual(page.errors, []);
  });

  it('the hook follows executions in React, and leaves when it is unmounted', async () => {
    const owner = 'hooked';
    for (const execution of ['hook-1', 'hook-2']) await own(owner, execution);
    const hook = HOOK.replace(PRINTED_ADDRESS, server.workflows.address);
    assert.notEqual(hook, HOOK);
    site.put('/hook.js', `const hook = {};\n((exports) => {${hook}\n})(hook);`);
    site.put('/view.js', VIEW);
    const page = await newPage();
    await page.goto(site.put('/hook.html', `<!doctype html><div id="root"></div>
      ${['recorder', 'packages', 'hook', 'view'].map((name) => `<script src="/${name}.js"></script>`).join('')}`));
    const shown = () => page.evaluate(() => { const view = document.getElementById('view'); return view && `${view.className}: ${view.textContent}`; });
    const shows = async (...texts) => {
      let seen;
      await until(async () => { seen = await shown(); return texts.includes(seen); }, WAIT_MS, () => `"${seen}" instead of "${texts.join('" or "')}"`);
    };
    const show = (execution) => page.evaluate(`show(${JSON.stringify(server.token(owner))}, '${execution}')`);

    await show('hook-1');
    await shows('connected: nothing yet');
    await isActive('execution:hook-1');
    await report('hook-1', { status: 'pending' });
    await report('hook-1', { status: 'running', progress_percentage: 12.5 });
    await shows('connected: running 12.5%');
    await reportNode('hook-1', 'node-1', { status: 'completed' });
    await shows('connected: running 25%');
    await report('hook-1', { status: 'completed' });
    await shows('connected: completed 100%');

    await show('hook-2');
    await isActive('execution:hook-2');
    await isEmpty('execution:hook-1');
    await report('hook-2', { status: 'failed' });
    // The printed hook has one state for both sockets: it says what came last, the new one's open or the old one's close.
    await shows('connected: failed 0%', 'disconnected: failed 0%');

    await page.evaluate('view.unmount()');
    await isEmpty('execution:hook-2');
    await isEmpty(`user:${owner}`);
    assert.equal(await shown(), null);
    await isClosed(page, 2);
    assert.deepEqual(await closes(page), [{ code: 1005, reason: '', wasClean: true }, { code: 1005, reason: '', wasClean: true }]);
    assert.deepEqual([page.errors, page.console.filter(({ type }) => type === 'error')], [[], []]);
  });
});
