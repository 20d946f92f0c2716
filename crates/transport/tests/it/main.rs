//! Transport over real sockets, with a client that writes its bytes by hand.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod client;
mod connections;
mod engineio;
mod handshakes;
mod http;
mod polling;
mod proxies;
mod server;
mod socketio;
mod sse;
