//! Transport over real sockets, with a client that writes its bytes by hand.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod certificate;
mod client;
mod connections;
mod engineio;
mod handshakes;
mod http;
mod polling;
mod proxies;
#[expect(clippy::duplicate_mod, reason = "the same tests over TLS")]
#[path = "connections.rs"]
mod secure_connections;
mod server;
mod socketio;
mod sse;
mod tls;
