//! The tasks gateway over real sockets, fed the way Dapr feeds it.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod client;
mod delivery;
mod identity;
mod server;
mod streams;
