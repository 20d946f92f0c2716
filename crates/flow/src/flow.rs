//! The gateway as one value: what its entries share.

mod admission;
mod health;
mod live;
mod outage;
mod outbox;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tidings_bus::Bus;
use tidings_hub::Event;
use tidings_outbox::Outbox;
use tidings_store::{Clock, JobKind, Store, TenantId};
use tidings_transport::{KeyedRate, Limit, Quota, Transport};
use tidings_wire::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, oneshot};

use crate::audit::AuditQueue;
use crate::authentication::Principal;
use crate::backup::BackupSettings;
use crate::compliance::ComplianceSettings;
use crate::encoding::FlowEncodings;
use crate::envelope::EventKind;
use crate::http;
use crate::jobs::Jobs;
use crate::response::Failure;
use crate::socket::Events;
use crate::usage::Usage;

use admission::Queries;
pub use health::Health;
pub(crate) use live::{LiveConnection, LiveHandle};
use outage::Outage;

/// Commands and writes under way at one time. The store writes one after the other; more would only wait in memory.
const COMMANDS_MAX: usize = 1_024;
/// How often what was counted is written to the store.
const USAGE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the keys of live connections are looked at.
const KEYS_INTERVAL: Duration = Duration::from_millis(500);

/// What one tenant may use.
#[derive(Clone, Copy, Debug)]
pub struct FlowLimits {
    /// Connections of one tenant, by all of its keys.
    pub connections_per_tenant_max: usize,
    /// Commands and HTTP requests of one tenant each second, over time.
    pub commands_per_tenant_per_second: u32,
    /// How many of them may come at once.
    pub commands_per_tenant_burst: u32,
}

/// The flow gateway. A clone is another handle.
#[derive(Clone)]
pub struct Flow(Arc<Inner>);

struct Inner {
    transport: Transport,
    bus: Arc<dyn Bus>,
    store: Store,
    clock: Clock,
    encodings: FlowEncodings,
    usage: Usage,
    live: Arc<live::LiveConnections>,
    tenants: Quota<TenantId>,
    tenant_rate: KeyedRate<TenantId>,
    commands: Arc<Semaphore>,
    queries: Queries,
    outbox: Outbox,
    audit: AuditQueue,
    backups: BackupSettings,
    compliance: ComplianceSettings,
    jobs: Arc<Jobs>,
}

impl Flow {
    /// Brings the parts together and starts the gateway's tasks on the current runtime. `encodings` were registered
    /// with the hub behind `transport` and `bus`.
    pub fn new(
        transport: Transport,
        bus: Arc<dyn Bus>,
        store: Store,
        encodings: FlowEncodings,
        limits: FlowLimits,
        backups: BackupSettings,
        compliance: ComplianceSettings,
    ) -> Flow {
        let flow = Flow(Arc::new(Inner {
            transport,
            bus,
            outbox: Outbox::new(store.clone()),
            store,
            clock: Clock::system(),
            encodings,
            usage: Usage::default(),
            live: Arc::default(),
            tenants: Quota::new(limits.connections_per_tenant_max),
            tenant_rate: KeyedRate::per_second(
                limits.commands_per_tenant_per_second,
                limits.commands_per_tenant_burst,
            ),
            commands: Arc::new(Semaphore::new(COMMANDS_MAX)),
            queries: Queries::default(),
            audit: AuditQueue::default(),
            backups,
            compliance,
            jobs: Arc::default(),
        }));
        flow.transport().spawn(flow.clone().write_usage());
        flow.transport().spawn(flow.clone().watch_keys());
        flow.transport().spawn(flow.clone().drain_outbox());
        flow.transport().spawn(flow.clone().write_audit());
        flow.transport().spawn(flow.clone().run_jobs(JobKind::Backup));
        flow.transport()
            .spawn(flow.clone().run_jobs(JobKind::ComplianceCheck));
        flow
    }

    /// What happens on the Socket.IO namespace of this gateway, for the server of its listener.
    pub fn socket_io(&self) -> Events {
        Events::new(self.clone())
    }

    /// Every route of the gateway but `/health` and those of the Socket.IO server: the plain WebSocket, leads over HTTP.
    pub fn routes(&self) -> Router {
        http::routes(self)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn encodings(&self) -> FlowEncodings {
        self.0.encodings
    }

    pub(crate) fn audit(&self) -> &AuditQueue {
        &self.0.audit
    }

    pub(crate) fn backups(&self) -> &BackupSettings {
        &self.0.backups
    }

    pub(crate) fn compliance(&self) -> &ComplianceSettings {
        &self.0.compliance
    }

    pub(crate) fn jobs(&self) -> &Arc<Jobs> {
        &self.0.jobs
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.0.usage
    }

    /// A place among the commands under way, if there is one.
    pub(crate) fn admit_command(&self) -> Option<OwnedSemaphorePermit> {
        self.0.commands.clone().try_acquire_owned().ok()
    }

    /// Whether the tenant may send one more command or request now.
    pub(crate) fn is_within_rate(&self, tenant: &TenantId) -> bool {
        let is_within = self.0.tenant_rate.take(tenant);
        if !is_within {
            self.transport().counters().reached(Limit::CommandsPerTenant);
        }
        is_within
    }

    /// A place among the queries under way: waits for one, but not for long.
    pub(crate) async fn admit_query(&self) -> Option<SemaphorePermit<'_>> {
        self.0.queries.admit().await
    }

    /// Publishes a tenant's event that is stored nowhere. A failure is logged and counted here; callers only decide what
    /// follows from it.
    pub(crate) async fn publish(
        &self,
        tenant: &TenantId,
        event: serde_json::Result<Event>,
    ) -> Result<(), Failure> {
        let published = self.hand_to_bus(tenant, event?).await;
        if published.is_err() {
            self.usage().count(tenant, "lost_events");
        }
        published
    }

    async fn hand_to_bus(&self, tenant: &TenantId, event: Event) -> Result<(), Failure> {
        let metric = match &*event.kind {
            kind if kind == EventKind::Lead.as_str() => "events.lead_event",
            kind if kind == EventKind::Voice.as_str() => "events.voice_event",
            _ => "events.integration_event",
        };
        let id = event.id;
        match self.0.bus.publish(event).await {
            Ok(()) => {
                self.usage().count(tenant, metric);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, event = %id, %tenant, "the bus did not take an event");
                Err(Failure::ServiceUnavailable)
            }
        }
    }

    /// Enters a connection into the books for as long as the guard lives, if its tenant may have one more.
    pub(crate) fn enter(&self, principal: &Principal, handle: LiveHandle) -> Option<LiveConnection> {
        let Some(place) = self.0.tenants.enter(principal.tenant.clone()) else {
            self.transport().counters().reached(Limit::ConnectionsPerTenant);
            return None;
        };
        self.usage().count(&principal.tenant, "connections.opened");
        self.usage().key_used(principal.key, self.now());
        Some(self.0.live.enter(principal.key, handle, place))
    }

    /// Runs `work` on a task of its own, so that it ends even if whoever waits for it goes away. `None` if it
    /// panicked.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (result, done) = oneshot::channel();
        self.transport().spawn(async move {
            // Nobody waits any more: the work is done all the same.
            let _ = result.send(work.await);
        });
        done.await.ok()
    }

    /// Writes out what is gathered in memory: to be called when nothing is served any more.
    pub async fn write_out(&self) {
        self.write_last_audit().await;
        self.0.outbox.remove_published().await;
        if let Err(error) = self.usage().write(self.store()).await {
            tracing::warn!(%error, "the last usage was not recorded");
        }
    }

    async fn write_usage(self) {
        let shutdown = self.transport().shutdown().clone();
        let mut rounds = tokio::time::interval(USAGE_INTERVAL);
        loop {
            let goes_on = shutdown.run_until_cancelled(rounds.tick()).await.is_some();
            if let Err(error) = self.usage().write(self.store()).await {
                tracing::warn!(%error, "usage was not recorded, trying again");
            }
            if !goes_on {
                return;
            }
        }
    }

    /// Ends the connections of keys that are good no longer.
    async fn watch_keys(self) {
        let shutdown = self.transport().shutdown().clone();
        let mut rounds = tokio::time::interval(KEYS_INTERVAL);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut outage = Outage::default();
        while shutdown.run_until_cancelled(rounds.tick()).await.is_some() {
            let is_answered = self.0.live.end_refused(self.store(), self.clock()).await;
            if outage.begins(is_answered) {
                self.tell_of_outage().await;
            }
        }
    }
}
