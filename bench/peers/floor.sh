# shellcheck shell=bash
# The floor (bench/src/bin/floor): `coalesced` collects as many publishes as are in flight.
title() { if [[ $1 == coalesced ]]; then echo "floor by $in_flight"; else echo floor; fi; }
install() { :; }
kinds="websocket coalesced"

start() {
    local coalesce=1
    [[ $1 == coalesced ]] && coalesce=$in_flight
    on_server_core target/release/floor --listen "127.0.0.1:$port" --coalesce "$coalesce"
}

target() {
    target=(--server floor --url "ws://127.0.0.1:$port/")
}
