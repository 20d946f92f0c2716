//! No connection outlives its token: one sweep for all of them instead of a timer for each.

use crate::tasks::Inner;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tidings_hub::Connection;
use tidings_transport::Transport;
use tidings_wire::close_code::CloseCode;
use tokio::time::MissedTickBehavior;

/// How long after the expiry of its token a connection is closed.
const GRACE_S: i64 = 25;
/// How often expiries are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Connections closed before others on the thread get their turn.
const CLOSED_AT_ONCE_MAX: usize = 1_024;

/// When a connection is to be closed. Its number tells it from others of the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deadline {
    at_s: i64,
    number: u64,
}

/// The deadlines of all connections whose token expires.
pub(crate) struct Expiries(Mutex<State<Arc<Connection>>>);

struct State<T> {
    due: BTreeMap<Deadline, T>,
    next_number: u64,
}

/// Watches over one connection as long as it lives.
pub(crate) struct Expiry {
    gateway: Arc<Inner>,
    deadline: Deadline,
}

impl Expiry {
    /// The connection is closed some time after `expiry_s`.
    pub(crate) fn watch(gateway: Arc<Inner>, expiry_s: i64, connection: Arc<Connection>) -> Expiry {
        let deadline = gateway.expiries.0.lock().watch(expiry_s, connection);
        Expiry { gateway, deadline }
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        self.gateway.expiries.0.lock().due.remove(&self.deadline);
    }
}

impl Default for Expiries {
    fn default() -> Expiries {
        Expiries(Mutex::new(State {
            due: BTreeMap::new(),
            next_number: 0,
        }))
    }
}

impl<T> State<T> {
    fn watch(&mut self, expiry_s: i64, what: T) -> Deadline {
        let deadline = Deadline {
            at_s: expiry_s.saturating_add(GRACE_S),
            number: self.next_number,
        };
        self.next_number += 1;
        self.due.insert(deadline, what);
        deadline
    }

    /// Takes at most `limit` of those whose time has come, oldest first.
    fn take_due(&mut self, now_s: i64, limit: usize) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            match self.due.first_entry() {
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
        close_expired(&gateway).await;
    }
}

async fn close_expired(gateway: &Inner) {
    loop {
        let due = gateway
            .expiries
            .0
            .lock()
            .take_due(gateway.now_s(), CLOSED_AT_ONCE_MAX);
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
        let mut state = State {
            due: BTreeMap::new(),
            next_number: 0,
        };
        state.watch(100, "a");
        state.watch(100, "b");
        let ended = state.watch(99, "c");
        state.watch(i64::MAX, "never");
        state.due.remove(&ended);
        assert!(state.take_due(124, 10).is_empty());
        assert_eq!(state.take_due(125, 1), ["a"]);
        assert_eq!(state.take_due(125, 10), ["b"]);
        assert!(state.take_due(1_000_000, 10).is_empty());
    }
}
