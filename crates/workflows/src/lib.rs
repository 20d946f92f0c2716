//! The workflows gateway: JSON over WebSocket `/api/v1/ws`, an event stream `/api/v1/sse` or Socket.IO, rooms with access
//! control, and the HTTP routes by which
//! the application's backend says who owns what and how far it is.
//!
//! A message's journey: the connection task hands it to the session, `messages` reads it, `access` decides about
//! the room, `frames` writes the answer. A report's journey: `http` checks who calls, the store applies it in one
//! transaction with the news of it, `updates` turns them into events, and `telling` hands these to the bus.
//!
//! Invariant: what is published about an execution or a workflow is published in the order of its commits.
//! Invariant: a room that a user may not enter and one that does not exist get the same bytes after the same lookup.

mod access;
mod answers;
mod asyncapi;
mod directory;
mod encoding;
mod form;
mod frames;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod handshake;
mod http;
mod member;
mod messages;
mod pace;
mod recheck;
mod retention;
mod session;
mod snapshot;
mod socketio;
mod sse;
mod telling;
#[cfg(test)]
mod tests;
mod turns;
mod updates;
mod visible;
mod warnings;

pub use access::registry_rule;
pub use asyncapi::asyncapi;
pub use encoding::WorkflowsEncodings;
pub use gateway::{Workflows, WorkflowsLimits, WorkflowsParts};
pub use http::openapi;
pub use recheck::{Invalidated, Rechecked};
pub use socketio::{Rooms, RoomsSocket};
