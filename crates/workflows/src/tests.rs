//! The gateway in process, on a real hub and a real store.

mod answers;
mod fixture;
mod handshakes;
mod lifetime;
mod limits;
mod ownership;
mod reports;
mod retention;
mod routes;
mod sessions;
mod snapshots;
mod streams;
mod table_rule;
mod telling;
