//! Events coming in from the backend's side, on their way to the bus.
//!
//! One straight line: a source takes an event apart, the [`Routes`] say where it goes, the [`Window`] tells whether it
//! was here before, the bus takes it. What can never be delivered becomes a dead letter with its reason; what cannot
//! be delivered now is given back to the broker. Sources know no client protocol and no socket.
//!
//! Invariant: an event is acknowledged only when the bus has it, when it was here before, or when it has been put
//! where somebody can find it.

mod counters;
pub mod dapr;
mod dedupe;
mod envelope;
#[cfg(test)]
mod fixture;
#[doc(hidden)]
pub mod fuzzing;
mod ingest;
pub mod kafka;
mod original;
mod outcome;
mod payload;
mod posted;
mod replay;
mod request;
mod route;
mod trial;

pub use counters::IngestCounters;
pub use dedupe::{Admission, Fingerprint, Reservation, Window};
pub use ingest::{DeadLetters, Delivery, Ingest, IngestSettings, Received};
pub use original::{Form, Headers, Original};
pub use outcome::{DropReason, Outcome, RetryReason};
pub use posted::Posted;
pub use replay::Replay;
pub use route::{Condition, Destination, Field, RULES_MAX, Routable, Routes, Rule, RuleError, Template};
pub use trial::{Trial, Unmet};
