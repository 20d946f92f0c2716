import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import React, { useEffect, useRef, useState } from 'react';
import { act, create } from 'react-test-renderer';
import WebSocket from 'ws';
import { request } from '../lib/http.mjs';
import { assertSameKeys, Inbox, TIMESTAMP } from '../lib/inbox.mjs';
import { evaluate, RecordingConsole } from '../lib/seed.mjs';
import { curls } from '../lib/shell.mjs';
import { until, within } from '../lib/wait.mjs';
import { Page } from './page.mjs';

const WAIT_MS = 10_000;
const EXECUTION = '123e4567-e89b-12d3-a456-426614174000';

export function workflowsDocument(seed, place) {
  const backend = async (method, target, body) => {
    const answer = await place.server.backend(method, target, body);
    assert.ok(answer.status === 200 || answer.status === 201, `${method} ${target}: ${answer.status} ${answer.text}`);
  };
  const report = (execution, body) => backend('POST', `/api/v1/executions/${execution}/status`, body);

  /** An execution of its own, pending, that `owner` may watch. */
  const own = async (owner, execution, workflow = `workflow-of-${execution}`) => {
    await backend('PUT', `/api/v1/workflows/${workflow}`, { owner_id: owner });
    await backend('PUT', `/api/v1/executions/${execution}`, { workflow_id: workflow, total_nodes: 7 });
  };

  /** The printed endpoint, opened, its two opening frames taken. */
  const open = async (user) => {
    const inbox = await Inbox.open(seed.block('Endpoint').replace('<JWT_ACCESS_TOKEN>', place.server.token(user)));
    return { inbox, opening: [await inbox.json(), await inbox.json()] };
  };

  const activeRooms = async () => (await request('http://localhost:8000/api/v1/ws/rooms', { token: place.server.operatorToken })).json.active_rooms;

  describe('workflow-updates.md', () => {
    it('Endpoint, Authentication, Connection Confirmation, User Room', async () => {
      const { inbox, opening: [connection, subscription] } = await open('reader');
      try {
        assertSameKeys(connection, seed.json('Connection Confirmation'));
        assert.deepEqual([connection.type, connection.event], ['connection', 'connected']);
        assert.match(connection.timestamp, TIMESTAMP);
        assert.equal(subscription.room_id, seed.block('User Room').replace('{user_id}', 'reader'));
      } finally {
        await inbox.close();
      }
      const { ws } = evaluate(seed.block('Authentication'), { WebSocket, accessToken: place.server.token('reader') }, ['ws']);
      const first = await within(new Promise((resolve) => { ws.onmessage = resolve; }), WAIT_MS, 'a frame');
      assert.equal(JSON.parse(first.data).type, 'connection');
      ws.close();
    });

    it('the printed messages and answers', async () => {
      const owner = 'user-id';
      await own(owner, EXECUTION, EXECUTION);
      const { inbox } = await open(owner);
      const confirmation = { ...seed.json('Subscription Confirmation'), timestamp: null };
      const confirmed = async (block) => {
        inbox.send(block);
        const answer = await inbox.json();
        assertSameKeys(answer, seed.json('Subscription Confirmation'));
        return { ...answer, timestamp: null };
      };
      try {
        assert.deepEqual(await confirmed(seed.block('Subscribe to a Room')), confirmation);
        assert.deepEqual(await confirmed(seed.block('Execution Room', 2)), confirmation);
        assert.equal(seed.block('Execution Room', 1).replace('{execution_id}', EXECUTION), confirmation.room_id);
        const workflowRoom = seed.block('Workflow Room', 1).replace('{workflow_id}', EXECUTION);
        assert.deepEqual(await confirmed(seed.block('Workflow Room', 2)), { ...confirmation, room_id: workflowRoom });

        const update = seed.json('Execution Status Update');
        const { execution_id: _, ...reported } = update.data;
        await report(EXECUTION, reported);
        const gotUpdate = await inbox.json();
        assertSameKeys(gotUpdate, update);
        assert.deepEqual({ ...gotUpdate, timestamp: null }, { ...update, timestamp: null });

        const node = seed.json('Node Execution Update');
        const { execution_id: __, node_id: nodeId, ...reportedNode } = node.data;
        await backend('POST', `/api/v1/executions/${EXECUTION}/nodes/${nodeId}/status`, reportedNode);
        const gotNode = await inbox.json();
        assertSameKeys(gotNode, node);
        assert.deepEqual({ ...gotNode, timestamp: null }, { ...node, timestamp: null });

        inbox.send(seed.block('Ping (Keepalive)'));
        assertSameKeys(await inbox.find((message) => message.type === 'pong', 'the pong'), seed.json('Pong Response'));
        assert.deepEqual(await confirmed(seed.block('Unsubscribe from a Room')), { ...confirmation, event: 'unsubscribed' });
      } finally {
        await inbox.close();
      }
      const stranger = await open('stranger');
      stranger.inbox.send(seed.block('Subscribe to a Room'));
      assert.equal(await stranger.inbox.text(), JSON.stringify(seed.json('Error')));
      await stranger.inbox.close();
    });

    it('JavaScript Example: the class follows an execution from pending to completed', async () => {
      const [printedClass, usage] = seed.block('JavaScript Example').split('// Usage');
      const owner = 'class-reader';
      await backend('PUT', '/api/v1/workflows/class-workflow', { owner_id: owner });
      const execution = 'class-execution';
      await own(owner, execution, 'class-workflow');

      const page = new Page();
      const console = new RecordingConsole();
      const names = { WebSocket, document: page, console, accessToken: place.server.token(owner) };
      const { WorkflowWebSocket } = evaluate(printedClass, names, ['WorkflowWebSocket']);
      class Subscribing extends WorkflowWebSocket {
        handleMessage(message) {
          super.handleMessage(message);
          if (message.type === 'connection') this.subscribeToExecution(execution);
        }
      }
      const timers = [];
      const { wsClient } = evaluate(usage, {
        ...names, WorkflowWebSocket: Subscribing, setInterval: (fn, period_ms) => timers.push({ fn, period_ms }),
      }, ['wsClient']);
      wsClient.maxReconnectAttempts = 0; // else the printed class reconnects for ever after disconnect()
      const shown = (id) => page.getElementById(id);
      try {
        await until(() => console.lines.some(([, room]) => room === `execution:${execution}`), WAIT_MS, 'the subscription');
        assert.ok(console.said('Connected with ID:'));

        await report(execution, { status: 'running', progress_percentage: 45.5, completed_nodes: 3, current_node: 'node-3' });
        await until(() => shown('execution-status').textContent === 'running', WAIT_MS, 'running');
        assert.equal(shown('execution-progress').style.width, '45.5%');
        assert.equal(shown('execution-progress').textContent, '46%');

        await backend('POST', `/api/v1/executions/${execution}/nodes/node-1/status`, { status: 'running', node_name: 'Agent' });
        await until(() => shown('node-node-1').className === 'node status-running', WAIT_MS, 'the node');
        assert.equal(shown('node-node-1').querySelector('.status').textContent, 'running');

        await report(execution, { status: 'completed' });
        await until(() => shown('execution-status').textContent === 'completed', WAIT_MS, 'completed');
        assert.equal(shown('execution-status').className, 'status-completed');
        assert.equal(shown('execution-progress').style.width, '100%');

        assert.deepEqual(timers.map((timer) => timer.period_ms), [30_000]);
        timers[0].fn();
        await until(() => console.said('Pong received'), WAIT_MS, 'the pong');
        wsClient.unsubscribeFromExecution(execution);
        await until(() => console.lines.filter(([, room]) => room === `execution:${execution}`).length === 2, WAIT_MS, 'the unsubscription');
        assert.equal(console.said('Error:'), undefined);
      } finally {
        wsClient.disconnect();
      }
      await until(() => console.said('WebSocket disconnected'), WAIT_MS, 'the close');
    });

    it('React Example: the hook follows an execution from pending to completed', async () => {
      const owner = 'hook-reader';
      const execution = 'hook-execution';
      await own(owner, execution);
      globalThis.IS_REACT_ACT_ENVIRONMENT = true;
      const sent = [];
      class Watched extends WebSocket {
        send(text) { sent.push(JSON.parse(text)); super.send(text); }
      }
      const { useWorkflowWebSocket } = evaluate(
        seed.block('React Example'),
        { WebSocket: Watched, require: () => ({ useEffect, useRef, useState }) }, ['useWorkflowWebSocket']);
      const token = place.server.token(owner);
      let shown;
      const View = () => { shown = useWorkflowWebSocket(token, execution); return null; };
      const settle = (probe, what) => until(async () => { await act(async () => {}); return probe(); }, WAIT_MS, what);

      let view;
      await act(async () => { view = create(React.createElement(View)); });
      assert.deepEqual(shown, { executionStatus: null, isConnected: false });
      await settle(() => shown.isConnected, 'the hook is connected');
      assert.deepEqual(sent, [{ type: 'subscribe', room_id: `execution:${execution}` }]);
      await until(async () => (await activeRooms()).includes(`execution:${execution}`), WAIT_MS, 'the subscription');

      await report(execution, { status: 'pending' });
      assert.equal(shown.executionStatus, null, 'the same status again is not published');
      await report(execution, { status: 'running', progress_percentage: 25, completed_nodes: 1 });
      await settle(() => shown.executionStatus?.status === 'running', 'running');
      assert.equal(shown.executionStatus.progress_percentage, 25);
      assert.equal(shown.executionStatus.total_nodes, 7);
      await report(execution, { status: 'completed' });
      await settle(() => shown.executionStatus.status === 'completed', 'completed');
      assert.equal(shown.executionStatus.progress_percentage, 100);

      await act(async () => view.unmount());
      await until(async () => !(await activeRooms()).includes(`execution:${execution}`), WAIT_MS, 'unmounting leaves the room');
      globalThis.IS_REACT_ACT_ENVIRONMENT = false;
    });

    it('Get WebSocket Statistics, Get Active Rooms: the printed answers', async () => {
      const stats = (token) => curls(seed.block('Get WebSocket Statistics', 1).replace('<token>', token)).then(([answer]) => answer);
      const printed = seed.json('Get WebSocket Statistics', 2);
      const rooms = seed.json('Get Active Rooms', 2);
      await until(async () => (await stats(place.server.token('user-id'))).json().total_connections === 0, WAIT_MS, 'no connection of another test');
      const others = 'statistics-other';
      await own('user-id', 'counted-execution', 'abc-def-ghi');
      const users = [...Array(printed.user_connections).fill('user-id'), ...Array(printed.total_connections - printed.user_connections).fill(others)];
      const inboxes = [];
      try {
        for (const user of users) inboxes.push((await open(user)).inbox);
        inboxes[0].send({ type: 'subscribe', room_id: 'workflow:abc-def-ghi' });
        assert.equal((await inboxes[0].json()).event, 'subscribed');
        const answer = await stats(place.server.token('user-id'));
        assert.equal(answer.status, 200);
        assert.equal(answer.body.trim(), JSON.stringify(printed));

        await own('user-id', EXECUTION, EXECUTION);
        inboxes[0].send({ type: 'subscribe', room_id: rooms.active_rooms[0] });
        assert.equal((await inboxes[0].find((message) => message.type !== 'pong')).event, 'subscribed');
        const [active] = await curls(seed.block('Get Active Rooms', 1).replace('<token>', place.server.token('user-id')));
        assert.equal(active.status, 200);
        assertSameKeys(active.json(), rooms);
        assert.deepEqual({ ...active.json(), active_rooms: active.json().active_rooms.sort() }, { ...rooms, active_rooms: [...rooms.active_rooms].sort() });
      } finally {
        await Promise.all(inboxes.map((inbox) => inbox.close()));
      }
    });
  });
}
