//! No connection outlives its token: one sweep for all of them instead of a timer for each.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_hub::Connection;
use tidings_transport::Transport;
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;
use tokio::time::MissedTickBehavior;

use crate::gateway::Inner;

/// How long after the expiry of its token a connection is closed.
const GRACE_S: i64 = 25;
/// How often expiries are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Connections closed before others on the thread get their turn.
const CLOSED_AT_ONCE_MAX: usize = 1_024;

/// When a connection is to be closed, and which: of several with the same second, each has its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    at_s: i64,
    number: u64,
}

/// The deadlines of all connections.
pub(crate) struct Expiries<T>(Mutex<State<T>>);

struct State<T> {
    due: BTreeMap<Deadline, T>,
    next_number: u64,
}

impl<T> Expiries<T> {
    pub(crate) fn new() -> Expiries<T> {
        Expiries(Mutex::new(State {
            due: BTreeMap::new(),
            next_number: 0,
        }))
    }

    /// Watches over something whose token expires at `expiry_s`, until it is forgotten.
    pub(crate) fn watch(&self, expiry_s: i64, what: T) -> Deadline {
        let mut state = self.0.lock();
        let deadline = Deadline {
            at_s: expiry_s.saturating_add(GRACE_S),
            number: state.next_number,
        };
        state.next_number += 1;
        state.due.insert(deadline, what);
        deadline
    }

    pub(crate) fn forget(&self, deadline: Deadline) {
        self.0.lock().due.remove(&deadline);
    }

    /// Takes at most `limit` of those whose time has come, oldest first.
    fn take_due(&self, now_s: i64, limit: usize) -> Vec<T> {
        let mut state = self.0.lock();
        let mut taken = Vec::new();
        while taken.len() < limit {
            match state.due.first_entry() {
                Some(entry) if entry.key().at_s <= now_s => taken.push(entry.remove()),
                _ => break,
            }
        }
        taken
    }
}

/// Closes connections whose token has expired, until the gateway is gone or the server stops.
pub(crate) async fn sweep(gateway: Weak<Inner>, transport: Transport) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = transport.shutdown().cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(gateway) = gateway.upgrade() else { return };
        close_expired(&gateway.expiries, gateway.now()).await;
    }
}

pub(crate) async fn close_expired(expiries: &Expiries<Arc<Connection>>, now: Timestamp) {
    loop {
        let due = expiries.take_due(now.as_millis().div_euclid(1_000), CLOSED_AT_ONCE_MAX);
        if due.is_empty() {
            return;
        }
        for connection in due {
            connection.close(CloseCode::TokenExpired);
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_after_the_grace_and_not_before() {
        let expiries = Expiries::new();
        expiries.watch(100, "a");
        expiries.watch(100, "b");
        let forgotten = expiries.watch(99, "c");
        expiries.watch(i64::MAX, "never");
        expiries.forget(forgotten);
        assert!(expiries.take_due(124, 10).is_empty());
        assert_eq!(expiries.take_due(125, 1), ["a"]);
        assert_eq!(expiries.take_due(125, 10), ["b"]);
        assert!(expiries.take_due(1_000_000, 10).is_empty());
    }
}
