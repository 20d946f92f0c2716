# shellcheck shell=bash
title() { echo "ws $(version_of_npm ws), Node $(node --version)"; }
kinds="websocket tls accept"

install() { install_npm; }

start() {
    [[ $1 == accept ]] && export JWT_SECRET=$secret
    [[ $1 == tls ]] && make_certificate && export TLS=$cache/tls
    PORT=$port NODE_ENV=production on_server_core node "$cache/node/ws.mjs"
}

target() {
    target=(--server peer --url "$(websockets_at "$1")/?token={token}" --publish-url "http://127.0.0.1:$port/publish")
    [[ $1 == accept ]] && target+=(--jwt-secret "$secret" --welcome)
    return 0
}
