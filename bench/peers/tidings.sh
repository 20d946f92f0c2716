# shellcheck shell=bash
# Tidings in development mode: tasks for plain WebSockets, flow for Socket.IO.
title() { if [[ $1 == socketio ]]; then echo "tidings, Socket.IO"; else echo tidings; fi; }
install() { :; }
kinds="websocket tls socketio polling accept"
publish_port_too=yes
tidings=${TIDINGS_BINARY:-target/release/tidings}

start() {
    mkdir -p "$work/data"
    export TIDINGS__WORKFLOWS__LISTEN=off TIDINGS__LIMITS__HANDSHAKES_PER_SECOND=1000000
    export TIDINGS__OPERATORS__LISTEN=127.0.0.1:$publish_port TIDINGS__TASKS__LISTEN=off TIDINGS__FLOW__LISTEN=off
    case $1 in
        tls)
            make_certificate
            export TIDINGS__TASKS__LISTEN=127.0.0.1:$port TIDINGS__TLS__LISTENERS=tasks
            export TIDINGS__TLS__CERTIFICATE=$cache/tls/certificate.pem TIDINGS__TLS__KEY=$cache/tls/key.pem
            ;;
        socketio | polling) export TIDINGS__FLOW__LISTEN=127.0.0.1:$port ;;
        *) export TIDINGS__TASKS__LISTEN=127.0.0.1:$port ;;
    esac
    on_server_core "$tidings" --data-dir "$work/data"
}

target() {
    local token
    token=$("$tidings" --data-dir "$work/data" token create --service --quiet)
    target=(--server tidings --token "$token" --publish-url "http://127.0.0.1:$publish_port/api/v1/publish")
    local socketio=(--namespace /events --header 'x-tenant-key: demo-tenant-key-1' --room tenant:demo1)
    case $1 in
        websocket | tls) target+=(--url "$(websockets_at "$1")/ws?user_id=bench" --welcome) ;;
        accept)
            target+=(--url "ws://127.0.0.1:$port/ws?token={token}" --welcome --jwt-secret "$(<"$work/data/jwt-secret")")
            ;;
        socketio)
            target+=("${socketio[@]}" --protocol socketio --url "ws://127.0.0.1:$port/socket.io/?EIO=4&transport=websocket")
            ;;
        polling)
            target+=("${socketio[@]}" --protocol engineio-polling
                --url "http://127.0.0.1:$port/socket.io/?EIO=4&transport=polling")
            ;;
    esac
}
