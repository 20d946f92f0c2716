//! The flow gateway: tenants with their keys, voice commands and lead events, over Socket.IO, plain WebSocket and
//! HTTP.
//!
//! A connection belongs to one tenant key and is in one room, `tenant:{id}`, from its first moment to its last; no
//! client message can name another. Every entry (Socket.IO, plain WebSocket, HTTP) is thin: commands are carried
//! out in `command`, and what the room hears goes over the bus in the order of `command::execution`.
//!
//! Invariant: the tenant of whatever is read, written or published is the key's, never the client's word.

mod asyncapi;
mod audit;
mod authentication;
pub mod backup;
mod command;
mod compliance;
mod contact;
mod encoding;
mod envelope;
mod flow;
#[doc(hidden)]
pub mod fuzzing;
mod http;
pub mod import;
mod jobs;
mod parameters;
mod period;
mod plain;
mod response;
mod socket;
mod usage;
mod welcome;

pub use asyncapi::asyncapi;
pub use compliance::{ComplianceSettings, ListenerReach, ListenerSecurity};
pub use encoding::FlowEncodings;
pub use flow::{Flow, FlowLimits, Health};
pub use http::openapi;
pub use socket::{Events, EventsSocket};
pub use tidings_outbox::OutboxFigures;
