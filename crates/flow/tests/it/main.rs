//! The gateway on a real hub, a real store and real sockets.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod backups;
mod compliance;
mod fixture;
mod http;
mod lead_writes;
mod outbox;
mod plain;
mod socket;
