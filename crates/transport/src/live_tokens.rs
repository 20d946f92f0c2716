//! No connection outlives its token: one book of a gateway's connections with tokens, swept for those that have expired
//! and looked through for those that were revoked, instead of a timer and a lookup for each.

use crate::{Deadline, Deadlines, Transport};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::Connection;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::time::MissedTickBehavior;

/// How often expiries are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Connections closed or looked at before others on the thread get their turn.
const AT_ONCE_MAX: usize = 1_024;

/// The connections that were opened with a token, each with what its gateway keeps of it. A clone is another handle.
pub struct LiveTokens<T>(Arc<Inner<T>>);

struct Inner<T> {
    grace_ms: i64,
    book: Mutex<Deadlines<Entry<T>>>,
}

struct Entry<T> {
    token: T,
    connection: Arc<Connection>,
}

/// Keeps one connection in the book as long as it lives.
pub struct LiveToken<T> {
    tokens: LiveTokens<T>,
    deadline: Deadline,
}

impl<T> LiveToken<T> {
    /// Puts another token in the place of the connection's, with its expiry. `false`: the connection is already being
    /// closed because of the one that it had.
    ///
    /// Whether the token is revoked is to be asked after this, as with [`LiveTokens::enter`].
    #[must_use]
    pub fn renew(&mut self, expiry_s: Option<i64>, token: T) -> bool {
        let at_ms = self.tokens.0.closing_ms(expiry_s);
        let mut book = self.tokens.0.book.lock();
        let Some(Entry { connection, .. }) = book.remove(self.deadline) else {
            return false;
        };
        self.deadline = book.enter(at_ms, Entry { token, connection });
        true
    }
}

impl<T> Drop for LiveToken<T> {
    fn drop(&mut self) {
        self.tokens.0.book.lock().remove(self.deadline);
    }
}

impl<T> Inner<T> {
    /// When a connection is closed whose token expires then.
    fn closing_ms(&self, expiry_s: Option<i64>) -> i64 {
        expiry_s.map_or(i64::MAX, |expiry_s| {
            expiry_s.saturating_mul(1_000).saturating_add(self.grace_ms)
        })
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
        let at_ms = self.0.closing_ms(expiry_s);
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

    /// Closes, with 4403, the connections whose token is revoked, behind the farewell of those whose protocol has one.
    pub async fn close_revoked(
        &self,
        is_revoked: impl Fn(&T) -> bool,
        farewell: impl Fn(&T) -> Option<Frame>,
    ) {
        let mut behind = None;
        loop {
            let revoked = {
                let book = self.0.book.lock();
                let (seen, last) = book.after(behind, AT_ONCE_MAX);
                let revoked: Vec<_> = seen
                    .filter(|entry| is_revoked(&entry.token))
                    .map(|entry| (entry.connection.clone(), farewell(&entry.token)))
                    .collect();
                behind = last;
                revoked
            };
            for (connection, farewell) in revoked {
                if connection.is_closing() {
                    continue;
                }
                if let Some(farewell) = farewell {
                    connection.send(farewell).await;
                }
                connection.close(CloseCode::Forbidden);
            }
            if behind.is_none() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}
