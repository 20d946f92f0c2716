//! The hub over real sockets: one binary, one file per promise.

#![expect(clippy::unwrap_used, reason = "a failed step fails its test")]

mod admission;
mod classes;
mod compression;
mod failure;
mod fixture;
mod heartbeat;
mod order;
mod relays;
mod rooms;
mod slow;
mod turns;
