//! The gateway's parts and its routes.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tidings_access::{Claims, JwtVerifier, RegistryRule, RoomAccess, RoomRule, TokenError, UserTokenRules};
use tidings_bus::{Bus, BusError};
use tidings_hub::Event;
use tidings_store::{Clock, Store};
use tidings_transport::{TokenExpiries, Transport, get_stream};
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
    /// Verifies the tokens of users, operators and services.
    pub verifier: JwtVerifier,
    /// The audience users' tokens must have, if one is configured.
    pub audience: Option<String>,
    /// The issuer users' tokens must have, if one is configured.
    pub issuer: Option<String>,
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
}

impl Default for WorkflowsLimits {
    fn default() -> WorkflowsLimits {
        WorkflowsLimits {
            rooms_per_connection_max: 128,
            connections_per_user_max: 100,
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
    pub(crate) verifier: JwtVerifier,
    rules: UserTokenRules,
    pub(crate) access: RoomAccess,
    pub(crate) encodings: WorkflowsEncodings,
    pub(crate) limits: WorkflowsLimits,
    clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) expiries: TokenExpiries,
    /// Lock order: a workflow's turn, then an execution's, then a member's.
    pub(crate) workflow_turns: Turns,
    pub(crate) execution_turns: Turns,
}

impl Workflows {
    /// Brings the parts together and starts watching over expiries.
    pub fn new(parts: WorkflowsParts) -> Workflows {
        let registry: Arc<dyn RoomRule> = Arc::new(RegistryRule::new(StoreOwnership(parts.store.clone())));
        let clock = parts.clock.clone();
        let now_s = move || clock.now().as_millis().div_euclid(1_000);
        Workflows(Arc::new(Inner {
            bus: parts.bus,
            store: parts.store,
            verifier: parts.verifier,
            rules: UserTokenRules {
                audience: parts.audience,
                issuer: parts.issuer,
                expiry_required: true,
            },
            access: RoomAccess::new([registry]),
            encodings: parts.encodings,
            limits: parts.limits,
            clock: parts.clock,
            directory: Directory::new(parts.limits.connections_per_user_max),
            expiries: TokenExpiries::start(&parts.transport, now_s),
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

    pub(crate) fn verify_user(&self, token: &str) -> Result<Claims, TokenError> {
        self.verifier.verify_user_at(token, &self.rules, self.now_s())
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.now().as_millis().div_euclid(1_000)
    }

    pub(crate) async fn publish(&self, event: Event) -> Result<(), BusError> {
        self.bus.publish(event).await
    }
}
