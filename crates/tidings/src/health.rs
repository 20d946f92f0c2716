//! `/livez`, `/readyz`, `/startupz`, `/health`: what works, asked anew each time, never by constant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};
use tidings_access::RoomAccess;
use tidings_bus::Bus;
use tidings_sources::kafka::KafkaStatus;
use tidings_store::Store;
use tidings_wire::time::Timestamp;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::memory::Memory;
use crate::rules::{self, RuleAway};
use crate::time;

/// How long a part may take to say that it works.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What health depends on.
pub(crate) struct Health {
    store: Store,
    bus: Arc<dyn Bus>,
    memory: Arc<Memory>,
    kafka: Option<Arc<KafkaStatus>>,
    access: RoomAccess,
    stop: CancellationToken,
    is_started: AtomicBool,
}

/// One part's state.
#[derive(Debug)]
struct Check {
    name: &'static str,
    failure: Option<String>,
    duration: Duration,
}

impl Health {
    pub(crate) fn new(
        store: Store,
        bus: Arc<dyn Bus>,
        memory: Arc<Memory>,
        kafka: Option<Arc<KafkaStatus>>,
        access: RoomAccess,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            bus,
            memory,
            kafka,
            access,
            stop,
            is_started: AtomicBool::new(false),
        }
    }

    /// Everything listens: from now on `/startupz` says so.
    pub(crate) fn started(&self) {
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// Sources that nothing comes in from at the moment, and rules about rooms that cannot be asked. Clients are served all
    /// the same, so the node is not unready.
    fn degraded(&self) -> Vec<&'static str> {
        let kafka = self.kafka.as_ref().and_then(|kafka| kafka.failure());
        let kafka = kafka.map(|_| "kafka");
        let rules = rules::states(&self.access).filter(|rule| rule.is_away);
        kafka.into_iter().chain(rules.map(|rule| rule.part)).collect()
    }

    async fn checks(&self) -> [Check; 3] {
        let started = Instant::now();
        let store = match tokio::time::timeout(CHECK_TIMEOUT, self.store.check_health()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer in {} ms", CHECK_TIMEOUT.as_millis())),
        };
        let store = Check {
            name: "store",
            failure: store,
            duration: started.elapsed(),
        };
        let failure = self.bus.health().err().map(|error| error.to_string());
        let bus = Check {
            name: "bus",
            failure,
            duration: Duration::ZERO,
        };
        let failure = self.stop.is_cancelled().then(|| "stopping".to_owned());
        [
            store,
            bus,
            Check {
                name: "drain",
                failure,
                duration: Duration::ZERO,
            },
        ]
    }
}

/// The process answers.
pub(crate) async fn livez() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Everything listens.
pub(crate) async fn startupz(State(health): State<Arc<Health>>) -> (StatusCode, Json<Value>) {
    if health.is_started.load(Ordering::Relaxed) {
        (StatusCode::OK, Json(json!({"status": "started"})))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({"status": "starting"})),
        )
    }
}

/// Connections and events are welcome; with `?verbose`, each part by itself.
pub(crate) async fn readyz(
    State(health): State<Arc<Health>>,
    RawQuery(query): RawQuery,
) -> (StatusCode, Json<Value>) {
    let checks = health.checks().await;
    let is_verbose = query.is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair == "verbose" || pair.starts_with("verbose="))
    });
    let (status, mut body) = summary(&checks, ["ready", "unready"]);
    if is_verbose {
        let checks = checks.iter().map(verbose);
        let sources = health.kafka.as_deref().map(kafka);
        let rules = rules::states(&health.access).map(|state| rule(&state));
        let others = [memory(&health.memory)].into_iter().chain(sources).chain(rules);
        body["checks"] = checks.chain(others).collect();
    }
    (status, Json(body))
}

/// What one listener's `/health` tells: the state of what all depend on, in the words of its gateway.
#[derive(Clone)]
pub(crate) struct ListenerHealth {
    pub(crate) health: Arc<Health>,
    pub(crate) gateways: Vec<&'static str>,
    /// The name its users know it by.
    pub(crate) service: &'static str,
    /// Counts the connections it tells of, if it tells of any.
    pub(crate) connections: Option<Arc<dyn Fn() -> usize + Send + Sync>>,
}

/// What a listener tells of itself, in the documents' order of keys.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct Body {
    /// `healthy` or `unhealthy`.
    #[schema(pattern = "^(un)?healthy$")]
    status: &'static str,
    /// The name its users know it by: `websocket-service` where tasks are, `flow-api` where flow is, `workflows` on a listener of its own.
    service: &'static str,
    /// How many are connected, where tasks or workflows share the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    connections: Option<usize>,
    /// The parts that do not work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    failing: Vec<&'static str>,
    /// The sources that nothing comes in from at the moment, and the rules about rooms that cannot be asked; clients are served
    /// all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    degraded: Vec<&'static str>,
    /// The gateways that share the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    gateways: Option<Vec<&'static str>>,
    /// When it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, required = false)]
    timestamp: Option<Timestamp>,
}

impl ListenerHealth {
    /// `GET /health` of the listener.
    pub(crate) fn routes(self) -> Router {
        Router::new().route("/health", get(health)).with_state(self)
    }
}

/// Tells whether the gateway works
///
/// Asked anew each time. No key and no token is needed.
#[utoipa::path(
    get, path = "/health", operation_id = "readHealth", tag = "service", security(()),
    responses(
        (status = 200, body = Body, description = "Store and bus work, and no drain is on."),
        (status = 503, body = Body, description = "Something does not work, or a drain is on."),
    )
)]
pub(crate) async fn health(State(listener): State<ListenerHealth>) -> (StatusCode, Json<Body>) {
    let checks = listener.health.checks().await;
    let failing: Vec<&'static str> = checks
        .iter()
        .filter(|check| check.failure.is_some())
        .map(|check| check.name)
        .collect();
    let connections = listener.connections.as_ref().map(|count| count());
    let service = listener.service;
    let (status_code, status) = if failing.is_empty() {
        (StatusCode::OK, "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    };
    let gateways = (listener.gateways.len() > 1).then(|| listener.gateways.clone());
    let timestamp = (service == "flow-api").then(time::now);
    (
        status_code,
        Json(Body {
            status,
            service,
            connections,
            failing,
            degraded: listener.health.degraded(),
            gateways,
            timestamp,
        }),
    )
}

fn summary(checks: &[Check], [good, bad]: [&str; 2]) -> (StatusCode, Value) {
    let failing: Vec<&str> = checks
        .iter()
        .filter(|check| check.failure.is_some())
        .map(|check| check.name)
        .collect();
    if failing.is_empty() {
        (StatusCode::OK, json!({"status": good}))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"status": bad, "failing": failing}),
        )
    }
}

/// Short memory refuses new clients and serves those that are there, so it is told and does not make unready.
fn memory(memory: &Memory) -> Value {
    let levels = memory.levels().map(|level| {
        json!({
            "of": level.of,
            "usage_bytes": level.usage_bytes(),
            "bound_bytes": level.bound_bytes,
        })
    });
    json!({
        "name": "memory",
        "status": if memory.is_short() { "degraded" } else { "ok" },
        "levels": levels.collect::<Value>(),
    })
}

fn kafka(status: &KafkaStatus) -> Value {
    let failure = status.failure();
    let mut told = json!({
        "name": "kafka",
        "status": if failure.is_none() { "ok" } else { "degraded" },
        "partitions": status.partitions(),
    });
    if let Some(failure) = failure {
        told["detail"] = failure.into();
    }
    told
}

fn rule(state: &RuleAway) -> Value {
    let mut told = json!({
        "name": state.part,
        "status": if state.is_away { "degraded" } else { "ok" },
    });
    if state.is_away {
        told["detail"] = "it did not answer, and is asked again in a while: who needs it is denied".into();
    }
    told
}

fn verbose(check: &Check) -> Value {
    let mut told = json!({
        "name": check.name,
        "status": if check.failure.is_none() { "ok" } else { "failing" },
        "duration_ms": check.duration.as_secs_f64() * 1_000.0,
    });
    if let Some(failure) = &check.failure {
        told["detail"] = failure.as_str().into();
    }
    told
}
