//! From the configuration to the running parts: hub, bus, transport, gateways, sources, operators.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tidings_bus::{Bus, MemoryBus};
use tidings_flow::{Flow, FlowEncodings, FlowLimits};
use tidings_hub::{Gateway, Hub, HubBuilder};
use tidings_sources::dapr::{self, DaprSettings};
use tidings_store::{Clock, Store};
use tidings_tasks::{Tasks, TasksEncodings, TasksParts, TasksSettings};
use tidings_transport::socketio::{Pair, SocketServer};
use tidings_transport::{
    HeartbeatTimes, OriginPolicy, Tls, Transport, TransportLimits, with_problem_fallbacks,
};
use tidings_wire::close_code::CloseCode;
use tidings_workflows::{Workflows, WorkflowsEncodings, WorkflowsLimits, WorkflowsParts};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authentication::Authentication;
use crate::config::{Config, Mode};
use crate::documents::Documented;
use crate::failure::{Failure, Outcome};
use crate::health::{Health, ListenerHealth};
use crate::memory::Memory;
use crate::metrics::{AccessReadings, Metrics, OutboxReadings, Readings};
use crate::operators::{self, Invalidate, Operators};
use crate::sources::Sources;
use crate::{asyncapi, backups, compliance, hub, openapi, readings, rules, sources};

/// How long writing out what is gathered in memory may take at the end.
const WRITE_OUT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that a drain closes each second at the most; fewer if the time is longer than that takes.
const DRAIN_CONNECTIONS_PER_SECOND: u64 = 2_000;

/// What the kernel waits longer for a deaf peer than the hub does.
const SEND_GRACE: Duration = Duration::from_secs(25);

/// The running parts.
pub(crate) struct Assembly {
    pub(crate) transport: Transport,
    pub(crate) health: Arc<Health>,
    hub: Hub,
    tracker: TaskTracker,
    /// Routes by the name a listener knows them by.
    routes: HashMap<&'static str, Router>,
    /// The metrics, where the flow gateway has them too.
    metrics: Option<Router>,
    dapr: DaprSettings,
    has_ingest_listener: bool,
    flow: Flow,
    tasks: Tasks,
    workflows: Workflows,
}

impl Assembly {
    /// Builds and starts everything but the listeners. `stop` begins the drain.
    pub(crate) fn start(
        config: &Config,
        store: &Store,
        authentication: Authentication,
        connections_max: u32,
        tls: Option<Tls>,
        stop: CancellationToken,
    ) -> Outcome<Self> {
        let mut builder = HubBuilder::new(hub::limits(config, connections_max), hub::shards(config));
        let classes = config.slow_consumers.classes();
        builder.classes(
            classes.map_err(|error| Failure::Usage(anyhow::Error::new(error).context("slow_consumers")))?,
        );
        let flow_encodings = FlowEncodings::register(&mut builder);
        let tasks_encodings = TasksEncodings::register(&mut builder);
        let workflows_encodings = WorkflowsEncodings::register(&mut builder);
        let hub = builder.start();
        let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new(hub.clone()));
        let tracker = TaskTracker::new();
        let transport = transport(config, &hub, connections_max, stop.clone(), &tracker);
        let authenticator = authentication.authenticator.clone();

        let flow = Flow::new(
            transport.clone(),
            bus.clone(),
            store.clone(),
            flow_encodings,
            flow_limits(config),
            backups::settings(config)?,
            compliance::settings(config)?,
        );
        let tasks = Tasks::new(TasksParts {
            transport: transport.clone(),
            authenticator: authenticator.clone(),
            encodings: tasks_encodings,
            settings: tasks_settings(config),
            clock: Clock::system(),
        });
        let access = rules::access(config, store)?;
        let workflows = Workflows::new(WorkflowsParts {
            transport: transport.clone(),
            bus: bus.clone(),
            store: store.clone(),
            authenticator: authenticator.clone(),
            access: access.clone(),
            encodings: workflows_encodings,
            limits: workflows_limits(config),
            clock: Clock::system(),
        });
        let sources = Sources::start(config, bus.clone(), store, &transport, &stop)?;

        let (memory, watch) = Memory::new(config.limits.memory_bytes_max);
        transport.spawn(watch.run(transport.clone()));
        let refreshes = authentication.refreshes();
        authentication.start(&transport, tasks.clone(), workflows.clone());
        let read = readings::reader(
            hub.clone(),
            transport.clone(),
            sources.ingest.clone(),
            sources.kafka.clone(),
            memory.clone(),
            tls,
        );
        let counting = (access.clone(), workflows.clone(), flow.clone());
        let operators = Arc::new(Operators::new(
            &config.operators,
            bus.clone(),
            sources.ingest.clone(),
            invalidate(workflows.clone()),
            authenticator,
            Metrics::new(move || Readings {
                jwks_refreshes: refreshes(),
                access: AccessReadings::of(&counting.0, &counting.1),
                outbox: OutboxReadings::of(&counting.2, &counting.1),
                executions_forgotten: counting.1.executions_forgotten(),
                ..read()
            }),
        ));
        // As wire.md has it of the flow gateway.
        let is_development = config.server.mode == Mode::Development;
        let metrics = is_development.then(|| operators::metrics_route(operators.clone()));
        let health = Health::new(store.clone(), bus, memory, sources.kafka, access, stop);
        let health = Arc::new(health);
        let has_ingest_listener = config.tasks.ingest_listen.is_some();
        let ingest_routes = if has_ingest_listener { "ingest" } else { "tasks" };
        let mut routes = HashMap::from([
            ("flow", flow.routes()),
            ("tasks", tasks.routes()),
            ("workflows", workflows.routes()),
            ("operators", operators::routes(operators, health.clone())),
            ("ingest", Router::new()),
        ]);
        let of_ingest = routes.remove(ingest_routes).unwrap_or_default();
        routes.insert(ingest_routes, of_ingest.merge(dapr::routes(sources.dapr)));
        Ok(Self {
            transport,
            health,
            hub,
            tracker,
            routes,
            metrics,
            dapr: sources::dapr_settings(config),
            has_ingest_listener,
            flow,
            tasks,
            workflows,
        })
    }

    /// Done when a part of the hub has failed, and the process should end.
    pub(crate) async fn hub_failed(&self) {
        self.hub.failed().await;
    }

    /// Adds routes to those of a gateway. Listeners that serve already do not have them.
    pub(crate) fn add_routes(&mut self, gateway: &'static str, routes: Router) {
        let before = self.routes.remove(gateway).unwrap_or_default();
        self.routes.insert(gateway, before.merge(routes));
    }

    /// What a listener of these gateways serves. To be called once for each listener, since it starts a Socket.IO server.
    pub(crate) fn routes(&self, gateways: &[&'static str]) -> Router {
        let health = self.health_of(gateways);
        let routes = gateways.iter().filter_map(|gateway| self.routes.get(gateway));
        let has = |gateway| gateways.contains(&gateway);
        let metrics = self.metrics.iter().filter(|_| has("flow") && !has("operators"));
        let parts = Documented::of(gateways, self.has_ingest_listener);
        let added = health
            .routes()
            .merge(openapi::routes(&parts, &self.dapr))
            .merge(asyncapi::routes(&parts));
        with_problem_fallbacks(
            routes
                .chain(metrics)
                .cloned()
                .chain(self.socket_io(gateways))
                .fold(added, Router::merge),
        )
    }

    /// The listener's Socket.IO server, which gateways share as they share the listener.
    fn socket_io(&self, gateways: &[&'static str]) -> Option<Router> {
        let transport = &self.transport;
        let (flow, workflows) = (self.flow.socket_io(), self.workflows.socket_io());
        let has = |gateway| gateways.contains(&gateway);
        Some(match (has("flow"), has("workflows")) {
            (true, true) => {
                SocketServer::of_gateway(transport, Gateway::Flow, Pair(flow, workflows)).routes()
            }
            (true, false) => SocketServer::of_gateway(transport, Gateway::Flow, flow).routes(),
            (false, true) => SocketServer::of_gateway(transport, Gateway::Workflows, workflows).routes(),
            (false, false) => return None,
        })
    }

    /// Where gateways share a listener, the tasks document's body wins: its users parse it.
    fn health_of(&self, gateways: &[&'static str]) -> ListenerHealth {
        let (tasks, workflows) = (self.tasks.clone(), self.workflows.clone());
        let has = |gateway| gateways.contains(&gateway);
        let (service, connections): (_, Option<Arc<dyn Fn() -> usize + Send + Sync>>) = if has("tasks") {
            ("websocket-service", Some(Arc::new(move || tasks.connections())))
        } else if has("flow") {
            ("flow-api", None)
        } else if has("workflows") {
            ("workflows", Some(Arc::new(move || workflows.connections())))
        } else {
            (gateways.first().copied().unwrap_or("tidings"), None)
        };
        ListenerHealth {
            health: self.health.clone(),
            gateways: gateways.to_vec(),
            service,
            connections,
        }
    }

    /// Closes every connection, spread over the time, and waits until all tasks have ended or the time is over.
    pub(crate) async fn drain(&self, timeout: Duration) {
        let connections = self.hub.connections();
        let spread = Duration::from_millis(connections as u64 * 1_000 / DRAIN_CONNECTIONS_PER_SECOND);
        self.hub.drain(CloseCode::ShuttingDown, spread.min(timeout / 2));
        self.tracker.close();
        if tokio::time::timeout(timeout, self.tracker.wait()).await.is_err() {
            let connections = self.hub.connections();
            tracing::warn!(
                connections,
                tasks = self.tracker.len(),
                "not everything ended in time"
            );
        }
        let written = async { tokio::join!(self.flow.write_out(), self.workflows.write_out()) };
        if tokio::time::timeout(WRITE_OUT_TIMEOUT, written).await.is_err() {
            tracing::error!("the store does not answer; what flow had gathered is lost");
        }
    }
}

fn transport(
    config: &Config,
    hub: &Hub,
    connections_max: u32,
    stop: CancellationToken,
    tracker: &TaskTracker,
) -> Transport {
    let limits = &config.limits;
    let origins = match config.origins.allowed.as_slice() {
        [] => config
            .server
            .mode
            .pick(OriginPolicy::Loopback, OriginPolicy::List(Vec::new())),
        allowed if allowed.iter().any(|origin| origin.as_str() == "*") => OriginPolicy::Any,
        allowed => OriginPolicy::List(allowed.iter().map(|origin| origin.as_str().to_owned()).collect()),
    };
    Transport::new(
        hub.clone(),
        TransportLimits {
            message_bytes_max: limits.message_bytes_max as usize,
            message_frames_max: limits.message_frames_max as usize,
            message_timeout: Duration::from_millis(limits.message_timeout_ms),
            messages_per_second: limits.messages_per_second,
            message_burst: limits.messages_burst,
            floods_per_address_max: limits.floods_per_address_max,
            flood_window: Duration::from_millis(limits.flood_window_ms),
            handshake_timeout: Duration::from_millis(limits.handshake_timeout_ms),
            header_bytes_max: limits.header_bytes_max as usize,
            headers_max: limits.headers_max as usize,
            url_bytes_max: limits.url_bytes_max as usize,
            body_bytes_max: limits.message_bytes_max as usize,
            body_timeout: Duration::from_millis(limits.body_timeout_ms),
            http2_streams_max: limits.http2_streams_max,
            handshakes_per_second: limits.handshakes_per_second,
            handshakes_per_address_per_second: limits.handshakes_per_address_per_second,
            http_sockets_per_address_max: limits.http_sockets_per_address_max as usize,
            waiting_sockets_max: limits.waiting_sockets_max as usize,
            waiting_sockets_per_address_max: limits.waiting_sockets_per_address_max as usize,
            connections_max: connections_max as usize,
            connections_per_address_max: limits.connections_per_address_max as usize,
            namespaces_per_connection_max: limits.namespaces_per_connection_max as usize,
            connect_timeout: Duration::from_millis(limits.connect_timeout_ms),
            upgrade_timeout: Duration::from_millis(limits.upgrade_timeout_ms),
            payload_packets_max: limits.payload_packets_max as usize,
            attachments_max: limits.attachments_max as usize,
            // Behind the hub's own ways to end a connection, so that those tell the reason.
            send_timeout: Duration::from_millis(limits.outbox_age_ms_max + limits.close_timeout_ms)
                + SEND_GRACE,
            linger: Duration::from_millis(limits.close_timeout_ms),
        },
        origins,
        HeartbeatTimes {
            interval: Duration::from_millis(config.heartbeat.ping_interval_ms),
            timeout: Duration::from_millis(config.heartbeat.ping_timeout_ms),
        },
        stop,
        tracker.clone(),
    )
}

/// How the operators' listener takes back what rules about rooms have said.
fn invalidate(workflows: Workflows) -> Invalidate {
    Box::new(move |user, room| {
        let workflows = workflows.clone();
        Box::pin(async move { workflows.invalidate(user, room).await })
    })
}

fn tasks_settings(config: &Config) -> TasksSettings {
    TasksSettings {
        token_required: config.tasks.token_required,
        stats_token_required: config.server.mode == Mode::Production,
        connections_per_user_max: config.limits.connections_per_user_max as usize,
        expiry_grace: Duration::from_millis(config.auth_jwt.expiry_grace_ms),
    }
}

fn workflows_limits(config: &Config) -> WorkflowsLimits {
    let limits = &config.limits;
    WorkflowsLimits {
        rooms_per_connection_max: limits.rooms_per_connection_max as usize,
        // The other half is for what is published meanwhile.
        snapshot_bytes_max: limits.outbox_bytes_max as usize / 2,
        connections_per_user_max: limits.connections_per_user_max as usize,
        rooms_per_user_max: limits.rooms_per_user_max as usize,
        messages_per_user_per_second: limits.messages_per_user_per_second,
        messages_per_user_burst: limits.messages_per_user_burst,
        outage_grace: Duration::from_millis(config.access.outage_grace_ms),
        expiry_grace: Duration::from_millis(config.auth_jwt.expiry_grace_ms),
        ended_execution_retention: Some(config.workflows.ended_execution_retention_ms)
            .filter(|retention_ms| *retention_ms > 0)
            .map(Duration::from_millis),
    }
}

fn flow_limits(config: &Config) -> FlowLimits {
    FlowLimits {
        connections_per_tenant_max: config.limits.connections_per_tenant_max as usize,
        commands_per_tenant_per_second: config.limits.commands_per_tenant_per_second,
        commands_per_tenant_burst: config.limits.commands_per_tenant_burst,
    }
}
