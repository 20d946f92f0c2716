//! No connection outlives its token: one sweep for all of a gateway's connections instead of a timer for each.

use crate::Transport;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::Connection;
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

/// The deadlines of all connections whose token expires. A clone is another handle.
#[derive(Clone, Default)]
pub struct TokenExpiries(Arc<Mutex<State<Arc<Connection>>>>);

struct State<T> {
    due: BTreeMap<Deadline, T>,
    next_number: u64,
}

/// Watches over one connection as long as it lives.
pub struct TokenExpiry {
    expiries: TokenExpiries,
    deadline: Deadline,
}

impl Drop for TokenExpiry {
    fn drop(&mut self) {
        self.expiries.0.lock().due.remove(&self.deadline);
    }
}

impl TokenExpiries {
    /// Starts the sweep as a task of the transport, until it shuts down. `now_s` is the time in seconds since 1970.
    pub fn start(transport: &Transport, now_s: impl Fn() -> i64 + Send + 'static) -> TokenExpiries {
        let expiries = TokenExpiries::default();
        let (sweeping, shutdown) = (expiries.clone(), transport.shutdown().clone());
        transport.spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                sweeping.close_due(now_s()).await;
            }
        });
        expiries
    }

    /// The connection is closed with 4408 25 s after `expiry_s`, unless the guard is dropped before.
    pub fn watch(&self, expiry_s: i64, connection: Arc<Connection>) -> TokenExpiry {
        let deadline = self.0.lock().watch(expiry_s, connection);
        TokenExpiry {
            expiries: self.clone(),
            deadline,
        }
    }

    /// Closes the connections whose time has come. The sweep's one step.
    pub async fn close_due(&self, now_s: i64) {
        loop {
            let due = self.0.lock().take_due(now_s, CLOSED_AT_ONCE_MAX);
            if due.is_empty() {
                return;
            }
            for connection in due {
                connection.close(CloseCode::TokenExpired);
            }
            tokio::task::yield_now().await;
        }
    }
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State {
            due: BTreeMap::new(),
            next_number: 0,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_after_the_grace_and_not_before() {
        let mut state = State::default();
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
