# shellcheck shell=bash
title() { echo "nats-server $(version_of_deb nats-server), WebSocket"; }
kinds="websocket tls"
publish_port_too=yes

install() { install_deb nats-server; }

start() {
    local security='no_tls: true'
    if [[ $1 == tls ]]; then
        make_certificate
        security="tls { cert_file: \"$cache/tls/certificate.pem\", key_file: \"$cache/tls/key.pem\" }"
    fi
    fill peers/nats/nats.conf | sed "s|@security@|$security|" >"$work/nats.conf"
    GOMAXPROCS=1 on_server_core "$cache/debian/root/usr/sbin/nats-server" -c "$work/nats.conf"
}

target() {
    target=(--server nats --protocol nats --room bench --url "$(websockets_at "$1")/"
        --publish-url "http://127.0.0.1:$publish_port/")
}
