//! The gateway's parts and its routes.

use crate::identity::{Credentials, Identity, VerifiedToken};
use crate::{TasksEncodings, encoding, openapi};
use axum::Router;
use axum::extract::FromRef;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tidings_access::{Authenticator, TokenStamp, UserId};
use tidings_hub::Connection;
use tidings_store::Clock;
use tidings_transport::{LiveToken, LiveTokens, Quota, Transport};
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;

/// What the gateway is made of.
pub struct TasksParts {
    /// Connections.
    pub transport: Transport,
    /// Verifies the tokens of users, operators and services. An expiry is optional here.
    pub authenticator: Authenticator,
    /// What [`TasksEncodings::register`] gave.
    pub encodings: TasksEncodings,
    /// Who may come in.
    pub settings: TasksSettings,
    /// The time, for frames and for the expiry of tokens.
    pub clock: Clock,
}

/// Who may come in.
#[derive(Clone, Copy, Debug)]
pub struct TasksSettings {
    /// Whether `/ws` and `/sse` need a token. Without one, a `user_id` is believed.
    pub token_required: bool,
    /// Whether `/stats` needs an operator's or a service's token, because it names users.
    pub stats_token_required: bool,
    /// Connections of one user; beyond it, 4429.
    pub connections_per_user_max: usize,
    /// How long after the expiry of its token a connection is closed.
    pub expiry_grace: Duration,
}

/// The tasks gateway. A clone is another handle.
#[derive(Clone)]
pub struct Tasks(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    pub(crate) authenticator: Authenticator,
    pub(crate) encodings: TasksEncodings,
    pub(crate) settings: TasksSettings,
    clock: Clock,
    /// Connections by user.
    pub(crate) users: Quota<UserId>,
    tokens: LiveTokens<TokenStamp>,
    pub(crate) counters: TasksCounters,
    pub(crate) pong: Frame,
}

/// What clients sent.
#[derive(Debug, Default)]
pub struct TasksCounters {
    pub(crate) pings: AtomicU64,
    pub(crate) ignored: AtomicU64,
}

/// The documented answer to `GET /health`. Keys are written in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TasksHealth {
    /// `healthy`
    pub status: &'static str,
    /// `websocket-service`
    pub service: &'static str,
    /// Connections at this moment.
    pub connections: usize,
}

impl Tasks {
    /// Brings the parts together and starts watching over expiries, on the current runtime.
    pub fn new(parts: TasksParts) -> Tasks {
        let clock = parts.clock.clone();
        let now_ms = move || clock.now().as_millis();
        Tasks(Arc::new(Inner {
            authenticator: parts.authenticator,
            encodings: parts.encodings,
            settings: parts.settings,
            clock: parts.clock,
            users: Quota::new(parts.settings.connections_per_user_max),
            tokens: LiveTokens::start(&parts.transport, parts.settings.expiry_grace, now_ms),
            counters: TasksCounters::default(),
            pong: encoding::pong(),
            transport: parts.transport,
        }))
    }

    /// `/ws`, `/sse` and `/stats`. `/health` belongs to the listener, `/healthz` to the Dapr routes.
    pub fn routes(&self) -> Router {
        let (routes, _) = openapi::documented_routes().split_for_parts();
        routes.with_state(self.clone())
    }

    /// What `/health` says about this gateway.
    pub fn health(&self) -> TasksHealth {
        TasksHealth {
            status: "healthy",
            service: "websocket-service",
            connections: self.connections(),
        }
    }

    /// Connections at this moment.
    pub fn connections(&self) -> usize {
        self.0.users.count()
    }

    /// Closes, with 4403, the connections whose token is among what the authenticator says is revoked.
    pub async fn close_revoked(&self) {
        let revocations = self.0.authenticator.revocations();
        let is_revoked = |stamp: &TokenStamp| revocations.has(stamp);
        self.0.tokens.close_revoked(is_revoked, |_| None).await;
    }

    /// What clients sent so far.
    pub fn counters(&self) -> &TasksCounters {
        &self.0.counters
    }
}

impl TasksCounters {
    /// Pings answered.
    pub fn pings(&self) -> u64 {
        self.pings.load(Relaxed)
    }

    /// Messages that mean nothing here.
    pub fn ignored(&self) -> u64 {
        self.ignored.load(Relaxed)
    }
}

impl FromRef<Tasks> for Transport {
    fn from_ref(tasks: &Tasks) -> Transport {
        tasks.0.transport.clone()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

impl Inner {
    pub(crate) async fn identify(&self, credentials: Credentials) -> Result<Identity, CloseCode> {
        let is_token_required = self.settings.token_required;
        credentials
            .identify(&self.authenticator, self.now_s(), is_token_required)
            .await
    }

    /// Lets a connection live no longer than its token.
    pub(crate) fn enter(
        &self,
        token: VerifiedToken,
        connection: &Arc<Connection>,
    ) -> Result<LiveToken<TokenStamp>, CloseCode> {
        let VerifiedToken { expiry_s, stamp } = token;
        let live = self.tokens.enter(expiry_s, stamp.clone(), connection.clone());
        // It may have been revoked since it was verified, and been looked for before it was in the book.
        if self.authenticator.revocations().has(&stamp) {
            return Err(CloseCode::Forbidden);
        }
        Ok(live)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.now().as_millis().div_euclid(1_000)
    }
}
