# shellcheck shell=bash
title() { echo "FastAPI $(version_of_pip fastapi), uvicorn $(version_of_pip uvicorn)"; }
kinds="websocket"

install() { install_pip; }

start() { uvicorn fastapi_server:app; }

target() {
    target=(--server peer --url "ws://127.0.0.1:$port/ws" --publish-url "http://127.0.0.1:$port/publish")
}
