"""python-socketio: every socket of the root namespace is in one room; POST /publish emits its body to all of them."""

import json
import os

import socketio
from fastapi import FastAPI, Request, Response

transports = os.environ.get("TRANSPORTS", "websocket").split(",")
sockets = socketio.AsyncServer(async_mode="asgi", transports=transports, cors_allowed_origins=[])
api = FastAPI()


@api.post("/publish")
async def publish(request: Request) -> Response:
    await sockets.emit("task_update", json.loads(await request.body()))
    return Response()


app = socketio.ASGIApp(sockets, api)
