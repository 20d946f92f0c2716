# shellcheck shell=bash
sockudo_version=5.2.0
title() { echo "sockudo $sockudo_version"; }
kinds="websocket"

install() {
    [[ -x $cache/sockudo/bin/sockudo && -f $cache/sockudo/$sockudo_version ]] && return
    # One of its dependencies compiles a protocol with protoc.
    if ! command -v protoc >/dev/null; then
        install_deb protobuf-compiler libprotoc32 libprotobuf32 libprotobuf-dev
        export PROTOC=$cache/debian/root/usr/bin/protoc
        LD_LIBRARY_PATH=$(dirname "$cache"/debian/root/usr/lib/*/libprotoc.so.32)
        export LD_LIBRARY_PATH
    fi
    build cargo install --locked --root "$cache/sockudo" --target-dir "$cache/build/sockudo" "sockudo@$sockudo_version"
    touch "$cache/sockudo/$sockudo_version"
}

start() {
    fill peers/sockudo/config.toml >"$work/config.toml"
    TOKIO_WORKER_THREADS=1 on_server_core "$cache/sockudo/bin/sockudo" --config "$work/config.toml"
}

target() {
    target=(--server pusher --protocol pusher --room bench --pusher-key bench-key:bench-secret
        --url "ws://127.0.0.1:$port/app/bench-key?protocol=7&client=bench&version=1"
        --publish-url "http://127.0.0.1:$port/apps/bench/events")
}
