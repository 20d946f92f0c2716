# shellcheck shell=bash
title() { echo "nginx $(version_of_deb nginx), nchan $(version_of_deb libnginx-mod-nchan)"; }
kinds="websocket tls"

install() {
    install_deb nginx libnginx-mod-nchan
    # With nchan loaded, nginx makes its default folders in there whatever the configuration says.
    mkdir -p /var/lib/nginx
}

start() {
    local ssl=""
    make_certificate
    [[ $1 == tls ]] && ssl=ssl
    fill peers/nchan/nginx.conf | sed "s|@ssl@|$ssl|" >"$work/nginx.conf"
    on_server_core "$cache/debian/root/usr/sbin/nginx" -p "$work" -c "$work/nginx.conf" -g 'daemon off;'
}

# The worker does everything; the master waits.
measured_pid() { pgrep -P "$server_pid" | head -n 1; }

target() {
    target=(--server peer --url "$(websockets_at "$1")/subscribe" --publish-url "http://127.0.0.1:$port/publish")
}
