# shellcheck shell=bash
title() { echo "socketioxide $(sed -n 's/^socketioxide = "=\(.*\)"/\1/p' bench/peers/socketioxide/Cargo.toml)"; }
kinds="websocket"

install() {
    local binary=$cache/socketioxide/socketioxide-peer
    if [[ -x $binary ]] && cmp -s bench/peers/socketioxide/Cargo.lock "$cache/socketioxide/Cargo.lock" &&
        cmp -s bench/peers/socketioxide/src/main.rs "$cache/socketioxide/main.rs"; then
        return
    fi
    build cargo build --locked --release --manifest-path bench/peers/socketioxide/Cargo.toml \
        --target-dir "$cache/build/socketioxide"
    mkdir -p "$cache/socketioxide"
    cp "$cache/build/socketioxide/release/socketioxide-peer" "$binary"
    cp bench/peers/socketioxide/{Cargo.lock,src/main.rs} "$cache/socketioxide/"
}

start() { PORT=$port on_server_core "$cache/socketioxide/socketioxide-peer"; }

target() {
    socketio_target "$1"
    target+=(--server peer --publish-url "http://127.0.0.1:$port/publish")
}
