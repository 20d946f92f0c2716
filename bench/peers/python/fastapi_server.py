"""FastAPI: every WebSocket is in one room; POST /publish sends its body to all of them."""

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

app = FastAPI()
sockets: set[WebSocket] = set()


@app.websocket("/ws")
async def connect(socket: WebSocket) -> None:
    await socket.accept()
    sockets.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sockets.discard(socket)


@app.post("/publish")
async def publish(request: Request) -> Response:
    text = (await request.body()).decode()
    for socket in list(sockets):
        await socket.send_text(text)
    return Response()
