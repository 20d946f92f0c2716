"""The three gateways with the clients of Python: `websockets` and `python-socketio`."""

import asyncio
import json
import unittest
import uuid

import socketio
import websockets

from server import Server

WAIT_SECONDS = 10
server = None


def setUpModule():
    global server
    server = Server()


def tearDownModule():
    if server:
        server.stop()


async def received(connection):
    return json.loads(await asyncio.wait_for(connection.recv(), WAIT_SECONDS))


async def request(*args, **kwargs):
    return await asyncio.to_thread(server.request, *args, **kwargs)


class Flow(unittest.IsolatedAsyncioTestCase):
    async def command_and_event(self, transports):
        client = socketio.AsyncClient(reconnection=False)
        events = asyncio.Queue()
        for name in ("connected", "lead_event", "voice_command_response"):
            client.on(name, lambda data, name=name: events.put_nowait((name, data)), namespace="/events")
        await client.connect(
            server.http("flow"),
            headers={"x-tenant-key": "demo-tenant-key-1"},
            namespaces=["/events"],
            transports=transports,
            wait_timeout=WAIT_SECONDS,
        )
        try:
            name, welcome = await asyncio.wait_for(events.get(), WAIT_SECONDS)
            self.assertEqual((name, welcome["message"]), ("connected", "Connected to TekUp Events Gateway"))
            command = {"command": "create_lead", "parameters": {"name": "Ada", "email": "ada@example.com"}}
            await client.emit("execute_voice_command", command, namespace="/events")
            name, event = await asyncio.wait_for(events.get(), WAIT_SECONDS)
            self.assertEqual((name, event["type"]), ("lead_event", "LEAD_CREATED"))
            name, response = await asyncio.wait_for(events.get(), WAIT_SECONDS)
            self.assertEqual((name, response["success"]), ("voice_command_response", True))
            self.assertEqual(response["data"]["leadId"], event["leadId"])
        finally:
            await client.disconnect()

    async def test_polling_then_websocket(self):
        await self.command_and_event(["polling", "websocket"])

    async def test_polling(self):
        await self.command_and_event(["polling"])

    async def test_websocket(self):
        await self.command_and_event(["websocket"])

    async def test_a_wrong_key_is_refused(self):
        client = socketio.AsyncClient(reconnection=False)
        refusals = asyncio.Queue()
        client.on("connect_error", lambda data: refusals.put_nowait(data), namespace="/events")
        with self.assertRaises(socketio.exceptions.ConnectionError):
            await client.connect(server.http("flow"), headers={"x-tenant-key": "wrong"}, namespaces=["/events"], wait_timeout=WAIT_SECONDS)
        refusal = await asyncio.wait_for(refusals.get(), WAIT_SECONDS)
        self.assertIn("authentication", refusal["message"])


class Tasks(unittest.IsolatedAsyncioTestCase):
    async def test_an_event_from_dapr_arrives(self):
        async with websockets.connect(f"{server.ws('tasks')}/ws?user_id=python-user") as connection:
            self.assertEqual((await received(connection))["type"], "connected")
            event = {"event_type": "task.created", "user_id": "python-user", "task_id": "1", "title": "From Python"}
            envelope = {"id": str(uuid.uuid4()), "source": "backend", "specversion": "1.0", "type": "com.dapr.event.sent", "data": event}
            answer = await request("tasks", "/task-updates", envelope, content_type="application/cloudevents+json")
            self.assertEqual(answer, (200, {"status": "SUCCESS"}))
            update = await received(connection)
            self.assertEqual((update["type"], update["event"]), ("task_update", event))
            await connection.send('{"type": "ping"}')
            self.assertEqual(await received(connection), {"type": "pong"})

    async def test_a_ping_frame_is_answered(self):
        async with websockets.connect(f"{server.ws('tasks')}/ws?user_id=pinger") as connection:
            waiter = await connection.ping()
            await asyncio.wait_for(waiter, WAIT_SECONDS)

    async def test_a_missing_user_is_a_close_code(self):
        async with websockets.connect(f"{server.ws('tasks')}/ws") as connection:
            with self.assertRaises(websockets.ConnectionClosed) as closed:
                await received(connection)
            self.assertEqual((closed.exception.rcvd.code, closed.exception.rcvd.reason), (4400, "missing_user_id"))


class Workflows(unittest.IsolatedAsyncioTestCase):
    async def test_an_execution_is_followed(self):
        service, token = server.token("--service"), server.token("--user", "python-owner")
        await request("workflows", "/api/v1/workflows/py-w", {"owner_id": "python-owner"}, method="PUT", token=service)
        await request("workflows", "/api/v1/executions/py-e", {"workflow_id": "py-w", "total_nodes": 2}, method="PUT", token=service)
        async with websockets.connect(f"{server.ws('workflows')}/api/v1/ws?token={token}") as connection:
            self.assertEqual((await received(connection))["type"], "connection")
            self.assertEqual((await received(connection))["room_id"], "user:python-owner")
            await connection.send(json.dumps({"type": "subscribe", "room_id": "execution:py-e"}))
            self.assertEqual((await received(connection))["event"], "subscribed")
            await request("workflows", "/api/v1/executions/py-e/status", {"status": "running", "completed_nodes": 1}, token=service)
            update = await received(connection)
            self.assertEqual(update["type"], "execution_update")
            self.assertEqual((update["data"]["status"], update["data"]["progress_percentage"]), ("running", 50))


if __name__ == "__main__":
    unittest.main()
