import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { io } from 'socket.io-client';
import { TIMESTAMP } from '../lib/inbox.mjs';
import { evaluate, RecordingConsole } from '../lib/seed.mjs';
import { DEMO_KEYS } from '../lib/server.mjs';
import { curls } from '../lib/shell.mjs';
import { Queue, until, within } from '../lib/wait.mjs';
import { Suite } from './suite.mjs';

const require = createRequire(import.meta.url);
const WAIT_MS = 10_000;

/** What the blocks take for granted: the client library and a console. */
function scope(more = {}) {
  const console = new RecordingConsole();
  return { require, io, console, ...more };
}

/** A function that stands for one the reader is to write; its calls are kept. */
function standIn() {
  const calls = [];
  return Object.assign((...args) => calls.push(args), { calls });
}

const called = (fn, what, times = 1) => until(() => fn.calls.length >= times, WAIT_MS, `${what} is called`);

export function flowDocument(seed, place) {
  const connection = () => seed.block('Tenant API Key Authentication');
  const commands = (tenant) => seed.block('Executing Voice Commands').replace('your-tenant-id', tenant);

  describe('flow-api.md', () => {
    it('Basic Connection, Connection Events', async () => {
      const names = scope();
      const basic = seed.block('Basic Connection').replace('your-tenant-api-key', DEMO_KEYS.demo1);
      const { socket } = evaluate([basic, seed.block('Connection Events')], names, ['socket']);
      try {
        const said = await until(() => names.console.said('Welcome message:'), WAIT_MS, 'the welcome');
        assert.deepEqual(Object.keys(said[1]), ['message', 'tenantId', 'timestamp']);
        assert.equal(said[1].message, 'Connected to TekUp Events Gateway');
        assert.match(said[1].timestamp, TIMESTAMP);
        assert.ok(names.console.said('Connected to Flow API WebSocket'));
      } finally {
        socket.disconnect();
      }
      await until(() => names.console.said('Disconnected from'), WAIT_MS, 'the disconnect event');
      assert.equal(names.console.said('Connection error:'), undefined);
    });

    it('Basic Connection with the placeholder as key: the connect_error handler runs', async () => {
      const names = scope();
      const { socket } = evaluate([seed.block('Basic Connection'), seed.block('Connection Events')], names, ['socket']);
      try {
        const said = await until(() => names.console.said('Connection error:'), WAIT_MS, 'the connection error');
        assert.match(said[1].message, /^authentication failed: /);
      } finally {
        socket.disconnect();
      }
    });

    it('Tenant API Key Authentication: starts with polling, upgrades to websocket', async () => {
      const { socket } = evaluate(connection(), scope(), ['socket']);
      try {
        await within(new Promise((resolve) => socket.once('connected', resolve)), WAIT_MS, 'the welcome');
        await until(() => socket.io.engine.transport.name === 'websocket', WAIT_MS, 'the upgrade');
      } finally {
        socket.disconnect();
      }
    });

    it('Executing Voice Commands, Voice Command Examples', async () => {
      const { socket, tenantId } = await openWith(connection);
      const responses = new Queue();
      const names = scope({ socket });
      const { executeVoiceCommand } = evaluate(commands(tenantId), names, ['executeVoiceCommand']);
      socket.on('voice_command_response', (response) => responses.push(response));
      try {
        evaluate(seed.block('Voice Command Examples'), { ...names, executeVoiceCommand });
        const answers = new Map();
        for (let count = 0; count < 4; count += 1) {
          const answer = await within(responses.take(), WAIT_MS, 'a response');
          assert.equal(answer.success, true, JSON.stringify(answer));
          assert.equal(answer.tenant, tenantId);
          assert.match(answer.timestamp, TIMESTAMP);
          answers.set(answer.command, answer.data);
        }
        assert.deepEqual([...answers.keys()], ['get_leads', 'create_lead', 'search_leads', 'get_metrics']);
        assert.equal(answers.get('create_lead').lead.payload.name, 'John Doe');
        assert.equal(answers.get('create_lead').lead.payload.phone, '+45 12 34 56 78');
        assert.deepEqual(answers.get('search_leads').leads.map((lead) => lead.id), [answers.get('create_lead').leadId]);
        assert.equal(answers.get('get_metrics').metrics.new, 1);
        assert.equal(names.console.lines.filter(([first]) => first === 'Command result:').length, 4);
      } finally {
        socket.disconnect();
      }
    });

    it('Executing Voice Commands with the placeholder as tenant: Access denied', async () => {
      const { socket } = await openWith(connection);
      try {
        const { executeVoiceCommand } = evaluate(seed.block('Executing Voice Commands'), scope({ socket }), ['executeVoiceCommand']);
        const answer = new Promise((resolve) => socket.once('voice_command_response', resolve));
        executeVoiceCommand('get_leads');
        assert.equal((await within(answer, WAIT_MS, 'a response')).error, 'Access denied');
      } finally {
        socket.disconnect();
      }
    });

    it('Lead Events, Voice Events', async () => {
      const { socket } = await openWith(connection);
      const handlers = {
        handleLeadUpdated: standIn(), handleLeadStatusChanged: standIn(),
        handleVoiceCommandExecuted: standIn(), handleVoiceProcessingStarted: standIn(), handleVoiceProcessingCompleted: standIn(),
      };
      const names = scope({ socket, ...handlers });
      try {
        evaluate([seed.block('Lead Events'), seed.block('Voice Events')], names);
        socket.emit('execute_voice_command', { command: 'create_lead', parameters: { name: 'Ann', email: 'ann@example.com' } });
        await called(handlers.handleVoiceProcessingCompleted, 'handleVoiceProcessingCompleted');
        const created = names.console.said('New lead created:');
        assert.equal(created[1].payload.name, 'Ann');
        assert.deepEqual(
          names.console.lines.filter(([first]) => /^(Lead|Voice) event:/.test(first)).map(([, event]) => event.type),
          ['VOICE_PROCESSING_STARTED', 'LEAD_CREATED', 'VOICE_COMMAND_EXECUTED', 'VOICE_PROCESSING_COMPLETED']);
        assert.equal(handlers.handleVoiceProcessingStarted.calls.length, 1);
        assert.equal(handlers.handleVoiceCommandExecuted.calls.length, 1);
      } finally {
        socket.disconnect();
      }
    });

    it('Integration Events', async () => {
      const { socket, tenantId } = await openWith(connection);
      const handlers = { handleSyncStarted: standIn(), handleSyncCompleted: standIn(), handleExternalServiceError: standIn() };
      try {
        evaluate(seed.block('Integration Events'), scope({ socket, ...handlers }));
        for (const type of ['SYNC_STARTED', 'SYNC_COMPLETED', 'EXTERNAL_SERVICE_ERROR']) {
          await place.server.publish({ room: `tenant:${tenantId}`, kind: 'integration_event', data: { type, tenantId } });
        }
        await called(handlers.handleExternalServiceError, 'handleExternalServiceError');
        assert.deepEqual(Object.values(handlers).map((handler) => handler.calls.length), [1, 1, 1]);
      } finally {
        socket.disconnect();
      }
    });

    it('Connection Error Handling: an invalid key is told apart by the word authentication', async () => {
      const socket = io('http://localhost:4000/events', { forceNew: true, extraHeaders: { 'x-tenant-key': 'no-such-key' } });
      const handlers = { showAuthenticationError: standIn(), attemptReconnection: standIn() };
      try {
        evaluate(seed.block('Connection Error Handling'), scope({ socket, ...handlers }));
        await called(handlers.showAuthenticationError, 'showAuthenticationError');
        assert.equal(handlers.attemptReconnection.calls.length, 0);
      } finally {
        socket.disconnect();
      }
    });

    it('Command Error Handling: each arm is reached', async () => {
      const { socket } = await openWith(connection);
      const handlers = {
        handleAccessDeniedError: standIn(), handleUnknownCommandError: standIn(),
        handleInvalidParametersError: standIn(), handleGenericError: standIn(),
      };
      try {
        evaluate(seed.block('Command Error Handling'), scope({ socket, ...handlers }));
        socket.emit('execute_voice_command', { command: 'get_leads', tenantId: 'someone-else' });
        await called(handlers.handleAccessDeniedError, 'handleAccessDeniedError');
        socket.emit('execute_voice_command', { command: 'make_coffee' });
        await called(handlers.handleUnknownCommandError, 'handleUnknownCommandError');
        socket.emit('execute_voice_command', { command: 'create_lead', parameters: { name: 'No Email' } });
        await called(handlers.handleInvalidParametersError, 'handleInvalidParametersError');
        assert.equal(handlers.handleGenericError.calls.length, 0);
      } finally {
        socket.disconnect();
      }
    });

    it('Connection Pooling', async () => {
      const { WebSocketPool } = evaluate(seed.block('Connection Pooling'), scope(), ['WebSocketPool']);
      const pool = new WebSocketPool();
      const first = pool.getConnection('demo1', DEMO_KEYS.demo1);
      const second = pool.getConnection('demo2', DEMO_KEYS.demo2);
      const welcomes = [first, second].map((socket) => new Promise((resolve) => socket.once('connected', resolve)));
      const [one, two] = await within(Promise.all(welcomes), WAIT_MS, 'both welcomes');
      assert.notEqual(one.tenantId, two.tenantId, 'one manager, a tenant of its own per connection');
      assert.equal(pool.getConnection('demo1', DEMO_KEYS.demo1), first);
      pool.closeConnection('demo1', DEMO_KEYS.demo1);
      assert.equal(first.connected, false);
      assert.equal(second.connected, true);
      pool.closeConnection('demo2', DEMO_KEYS.demo2);
    });

    it('API Key Management: keys made here pass the printed check', () => {
      const { SecureWebSocketClient } = evaluate(seed.block('API Key Management'), scope(), ['SecureWebSocketClient']);
      const key = place.server.key('demo1', 'leads:read');
      assert.equal(new SecureWebSocketClient(key, 'demo1').apiKey, key);
      assert.throws(() => new SecureWebSocketClient('too-short', 'demo1'), /Invalid API key format/);
    });

    it('Input Validation: what passes the printed check is a command here', async () => {
      const { validateVoiceCommand } = evaluate(seed.block('Input Validation'), scope(), ['validateVoiceCommand']);
      const { socket } = await openWith(connection);
      try {
        for (const command of ['get_leads', 'search_leads', 'get_metrics', 'start_backup', 'compliance_check']) {
          const parameters = command === 'search_leads' ? { query: 'john' } : {};
          validateVoiceCommand(command, parameters);
          const answer = await socket.timeout(WAIT_MS).emitWithAck('execute_voice_command', { command, parameters });
          assert.ok(answer.success, `${command}: ${JSON.stringify(answer)}`);
        }
        assert.throws(() => validateVoiceCommand('make_coffee', {}), /Invalid command/);
      } finally {
        socket.disconnect();
      }
    });

    it('Integration Testing: the printed test passes', async () => {
      const suite = new Suite();
      evaluate(seed.block('Integration Testing'), scope(suite.globals));
      assert.deepEqual(await within(suite.run(), 30_000, 'the printed test'), ['should execute get_leads command']);
    });

    it('Connection Monitoring', async () => {
      const names = scope();
      const { WebSocketMonitor } = evaluate(seed.block('Connection Monitoring'), names, ['WebSocketMonitor']);
      const monitor = new WebSocketMonitor();
      const { socket } = evaluate(connection(), scope(), ['socket']);
      monitor.monitorConnection(socket);
      const answered = new Promise((resolve) => socket.on('voice_command_response', resolve));
      socket.emit('execute_voice_command', { command: 'get_leads' });
      await within(answered, WAIT_MS, 'a response');
      socket.disconnect();
      const stats = await until(() => (monitor.getStats().disconnectCount === 1 ? monitor.getStats() : null), WAIT_MS, 'the disconnect is counted');
      assert.ok(stats.connectTime instanceof Date);
      assert.equal(stats.messagesSent, 1);
      assert.equal(stats.messagesReceived, 1);
    });

    it('Debug Logging', () => {
      const localStorage = {};
      const process = { env: { NODE_ENV: 'development' } };
      const { enableWebSocketDebug } = evaluate(seed.block('Debug Logging'), scope({ localStorage, process }), ['enableWebSocketDebug']);
      enableWebSocketDebug();
      assert.deepEqual(localStorage, { debug: 'socket.io-client:*' });
    });

    it('Debug Commands', async () => {
      const [upgrade, health, leads] = await curls(seed.block('Debug Commands'));
      assert.equal(upgrade.status, 426, 'an upgrade without Sec-WebSocket-Version');
      assert.equal(health.status, 200);
      assert.equal(health.json().status, 'healthy');
      assert.equal(health.json().service, 'flow-api');
      assert.equal(leads.status, 200);
      assert.ok(Array.isArray(leads.json().data));
    });
  });
}

/** The printed connection, welcomed. */
async function openWith(connection) {
  const { socket } = evaluate(connection(), scope(), ['socket']);
  const { tenantId } = await within(new Promise((resolve) => socket.once('connected', resolve)), WAIT_MS, 'the welcome');
  return { socket, tenantId };
}
