//! The gateway's parts and its routes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use serde_json::{Value, json};
use tidings_access::{
    AnswersAbout, Authenticator, Claims, RoomAccess, RoomTarget, TokenError, TokenStamp, UserId,
};
use tidings_bus::Bus;
use tidings_hub::{Connection, RoomName};
use tidings_outbox::{Outbox, OutboxFigures};
use tidings_store::{Clock, Store, StoredNews};
use tidings_transport::{KeyedRate, LiveToken, LiveTokens, Transport};
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::directory::Directory;
use crate::form::Form;
use crate::recheck::{Invalidated, RecheckCounters, Rechecked};
use crate::socketio::Rooms;
use crate::turns::Turns;
use crate::warnings::Warnings;
use crate::{WorkflowsEncodings, http, recheck, retention, warnings};

/// Lists of rooms that are put together for users at one time; others wait.
const LISTINGS_MAX: usize = 4;

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
    /// Who may enter which room.
    pub access: RoomAccess,
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
    /// What a snapshot may have, in bytes of frames; nodes beyond it are left out and counted.
    pub snapshot_bytes_max: usize,
    /// Connections of one user; beyond it, 4429.
    pub connections_per_user_max: usize,
    /// Rooms that the connections of one user may be in together, the user's own not counted.
    pub rooms_per_user_max: usize,
    /// Messages that the connections of one user may send together each second, over time; beyond it, they are told, and
    /// 4429 if they go on.
    pub messages_per_user_per_second: u32,
    /// How many of them may come at once.
    pub messages_per_user_burst: u32,
    /// How long a connection stays in a room whose answer has ended while a rule cannot be asked.
    pub outage_grace: Duration,
    /// How long after the expiry of its token a connection is closed.
    pub expiry_grace: Duration,
    /// How long an execution is kept after its end; for ever, if not given.
    pub ended_execution_retention: Option<Duration>,
}

impl Default for WorkflowsLimits {
    fn default() -> WorkflowsLimits {
        WorkflowsLimits {
            rooms_per_connection_max: 128,
            snapshot_bytes_max: 512 * 1024,
            connections_per_user_max: 100,
            rooms_per_user_max: 1_000,
            messages_per_user_per_second: 500,
            messages_per_user_burst: 1_000,
            outage_grace: Duration::ZERO,
            expiry_grace: Duration::from_secs(25),
            ended_execution_retention: None,
        }
    }
}

/// The workflows gateway. A clone is another handle.
#[derive(Clone)]
pub struct Workflows(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) outbox: Outbox,
    pub(crate) store: Store,
    pub(crate) authenticator: Authenticator,
    pub(crate) access: RoomAccess,
    pub(crate) encodings: WorkflowsEncodings,
    pub(crate) limits: WorkflowsLimits,
    clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) tokens: LiveTokens<(TokenStamp, Form)>,
    pub(crate) warnings: Warnings,
    pub(crate) rechecks: RecheckCounters,
    pub(crate) message_rate: KeyedRate<UserId>,
    pub(crate) executions_forgotten: AtomicU64,
    /// Lists of rooms under way.
    pub(crate) listings: Semaphore,
    /// Lock order: a workflow's turn, then an execution's, then a member's.
    pub(crate) workflow_turns: Turns,
    pub(crate) execution_turns: Turns,
}

impl Workflows {
    /// Brings the parts together and starts watching over expiries, of tokens and of answers about rooms.
    pub fn new(parts: WorkflowsParts) -> Workflows {
        let clock = parts.clock.clone();
        let now_ms = move || clock.now().as_millis();
        let limits = parts.limits;
        let workflows = Workflows(Arc::new(Inner {
            bus: parts.bus,
            outbox: Outbox::new(parts.store.clone()),
            store: parts.store,
            authenticator: parts.authenticator.requiring_expiry(),
            access: parts.access,
            encodings: parts.encodings,
            clock: parts.clock,
            directory: Directory::new(limits.connections_per_user_max, limits.rooms_per_user_max),
            tokens: LiveTokens::start(&parts.transport, limits.expiry_grace, now_ms),
            warnings: Warnings::default(),
            rechecks: RecheckCounters::default(),
            message_rate: KeyedRate::per_second(
                limits.messages_per_user_per_second,
                limits.messages_per_user_burst,
            ),
            executions_forgotten: AtomicU64::new(0),
            listings: Semaphore::new(LISTINGS_MAX),
            workflow_turns: Turns::new(),
            execution_turns: Turns::new(),
            limits,
            transport: parts.transport,
        }));
        workflows.sweep(recheck::SWEEP_INTERVAL, async |gateway: Arc<Inner>| {
            gateway.recheck_due(Instant::now()).await;
        });
        workflows.sweep(warnings::SWEEP_INTERVAL, async |gateway: Arc<Inner>| {
            gateway.warn_due(gateway.now().as_millis()).await;
        });
        workflows.sweep(retention::SWEEP_INTERVAL, async |gateway: Arc<Inner>| {
            gateway.forget_ended().await;
        });
        let gateway = workflows.0.clone();
        workflows.0.transport.spawn(async move {
            let publish_late = |news: StoredNews| gateway.tell_late(news);
            gateway
                .outbox
                .run(gateway.transport.shutdown(), publish_late)
                .await;
        });
        workflows
    }

    /// Takes a step again and again, until the transport shuts down.
    fn sweep<Step>(&self, interval: Duration, step: impl Fn(Arc<Inner>) -> Step + Send + 'static)
    where
        Step: Future<Output = ()> + Send,
    {
        let gateway = self.0.clone();
        let shutdown = gateway.transport.shutdown().clone();
        let steps = async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                step(gateway.clone()).await;
            }
        };
        self.0.transport.spawn(async move {
            shutdown.run_until_cancelled(steps).await;
        });
    }

    /// What happens on the Socket.IO namespace of this gateway, for the server of its listener.
    pub fn socket_io(&self) -> Rooms {
        Rooms::new(self.clone())
    }

    /// All routes but `/health`, which belongs to the listener, and those of the Socket.IO server.
    pub fn routes(&self) -> Router {
        http::routes().with_state(self.clone())
    }

    /// What `/health` says about this gateway.
    pub fn health(&self) -> Value {
        json!({
            "status": "healthy",
            "service": "workflows",
            "connections": self.0.directory.connections(),
        })
    }

    /// What became of the news that are stored with what they tell of.
    pub fn outbox_figures(&self) -> OutboxFigures {
        self.0.outbox.figures()
    }

    /// Executions deleted because they ended long ago, since the start.
    pub fn executions_forgotten(&self) -> u64 {
        self.0.executions_forgotten.load(Ordering::Relaxed)
    }

    /// Writes out what is gathered in memory: to be called when nothing is served any more.
    pub async fn write_out(&self) {
        self.0.outbox.remove_published().await;
    }

    /// Connections at this moment.
    pub fn connections(&self) -> usize {
        self.0.directory.connections()
    }

    /// Forgets answers about rooms and asks again about the connections that are in them by such ones. When it is done,
    /// nothing published afterwards reaches those who may not be there any more. It goes on if the caller does not wait.
    pub async fn invalidate(&self, user: Option<UserId>, room: Option<RoomName>) -> Invalidated {
        let (done, waiting) = oneshot::channel();
        let gateway = self.0.clone();
        self.0.transport.spawn(async move {
            let target = room.as_ref().map(|room| RoomTarget::parse(room.as_str()));
            // Of a room that nobody may enter there are no answers.
            if target == Some(None) {
                return;
            }
            let about = AnswersAbout {
                user: user.as_ref(),
                room: target.flatten(),
            };
            // Nobody waits for the answer if the caller has gone.
            let _ = done.send(gateway.invalidate(about).await);
        });
        waiting.await.unwrap_or_default()
    }

    /// What became of memberships whose rules were asked again.
    pub fn rechecked(&self) -> Rechecked {
        self.0.rechecks.figures()
    }

    /// Memberships about which the rules will be asked again.
    pub fn answers(&self) -> usize {
        self.0.directory.answers_count()
    }

    /// Closes, with 4403, the connections whose token is among what the authenticator says is revoked.
    pub async fn close_revoked(&self) {
        let revocations = self.0.authenticator.revocations();
        let is_revoked = |(stamp, _): &(TokenStamp, Form)| revocations.has(stamp);
        let farewell = |(_, form): &(TokenStamp, Form)| form.farewell();
        self.0.tokens.close_revoked(is_revoked, farewell).await;
    }
}

impl FromRef<Workflows> for Transport {
    fn from_ref(workflows: &Workflows) -> Transport {
        workflows.0.transport.clone()
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
        form: Form,
    ) -> Result<LiveToken<(TokenStamp, Form)>, CloseCode> {
        let revocations = self.authenticator.revocations();
        let stamp = revocations.stamp(claims);
        let token = (stamp.clone(), form);
        let live = self.tokens.enter(claims.exp, token, connection.clone());
        // It may have been revoked since it was verified, and been looked for before it was in the book.
        if revocations.has(&stamp) {
            return Err(CloseCode::Forbidden);
        }
        Ok(live)
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.now().as_millis().div_euclid(1_000)
    }
}
