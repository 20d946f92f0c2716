# shellcheck shell=bash
title() { echo "python-socketio $(version_of_pip python-socketio), uvicorn $(version_of_pip uvicorn)"; }
kinds="websocket polling"

install() { install_pip; }

start() {
    [[ $1 == polling ]] && export TRANSPORTS=polling
    uvicorn socketio_server:app
}

target() {
    socketio_target "$1"
    target+=(--server peer --publish-url "http://127.0.0.1:$port/publish")
}
