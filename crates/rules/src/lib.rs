//! Rules about rooms that ask the application: a query on its own database, a call of its own HTTP route.
//!
//! A question's journey: what is remembered (`http/cache.rs`), whether anybody is asked at all (`breaker.rs`), a place among
//! those who may ask at one time, the question, the answer. Each step is bounded in number and time.
//!
//! Invariant: who cannot be asked, and whoever answers something else than was agreed on, lets nobody in.
//! Invariant: what is done with a question depends on the user and the form of the room's id, and on earlier answers to
//! the same question; never on whether the room exists.

mod breaker;
mod http;
mod sql;

pub use breaker::BreakerSettings;
pub use http::{HttpRule, HttpRuleError, HttpSettings};
pub use sql::{SqlRule, SqlRuleError, SqlSettings};

/// Questions of one rule that may wait for their turn. Beyond it, they have failed.
const WAITING_MAX: usize = 1_024;
