// The code of docs/how-to/FRONTEND_INTEGRATION.md, compiled as printed and run against a server. What the page leaves to the
// reader (a store, an address that gives tokens) is stood in for; addresses are replaced by the server's.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import React from 'react';
import { create } from 'react-test-renderer';
import ts from 'typescript';
import WebSocket, { WebSocketServer } from 'ws';
import { structured } from '../lib/cloudevent.mjs';
import { request } from '../lib/http.mjs';
import { assertSameKeys, Inbox } from '../lib/inbox.mjs';
import { metric } from '../lib/metrics.mjs';
import { codeBlocks, RecordingConsole } from '../lib/seed.mjs';
import { Server } from '../lib/server.mjs';
import { pause, until } from '../lib/wait.mjs';

const WAIT_MS = 10_000;
const PRINTED_URL = 'ws://localhost:8004/ws';
const page = codeBlocks(readFileSync(new URL('../../docs/how-to/FRONTEND_INTEGRATION.md', import.meta.url), 'utf8'));
const used = new Set();
const block = (label) => {
  const found = page.find((candidate) => candidate.label === label);
  assert.ok(found, `the page has no ${label}`);
  used.add(label);
  return found.text;
};
const CLIENT = block('The client (1)');
const HOOK = block('React (1)');
const COMPONENT = block('React (2)');
const PLAIN_USAGE = block('Using it (1)');
const TOKEN_USAGE = block('Using it (2)');

/** Runs a module and returns what it exports. `names` are globals of the browser, `modules` what it imports. */
function load(text, { names = {}, modules = {} } = {}) {
  const { outputText } = ts.transpileModule(text, {
    fileName: 'module.tsx',
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, jsx: ts.JsxEmit.React },
  });
  const exports = {};
  const scope = { exports, require: (name) => modules[name], React, ...names };
  new Function(...Object.keys(scope), outputText)(...Object.values(scope));
  return exports;
}

/** As in a browser: an error that nobody listens to is none. */
class BrowserSocket extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on('error', () => {});
  }
}

const client = (names = {}) => load(CLIENT, { names: { WebSocket: BrowserSocket, ...names } });
const { TaskUpdates } = client();

/** A client that keeps what it is told, stopped at the latest after the test. */
const running = new Set();
function watch(options, Client = TaskUpdates) {
  const seen = { events: [], states: [], gaps: 0 };
  seen.updates = new Client({
    onUpdate: (event) => seen.events.push(event),
    onGap: () => { seen.gaps += 1; },
    onState: (state, reason) => seen.states.push(reason === undefined ? state : [state, reason]),
    ...options,
  });
  running.add(seen.updates);
  seen.updates.start();
  seen.last = () => [seen.states.at(-1)].flat()[0];
  seen.reaches = (state) => until(() => seen.last() === state, WAIT_MS, () => `${state} after ${JSON.stringify(seen.states)}`);
  return seen;
}

const eventFor = (user, more = {}) => ({ event_type: 'task.created', user_id: user, task_id: '456', title: 'New Task', ...more });
async function post(server, event) {
  const answer = await request(`${server.tasks.http}/task-updates`, { method: 'POST', ...structured(event) });
  assert.deepEqual(answer.json, { status: 'SUCCESS' });
}
const nobody = (server) => until(async () => (await request(`${server.tasks.http}/health`)).json.connections === 0, WAIT_MS, 'no connection');

describe('FRONTEND_INTEGRATION.md', () => {
  let server;
  before(async () => { server = await Server.start(); });
  after(() => server?.stop());
  afterEach(async () => {
    running.forEach((updates) => updates.stop());
    running.clear();
    await Inbox.endAll();
  });

  const url = () => `${server.tasks.ws}/ws`;

  it('passes the compiler in strict mode', () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'tidings-page-'));
    try {
      const files = {
        'task-updates.ts': CLIENT, 'use-task-updates.ts': HOOK, 'tasks.tsx': COMPONENT, 'plain.ts': `${PLAIN_USAGE}\nexport {};`, 'token.ts': `${TOKEN_USAGE}\nexport {};`,
        'reader.d.ts': 'declare const store: { apply(event: unknown): void; fetchTasks(): void }; declare function showSignIn(reason: string): void;',
        'react.d.ts': `declare module 'react' {
          export function useEffect(effect: () => void | (() => void), dependencies?: unknown[]): void;
          export function useRef<T>(value: T): { current: T };
          export function useState<T>(value: T): [T, (next: T | ((before: T) => T)) => void];
        }
        declare namespace JSX { interface IntrinsicElements { [name: string]: unknown } }
        declare const React: unknown;`,
      };
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
      const program = ts.createProgram(Object.keys(files).map((name) => path.join(directory, name)), {
        strict: true, noEmit: true, noUnusedLocals: true, types: [], jsx: ts.JsxEmit.React,
        target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      });
      const found = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => `${path.basename(file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
      assert.deepEqual(found, []);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('what comes is what is printed', async () => {
    const [welcome, update] = ['What comes (1)', 'What comes (2)'].map((label) => JSON.parse(block(label)));
    const inbox = await Inbox.open(`${url()}?user_id=${welcome.user_id}`);
    const received = await inbox.json();
    assertSameKeys(received, welcome);
    assert.deepEqual({ ...received, timestamp: null }, { ...welcome, timestamp: null });
    await post(server, update.event);
    const message = await inbox.json();
    assertSameKeys(message, update);
    assert.deepEqual(message.event, update.event);
  });

  it('the printed usage shows updates', async () => {
    const console = new RecordingConsole();
    load(PLAIN_USAGE.replace(PRINTED_URL, url()), { names: { console }, modules: { './task-updates': { TaskUpdates: remembered() } } });
    await until(() => console.lines.some(([what, state]) => what === 'state' && state === 'open'), WAIT_MS, 'open');
    await post(server, eventFor('test-user'));
    const line = await until(() => console.said('update'), WAIT_MS, 'the update');
    assert.deepEqual(line, ['update', 'task.created', 'New Task']);
  });

  it('the printed usage with tokens fetches one, and a new one when it is refused', async () => {
    const asked = [];
    const applied = [];
    const tokens = ['no-token', server.token('page-user')];
    const names = {
      fetch: async (address, { cache }) => {
        asked.push([address, cache]);
        return { ok: true, json: async () => ({ token: tokens.shift() }) };
      },
      store: { apply: (event) => applied.push(event), fetchTasks() {} },
      showSignIn: assert.fail,
    };
    const text = TOKEN_USAGE.replace('wss://events.example.com/ws', url());
    assert.notEqual(text, TOKEN_USAGE);
    load(text, { names, modules: { './task-updates': { TaskUpdates: remembered() } } });
    await until(() => asked.length === 2, WAIT_MS, 'a second token');
    assert.deepEqual(asked, [['/api/events-token', 'default'], ['/api/events-token', 'reload']]);
    await until(async () => (await request(`${server.tasks.http}/stats`)).json.users['page-user'] === 1, WAIT_MS, 'the connection');
    await post(server, eventFor('page-user'));
    await until(() => applied.length === 1, WAIT_MS, 'the update');
  });

  /** The class, each instance of which is stopped after the test. */
  function remembered() {
    return class extends TaskUpdates {
      constructor(options) {
        super(options);
        running.add(this);
      }
    };
  }

  it('stops for good at a refusal that no retry can mend, and when a new token is refused too', async () => {
    const nameless = watch({ url: url() });
    await nameless.reaches('stopped');
    assert.deepEqual(nameless.states, ['connecting', ['stopped', 'missing_user_id']]);

    const asked = [];
    const refused = watch({ url: url(), getToken: async (mustBeNew) => { asked.push(mustBeNew); return 'no-token'; } });
    await refused.reaches('stopped');
    assert.deepEqual(asked, [false, true]);
    assert.deepEqual(refused.states.at(-1), ['stopped', 'invalid_token']);
  });

  it('a page that stops leaves, and may start again', async () => {
    const seen = watch({ url: url(), userId: 'leaver' });
    await seen.reaches('open');
    seen.updates.stop();
    assert.deepEqual(seen.states.at(-1), 'stopped');
    await nobody(server);
    seen.updates.start();
    await seen.reaches('open');
    assert.equal(seen.gaps, 0, 'the page knows itself that it was away');
  });

  it('comes back when the server was killed, and tells of the gap', async () => {
    const first = await Server.start();
    let second;
    try {
      const seen = watch({ url: `${first.tasks.ws}/ws`, userId: 'stayer', backoffMsMin: 20, backoffMsMax: 200 });
      await seen.reaches('open');
      await first.kill();
      await seen.reaches('waiting');
      second = await Server.start({ dataDir: first.dataDir, env: { TIDINGS__TASKS__LISTEN: first.tasks.address } });
      await seen.reaches('open');
      assert.equal(seen.gaps, 1);
      await post(second, eventFor('stayer'));
      await until(() => seen.events.length === 1, WAIT_MS, 'the update');
    } finally {
      await (second ?? first).stop();
    }
  });

  it('renews its token before it expires, without a gap and without missing an event', async () => {
    let tokens = 0;
    const seen = watch({ url: url(), getToken: async () => { tokens += 1; return server.command('token', 'create', '--user', 'renewer', '--ttl', '3s', '--quiet'); } });
    await seen.reaches('open');
    let count = 0;
    while (tokens < 3) {
      await post(server, eventFor('renewer', { n: count }));
      count += 1;
      await pause(10); // the subject is the time a token lives
    }
    await post(server, eventFor('renewer', { n: count }));
    const numbers = () => new Set(seen.events.map(({ n }) => n));
    await until(() => numbers().size === count + 1, WAIT_MS, () => `${count + 1} events, there are ${numbers().size}`);
    assert.deepEqual(seen.states.filter((state) => state !== 'open'), ['connecting']);
    assert.equal(seen.gaps, 0);
    assert.equal(await metric(server, 'tidings_connections_closed_total{code="4408"}').catch(() => 0), 0);
  });

  it('notices that nobody answers, and connects anew', async () => {
    const silent = await standIn();
    const connections = [];
    silent.on('connection', (socket) => {
      connections.push(socket);
      // The second one is not even welcomed.
      if (connections.length !== 2) socket.send('{"type":"connected","message":"","user_id":"u","timestamp":""}');
    });
    try {
      const seen = watch({ url: `ws://127.0.0.1:${silent.address().port}`, userId: 'u', pingIntervalMs: 30, answerTimeoutMs: 100, backoffMsMin: 1 });
      await until(() => connections.length === 3, WAIT_MS, 'a third connection');
      assert.deepEqual(seen.states.filter(([state]) => state === 'waiting').slice(0, 2), [['waiting', 'no answer'], ['waiting', 'no answer']]);
    } finally {
      silent.clients.forEach((socket) => socket.terminate());
      silent.close();
    }
  });

  it('waits as long as the close code asks, with full jitter', async () => {
    const refusing = await standIn();
    let code;
    refusing.on('connection', (socket) => (code === 1006 ? socket.terminate() : socket.close(code)));
    try {
      for (const [closed, longest] of [[1001, 10_000], [1006, 500], [1011, 30_000], [4410, 500], [4429, 30_000], [4503, 30_000], [4508, 500]]) {
        code = closed;
        const waits = [];
        const record = (action, wait_ms) => { waits.push(wait_ms); return setTimeout(action, wait_ms); };
        const { TaskUpdates: Client } = client({ Math: { ...mathOf(), random: () => 0.75 }, setTimeout: record });
        const seen = watch({ url: `ws://127.0.0.1:${refusing.address().port}`, userId: 'u' }, Client);
        await seen.reaches('waiting');
        assert.equal(waits.at(-1), longest * 0.75, `after ${closed}`);
        seen.updates.stop();
      }
    } finally {
      refusing.close();
    }
  });

  it('React: the component shows the tasks, and leaves when it is unmounted', async () => {
    const { useTaskUpdates } = load(HOOK, { modules: { react: React, './task-updates': { TaskUpdates } } });
    const { Tasks } = load(COMPONENT.replace(PRINTED_URL, url()), { modules: { react: React, './use-task-updates': { useTaskUpdates } } });
    await nobody(server);
    const view = create(React.createElement(React.StrictMode, null, React.createElement(Tasks, { userId: 'react-user' })));
    try {
      const shown = () => (view.toJSON().children ?? []).map(({ children }) => children.join(''));
      await until(() => view.toJSON()?.props['aria-busy'] === false, WAIT_MS, 'open');
      await until(async () => (await request(`${server.tasks.http}/stats`)).json.users['react-user'] === 1, WAIT_MS, 'one connection, also in strict mode');
      await post(server, eventFor('react-user', { task_id: '1', title: 'One' }));
      await post(server, eventFor('react-user', { task_id: '2', title: 'Two' }));
      await post(server, eventFor('react-user', { task_id: '1', title: 'First', event_type: 'task.updated' }));
      await until(() => shown().join() === 'First,Two', WAIT_MS, () => `First,Two instead of ${shown()}`);
      await post(server, eventFor('react-user', { task_id: '1', event_type: 'task.deleted' }));
      await until(() => shown().join() === 'Two', WAIT_MS, 'the deletion');
    } finally {
      view.unmount();
    }
    await nobody(server);
  });

  it('every block is run', () => {
    assert.deepEqual(page.map(({ label }) => label).filter((label) => !used.has(label)), []);
  });
});

/** A server that does what Tidings does not. */
function standIn() {
  return new Promise((resolve) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => resolve(server));
  });
}

/** The functions of Math as properties that a spread copies. */
function mathOf() {
  return Object.fromEntries(Object.getOwnPropertyNames(Math).map((name) => [name, Math[name]]));
}
