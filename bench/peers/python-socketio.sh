# shellcheck shell=bash
title() {
    local name
    name="python-socketio $(version_of_pip python-socketio)"
    if [[ $1 == polling ]]; then echo "$name, polling"; else echo "$name, uvicorn"; fi
}
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
