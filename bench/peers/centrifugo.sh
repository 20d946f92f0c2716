# shellcheck shell=bash
centrifugo_version=v6.9.1
title() { echo "Centrifugo $centrifugo_version"; }
kinds="websocket accept"

install() {
    [[ -x $cache/centrifugo/centrifugo && -f $cache/centrifugo/$centrifugo_version ]] && return
    GOBIN=$cache/centrifugo GOFLAGS=-mod=mod build go install "github.com/centrifugal/centrifugo/v6@$centrifugo_version"
    touch "$cache/centrifugo/$centrifugo_version"
}

start() {
    fill peers/centrifugo/config.json >"$work/config.json"
    GOMAXPROCS=1 on_server_core "$cache/centrifugo/centrifugo" -c "$work/config.json"
}

target() {
    # A handshake is connecting with a token, without a channel.
    local room=bench
    [[ $1 == accept ]] && room=""
    target=(--server centrifugo --protocol centrifugo --room "$room"
        --url "ws://127.0.0.1:$port/connection/websocket"
        --publish-url "http://127.0.0.1:$port/api/publish" --publish-header 'X-API-Key: bench')
    [[ $1 == accept ]] && target+=(--jwt-secret "$secret")
    return 0
}
