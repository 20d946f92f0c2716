# shellcheck shell=bash
title() { echo "FastAPI $(version_of_pip fastapi), uvicorn $(version_of_pip uvicorn)"; }
kinds="websocket tls"

install() { install_pip; }

start() {
    local tls=()
    if [[ $1 == tls ]]; then
        make_certificate
        tls=(--ssl-keyfile "$cache/tls/key.pem" --ssl-certfile "$cache/tls/certificate.pem")
    fi
    uvicorn fastapi_server:app "${tls[@]}"
}

target() {
    target=(--server peer --url "$(websockets_at "$1")/ws" --publish-url "http://127.0.0.1:$port/publish")
}
