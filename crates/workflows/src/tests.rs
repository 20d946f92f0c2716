//! The gateway in process, on a real hub and a real store.

mod fixture;
mod handshakes;
mod ownership;
mod reports;
mod routes;
mod sessions;
mod streams;
