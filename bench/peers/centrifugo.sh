# shellcheck shell=bash
centrifugo_version=v6.9.1
title() { echo "Centrifugo $centrifugo_version"; }
kinds="websocket tls accept"

install() {
    [[ -x $cache/centrifugo/centrifugo && -f $cache/centrifugo/$centrifugo_version ]] && return
    GOBIN=$cache/centrifugo GOFLAGS=-mod=mod build go install "github.com/centrifugal/centrifugo/v6@$centrifugo_version"
    touch "$cache/centrifugo/$centrifugo_version"
}

start() {
    local tls=false
    make_certificate
    [[ $1 == tls ]] && tls=true
    fill peers/centrifugo/config.json | sed "s|@tls_enabled@|$tls|" >"$work/config.json"
    GOMAXPROCS=1 on_server_core "$cache/centrifugo/centrifugo" -c "$work/config.json"
}

target() {
    # A handshake is connecting with a token, without a channel.
    local room=bench
    [[ $1 == accept ]] && room=""
    target=(--server centrifugo --protocol centrifugo --room "$room"
        --url "$(websockets_at "$1")/connection/websocket"
        --publish-url "http://127.0.0.1:$port/api/publish" --publish-header 'X-API-Key: bench')
    [[ $1 == accept ]] && target+=(--jwt-secret "$secret")
    return 0
}
