//! The gateway's parts and its routes.

use crate::identity::{Credentials, Identity};
use crate::{TasksEncodings, encoding, handshake, sse, stats};
use axum::Router;
use axum::routing::get;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tidings_access::{JwtVerifier, UserId, UserTokenRules};
use tidings_store::Clock;
use tidings_transport::{Quota, TokenExpiries, Transport, get_stream};
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;

/// What the gateway is made of.
pub struct TasksParts {
    /// Connections.
    pub transport: Transport,
    /// Verifies the tokens of users, operators and services.
    pub verifier: JwtVerifier,
    /// What users' tokens must have besides a good signature; an expiry is optional here.
    pub rules: UserTokenRules,
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
}

/// The tasks gateway. A clone is another handle.
#[derive(Clone)]
pub struct Tasks(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    pub(crate) verifier: JwtVerifier,
    pub(crate) rules: UserTokenRules,
    pub(crate) encodings: TasksEncodings,
    pub(crate) settings: TasksSettings,
    clock: Clock,
    /// Connections by user.
    pub(crate) users: Quota<UserId>,
    pub(crate) expiries: TokenExpiries,
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
        let now_s = move || clock.now().as_millis().div_euclid(1_000);
        Tasks(Arc::new(Inner {
            verifier: parts.verifier,
            rules: parts.rules,
            encodings: parts.encodings,
            settings: parts.settings,
            clock: parts.clock,
            users: Quota::new(parts.settings.connections_per_user_max),
            expiries: TokenExpiries::start(&parts.transport, now_s),
            counters: TasksCounters::default(),
            pong: encoding::pong(),
            transport: parts.transport,
        }))
    }

    /// `/ws`, `/sse` and `/stats`. `/health` belongs to the listener, `/healthz` to the Dapr routes.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/ws", get(handshake::open))
            .route("/sse", get_stream(&self.0.transport, sse::open))
            .route("/stats", get(stats::stats))
            .with_state(self.clone())
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

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

impl Inner {
    pub(crate) fn identify(&self, credentials: Credentials) -> Result<Identity, CloseCode> {
        credentials.identify(
            &self.verifier,
            &self.rules,
            self.now_s(),
            self.settings.token_required,
        )
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.now().as_millis().div_euclid(1_000)
    }
}
