//! No connection outlives its token: one book of a gateway's connections with tokens, swept for those that have expired
//! and looked through for those that were revoked, instead of a timer and a lookup for each.

use crate::Transport;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::Connection;
use tidings_wire::close_code::CloseCode;
use tokio::time::MissedTickBehavior;

/// How often expiries are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Connections closed or looked at before others on the thread get their turn.
const AT_ONCE_MAX: usize = 1_024;

/// When a connection is to be closed. Its number tells it from others of the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deadline {
    at_ms: i64,
    number: u64,
}

/// The connections that were opened with a token, each with what its gateway keeps of it. A clone is another handle.
pub struct LiveTokens<T>(Arc<Inner<T>>);

struct Inner<T> {
    grace_ms: i64,
    book: Mutex<Book<Entry<T>>>,
}

struct Entry<T> {
    token: T,
    connection: Arc<Connection>,
}

struct Book<E> {
    entries: BTreeMap<Deadline, E>,
    next_number: u64,
}

/// Keeps one connection in the book as long as it lives.
pub struct LiveToken<T> {
    tokens: LiveTokens<T>,
    deadline: Deadline,
}

impl<T> Drop for LiveToken<T> {
    fn drop(&mut self) {
        self.tokens.0.book.lock().entries.remove(&self.deadline);
    }
}

impl<T> Clone for LiveTokens<T> {
    fn clone(&self) -> LiveTokens<T> {
        LiveTokens(self.0.clone())
    }
}

impl<T: Send + 'static> LiveTokens<T> {
    /// Starts the sweep as a task of the transport, until it shuts down. `grace` is how long after its token's expiry a
    /// connection is closed, `now_ms` the time in milliseconds since 1970.
    pub fn start(
        transport: &Transport,
        grace: Duration,
        now_ms: impl Fn() -> i64 + Send + 'static,
    ) -> LiveTokens<T> {
        let tokens = LiveTokens(Arc::new(Inner {
            grace_ms: i64::try_from(grace.as_millis()).unwrap_or(i64::MAX),
            book: Mutex::default(),
        }));
        let (sweeping, shutdown) = (tokens.clone(), transport.shutdown().clone());
        transport.spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                sweeping.close_due(now_ms()).await;
            }
        });
        tokens
    }

    /// Enters a connection. It is closed with 4408 the grace after `expiry_s`, in seconds since 1970, if there is one,
    /// unless the guard is dropped before.
    ///
    /// Whether the token is revoked is to be asked after this: before it, a revocation would not find the connection.
    pub fn enter(&self, expiry_s: Option<i64>, token: T, connection: Arc<Connection>) -> LiveToken<T> {
        let at_ms = expiry_s.map_or(i64::MAX, |expiry_s| {
            expiry_s.saturating_mul(1_000).saturating_add(self.0.grace_ms)
        });
        let entry = Entry { token, connection };
        LiveToken {
            deadline: self.0.book.lock().enter(at_ms, entry),
            tokens: self.clone(),
        }
    }

    /// Closes the connections whose time has come. The sweep's one step.
    pub async fn close_due(&self, now_ms: i64) {
        loop {
            let due = self.0.book.lock().take_due(now_ms, AT_ONCE_MAX);
            if due.is_empty() {
                return;
            }
            for entry in due {
                entry.connection.close(CloseCode::TokenExpired);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Closes, with 4403, the connections whose token is revoked.
    pub async fn close_revoked(&self, is_revoked: impl Fn(&T) -> bool) {
        let mut behind = None;
        loop {
            let revoked = {
                let book = self.0.book.lock();
                let (seen, last) = book.after(behind, AT_ONCE_MAX);
                let revoked: Vec<_> = seen
                    .filter(|entry| is_revoked(&entry.token))
                    .map(|entry| entry.connection.clone())
                    .collect();
                behind = last;
                revoked
            };
            for connection in revoked {
                if !connection.is_closing() {
                    connection.close(CloseCode::Forbidden);
                }
            }
            if behind.is_none() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

impl<E> Default for Book<E> {
    fn default() -> Book<E> {
        Book {
            entries: BTreeMap::new(),
            next_number: 0,
        }
    }
}

impl<E> Book<E> {
    fn enter(&mut self, at_ms: i64, entry: E) -> Deadline {
        let deadline = Deadline {
            at_ms,
            number: self.next_number,
        };
        self.next_number += 1;
        self.entries.insert(deadline, entry);
        deadline
    }

    /// Takes at most `limit` of those whose time has come, oldest first.
    fn take_due(&mut self, now_ms: i64, limit: usize) -> Vec<E> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            match self.entries.first_entry() {
                Some(entry) if entry.key().at_ms <= now_ms => taken.push(entry.remove()),
                _ => break,
            }
        }
        taken
    }

    /// The next `limit` entries behind this place, and the place of the last one if there may be more.
    fn after(&self, behind: Option<Deadline>, limit: usize) -> (impl Iterator<Item = &E>, Option<Deadline>) {
        let range = (behind.map_or(Unbounded, Excluded), Unbounded);
        let last = self.entries.range(range).nth(limit - 1).map(|(place, _)| *place);
        let entries = self.entries.range(range).take(limit).map(|(_, entry)| entry);
        (entries, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_when_the_time_has_come_and_not_before() {
        let mut book = Book::default();
        book.enter(100, "a");
        book.enter(100, "b");
        let ended = book.enter(99, "c");
        book.enter(i64::MAX, "never");
        book.entries.remove(&ended);
        assert!(book.take_due(99, 10).is_empty());
        assert_eq!(book.take_due(100, 1), ["a"]);
        assert_eq!(book.take_due(100, 10), ["b"]);
        assert!(book.take_due(1_000_000, 10).is_empty());
    }

    #[test]
    fn every_entry_is_looked_at_once() {
        for count in [0, 1, 2, 3, 4, 7] {
            let mut book = Book::default();
            let numbers: Vec<_> = (0..count).collect();
            for number in &numbers {
                // Several at one time.
                book.enter(i64::from(number / 3), *number);
            }
            let (mut seen, mut behind) = (Vec::new(), None);
            loop {
                let (entries, last) = book.after(behind, 2);
                seen.extend(entries.copied());
                behind = last;
                if behind.is_none() {
                    break;
                }
            }
            assert_eq!(seen, numbers);
        }
    }
}
