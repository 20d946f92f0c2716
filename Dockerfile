# syntax=docker/dockerfile:1
# The gateway alone on a distroless image, without a shell and without root:
#   docker build -t websocket-service:latest .
# Both stages are of one Debian release, so that the C library is the same.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# A C compiler, make, cmake and perl: for SQLite, aws-lc-rs, jemalloc, librdkafka and its OpenSSL, all of them linked in.
# Without versions: Debian removes a release's old ones, so that a pinned one would end the build some day.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends build-essential cmake perl pkg-config \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY bench bench
# The binary has the page of examples/board in it.
COPY examples examples
# The caches outlive the build; the binary has to leave them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package tidings --features kafka-tls \
  && install -D target/release/tidings /image/usr/local/bin/tidings \
  && install -d --mode=0700 --owner=65532 --group=65532 /image/var/lib/tidings

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="tidings" \
      org.opencontainers.image.description="A real-time event gateway: events from Kafka and Dapr to WebSockets" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image /
# By number: Kubernetes cannot tell that a named user is not root.
USER 65532:65532
ENV TIDINGS__SERVER__DATA_DIR=/var/lib/tidings
VOLUME /var/lib/tidings
# flow, tasks, workflows, operators; each only where its `listen` is told to be reached from outside.
EXPOSE 4000 8004 8000 9400
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/tidings", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/tidings"]
