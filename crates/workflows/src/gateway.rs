//! The gateway's parts and its routes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tidings_access::{Authenticator, Claims, RegistryRule, RoomAccess, RoomRule, TokenError, TokenStamp};
use tidings_bus::{Bus, BusError};
use tidings_hub::{Connection, Event};
use tidings_store::{Clock, Store};
use tidings_transport::{LiveToken, LiveTokens, Transport, get_stream};
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;

use crate::access::StoreOwnership;
use crate::directory::Directory;
use crate::turns::Turns;
use crate::{WorkflowsEncodings, handshake, http, sse};

/// What the gateway is made of.
pub struct WorkflowsParts {
    /// Connections.
    pub transport: Transport,
    /// Where events go.
    pub bus: Arc<dyn Bus>,
    /// Workflows, executions and their owners.
    pub store: Store,
    /// Verifies the tokens of users, operators and services. Those of users without expiry are refused here.
    pub authenticator: Authenticator,
    /// What [`WorkflowsEncodings::register`] gave.
    pub encodings: WorkflowsEncodings,
    /// What one connection and one user may have.
    pub limits: WorkflowsLimits,
    /// The time, for frames and for the expiry of tokens.
    pub clock: Clock,
}

/// What one connection and one user may have.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowsLimits {
    /// Rooms a connection may be in, its user's included.
    pub rooms_per_connection_max: usize,
    /// Connections of one user; beyond it, 4429.
    pub connections_per_user_max: usize,
    /// How long after the expiry of its token a connection is closed.
    pub expiry_grace: Duration,
}

impl Default for WorkflowsLimits {
    fn default() -> WorkflowsLimits {
        WorkflowsLimits {
            rooms_per_connection_max: 128,
            connections_per_user_max: 100,
            expiry_grace: Duration::from_secs(25),
        }
    }
}

/// The workflows gateway. A clone is another handle.
#[derive(Clone)]
pub struct Workflows(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    bus: Arc<dyn Bus>,
    pub(crate) store: Store,
    pub(crate) authenticator: Authenticator,
    pub(crate) access: RoomAccess,
    pub(crate) encodings: WorkflowsEncodings,
    pub(crate) limits: WorkflowsLimits,
    clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) tokens: LiveTokens<TokenStamp>,
    /// Lock order: a workflow's turn, then an execution's, then a member's.
    pub(crate) workflow_turns: Turns,
    pub(crate) execution_turns: Turns,
}

impl Workflows {
    /// Brings the parts together and starts watching over expiries.
    pub fn new(parts: WorkflowsParts) -> Workflows {
        let registry: Arc<dyn RoomRule> = Arc::new(RegistryRule::new(StoreOwnership(parts.store.clone())));
        let clock = parts.clock.clone();
        let now_ms = move || clock.now().as_millis();
        Workflows(Arc::new(Inner {
            bus: parts.bus,
            store: parts.store,
            authenticator: parts.authenticator.requiring_expiry(),
            access: RoomAccess::new([registry]),
            encodings: parts.encodings,
            limits: parts.limits,
            clock: parts.clock,
            directory: Directory::new(parts.limits.connections_per_user_max),
            tokens: LiveTokens::start(&parts.transport, parts.limits.expiry_grace, now_ms),
            workflow_turns: Turns::new(),
            execution_turns: Turns::new(),
            transport: parts.transport,
        }))
    }

    /// All routes but `/health`, which belongs to the listener.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/api/v1/ws", get(handshake::open))
            .route("/api/v1/sse", get_stream(&self.0.transport, sse::open))
            .merge(http::routes())
            .with_state(self.clone())
    }

    /// What `/health` says about this gateway.
    pub fn health(&self) -> Value {
        json!({
            "status": "healthy",
            "service": "workflows",
            "connections": self.0.directory.connections(),
        })
    }

    /// Connections at this moment.
    pub fn connections(&self) -> usize {
        self.0.directory.connections()
    }

    /// Closes, with 4403, the connections whose token is among what the authenticator says is revoked.
    pub async fn close_revoked(&self) {
        let revocations = self.0.authenticator.revocations();
        self.0.tokens.close_revoked(|stamp| revocations.has(stamp)).await;
    }
}

impl fmt::Debug for Workflows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Workflows")
    }
}

impl Inner {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn verify_user(&self, token: &str) -> Result<Claims, TokenError> {
        self.authenticator.verify_user_at(token, self.now_s()).await
    }

    /// Lets a connection live no longer than its token.
    pub(crate) fn enter(
        &self,
        claims: &Claims,
        connection: &Arc<Connection>,
    ) -> Result<LiveToken<TokenStamp>, CloseCode> {
        let revocations = self.authenticator.revocations();
        let stamp = revocations.stamp(claims);
        let live = self.tokens.enter(claims.exp, stamp.clone(), connection.clone());
        // It may have been revoked since it was verified, and been looked for before it was in the book.
        if revocations.has(&stamp) {
            return Err(CloseCode::Forbidden);
        }
        Ok(live)
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.now().as_millis().div_euclid(1_000)
    }

    pub(crate) async fn publish(&self, event: Event) -> Result<(), BusError> {
        self.bus.publish(event).await
    }
}
