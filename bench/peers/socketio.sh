# shellcheck shell=bash
title() { echo "socket.io $(version_of_npm socket.io), Node $(node --version)"; }
kinds="websocket polling accept"

install() { install_npm; }

start() {
    [[ $1 == accept ]] && export JWT_SECRET=$secret
    [[ $1 == polling ]] && export TRANSPORTS=polling
    PORT=$port NODE_ENV=production on_server_core node "$cache/node/socketio.mjs"
}

target() {
    socketio_target "$1"
    target+=(--server peer --publish-url "http://127.0.0.1:$port/publish")
    [[ $1 == accept ]] && target+=(--jwt-secret "$secret")
    return 0
}
