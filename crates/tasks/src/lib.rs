//! The tasks gateway: JSON over WebSocket or an event stream, each connection in the room of its user and in no other.
//!
//! A client connects to `/ws` or `/sse` with a user id or a token, is welcomed, and from then on gets every event of its user.
//! The one message it may send, on `/ws`, is a ping. Events come in elsewhere: this crate publishes nothing.
//!
//! Invariant: a connection's only room is `user:{id}`, where the id is the token's `sub` if there is a token; no
//! message changes it.

mod asyncapi;
mod encoding;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod identity;
mod message;
mod openapi;
mod session;
mod sse;
mod stats;
mod tasks;

pub use asyncapi::asyncapi;
pub use encoding::TasksEncodings;
pub use openapi::openapi;
pub use tasks::{Tasks, TasksCounters, TasksHealth, TasksParts, TasksSettings};
