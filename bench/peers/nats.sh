# shellcheck shell=bash
title() { echo "nats-server $(version_of_deb nats-server), WebSocket"; }
kinds="websocket"
publish_port_too=yes

install() { install_deb nats-server; }

start() {
    fill peers/nats/nats.conf >"$work/nats.conf"
    GOMAXPROCS=1 on_server_core "$cache/debian/root/usr/sbin/nats-server" -c "$work/nats.conf"
}

target() {
    target=(--server nats --protocol nats --room bench --url "ws://127.0.0.1:$port/"
        --publish-url "http://127.0.0.1:$publish_port/")
}
