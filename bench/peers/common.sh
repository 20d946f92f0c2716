# shellcheck shell=bash
# What the peers' files share. Sourced with $cache set; while running also $port, $publish_port, $work and $secret.

on_core() { # on_core CORE COMMAND…: in the foreground, or with & as a process whose id is $!
    exec taskset -c "$1" nice -n "${BENCH_NICE:-0}" "${@:2}"
}

on_server_core() { on_core "${SERVER_CORE:-0}" "$@"; }

# A build is long and may run while others work: at low priority, and one at a time if there is a lock for it.
build() {
    if [[ ${TIDINGS_BUILD_LOCK:-} ]]; then
        flock "$TIDINGS_BUILD_LOCK" nice -n 10 "$@"
    else
        nice -n 10 "$@"
    fi
}

# Below the range from which the kernel takes the ports of connections.
free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
}

wait_for_server() { # until it listens; fails with its last words when it ends or 20 s are over
    local end=$((SECONDS + 20)) waited_for
    for waited_for in $port ${publish_port_too:+$publish_port}; do
        until (exec 3<>"/dev/tcp/127.0.0.1/$waited_for") 2>/dev/null; do
            if ! kill -0 "$server_pid" 2>/dev/null || ((SECONDS > end)); then
                echo "it does not listen; its last words: $(tail -n 3 "$work/server.log")"
                return 1
            fi
            sleep 0.05
        done
    done
}

# A file below bench/ with its @marks@ filled in.
fill() {
    sed -e "s|@port@|$port|g" -e "s|@publish_port@|$publish_port|g" -e "s|@work@|$work|g" -e "s|@secret@|$secret|g" \
        -e "s|@tls@|$cache/tls|g" -e "s|@modules@|$cache/debian/root/usr/lib/nginx/modules|g" "bench/$1"
}

# The address of WebSockets of kind $1, without path.
websockets_at() { if [[ $1 == tls ]]; then echo "wss://127.0.0.1:$port"; else echo "ws://127.0.0.1:$port"; fi; }

# A certificate that nobody has to believe, as $cache/tls/{key,certificate}.pem.
make_certificate() {
    [[ -f $cache/tls/certificate.pem ]] && return
    mkdir -p "$cache/tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$cache/tls/key.pem" -out "$cache/tls/certificate.pem"
}

# The load generator's arguments for a Socket.IO server of kind $1.
socketio_target() {
    if [[ $1 == polling ]]; then
        target=(--protocol engineio-polling --url "http://127.0.0.1:$port/socket.io/?EIO=4&transport=polling")
    else
        target=(--protocol socketio --url "ws://127.0.0.1:$port/socket.io/?EIO=4&transport=websocket")
    fi
}

# npm: all packages of bench/peers/node, as locked, once per lock file.
install_npm() {
    local source=bench/peers/node to=$cache/node
    mkdir -p "$to"
    cp "$source"/*.mjs "$source/package.json" "$to/"
    cmp -s "$source/package-lock.json" "$to/package-lock.json" && return
    cp "$source/package-lock.json" "$to/package-lock.json.new"
    rm -rf "$to/node_modules" "$to/package-lock.json"
    mv "$to/package-lock.json.new" "$to/package-lock.json"
    # The native addons come built within their packages.
    (cd "$to" && npm ci --ignore-scripts --no-audit --no-fund) || { rm -f "$to/package-lock.json" && return 1; }
}

version_of_npm() { jq -r .version "$cache/node/node_modules/$1/package.json" 2>/dev/null || true; }

# PyPI: all packages of bench/peers/python in one environment, once per list.
install_pip() {
    local list=bench/peers/python/requirements.txt to=$cache/python
    cmp -s "$list" "$to/requirements.txt" && return
    python3 -m venv "$to"
    "$to/bin/pip" install --quiet --disable-pip-version-check --requirement "$list"
    cp "$list" "$to/requirements.txt"
}

version_of_pip() { sed -n "s/^$1==//p" bench/peers/python/requirements.txt; }

uvicorn() { # uvicorn MODULE:APP OPTION…
    on_server_core "$cache/python/bin/python" -m uvicorn "$1" --app-dir bench/peers/python --host 127.0.0.1 --port "$port" \
        --workers 1 --loop uvloop --http httptools --ws auto --ws-per-message-deflate false --no-access-log \
        --log-level warning --backlog 4096 "${@:2}"
}

# Debian: packages unpacked into the cache, which needs no root and starts no service.
install_deb() {
    local package to=$cache/debian
    mkdir -p "$to"
    for package in "$@"; do
        [[ -f $to/$package.version ]] && continue
        (cd "$to" && rm -f "$package"_*.deb && apt-get download "$package")
        dpkg -x "$to/$package"_*.deb "$to/root"
        dpkg-deb --field "$to/$package"_*.deb Version >"$to/$package.version"
    done
}

version_of_deb() { sed 's/^[0-9]*://; s/[+-].*//' "$cache/debian/$1.version" 2>/dev/null || true; }
