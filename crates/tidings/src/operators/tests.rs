//! The operators' routes, asked in process.

mod events;
mod invalidate;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tidings_access::{JwtSecret, JwtSigner, RoomAccess, ServiceScope, UserId};
use tidings_bus::{BoxFuture, Bus, BusError};
use tidings_hub::{Event, RoomName};
use tidings_sources::IngestSettings;
use tidings_store::Store;
use tidings_workflows::Invalidated;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::config::{Base, Config, Mode};
use crate::health::ListenerHealth;
use crate::memory::Memory;
use crate::metrics::Readings;

/// A bus that keeps what it is given, and can be down.
#[derive(Default)]
struct FakeBus {
    events: Mutex<Vec<Event>>,
    is_down: Mutex<bool>,
}

impl FakeBus {
    fn answer(&self) -> Result<(), BusError> {
        if *self.is_down.lock() {
            Err(BusError::Closed)
        } else {
            Ok(())
        }
    }
}

impl Bus for FakeBus {
    fn publish(&self, event: Event) -> BoxFuture<'_, Result<(), BusError>> {
        let answer = self.answer();
        if answer.is_ok() {
            self.events.lock().push(event);
        }
        Box::pin(std::future::ready(answer))
    }

    fn health(&self) -> Result<(), BusError> {
        self.answer()
    }
}

/// What was to be forgotten.
type Asked = Arc<Mutex<Vec<(Option<String>, Option<String>)>>>;

struct Fixture {
    bus: Arc<FakeBus>,
    invalidated: Asked,
    store: Store,
    stop: CancellationToken,
    health: Arc<Health>,
    router: Router,
    operator: String,
    service: String,
    user: String,
}

const JSON: &str = "application/json";

impl Fixture {
    async fn new(listen: &str) -> Self {
        let mut config = Config::defaults(&Base {
            mode: Mode::Development,
            data_dir: "data".into(),
        })
        .operators;
        config.listen = listen.parse().unwrap();
        let secret = JwtSecret::new("0123456789abcdef0123456789abcdef").unwrap();
        let signer = JwtSigner::new(&secret);
        let ttl = Duration::from_mins(1);
        let service = |scope| signer.sign_service(scope, ttl).unwrap().reveal().to_owned();
        let user = signer
            .sign_user(&UserId::new("1").unwrap(), ttl, serde_json::Map::new())
            .unwrap();
        let bus = Arc::new(FakeBus::default());
        let store = Store::open("sqlite::memory:").await.unwrap();
        let stop = CancellationToken::new();
        let as_bus: Arc<dyn Bus> = bus.clone();
        let health = Arc::new(Health::new(
            store.clone(),
            Arc::clone(&as_bus),
            Memory::new(0).0,
            None,
            RoomAccess::new([]),
            stop.clone(),
        ));
        let metrics = Metrics::new(Readings::default);
        let ingest = Ingest::new(Arc::clone(&as_bus), store.clone(), IngestSettings::default());
        let invalidated = Asked::default();
        let asked = invalidated.clone();
        let invalidate = move |user: Option<UserId>, room: Option<RoomName>| {
            let text = |user: UserId| user.as_str().to_owned();
            asked
                .lock()
                .push((user.map(text), room.map(|room| room.to_string())));
            let answer = Invalidated {
                answers: 1,
                kept: 2,
                ended: 3,
            };
            Box::pin(std::future::ready(answer)) as tidings_access::BoxFuture<'static, _>
        };
        let operators = Operators::new(
            &config,
            as_bus,
            Arc::new(ingest),
            Box::new(invalidate),
            Authenticator::local(&secret),
            metrics,
        );
        let listener = ListenerHealth {
            health: health.clone(),
            gateways: vec!["operators"],
            service: "operators",
            connections: None,
        };
        Self {
            bus,
            invalidated,
            store,
            stop,
            router: routes(Arc::new(operators), Arc::clone(&health)).merge(listener.routes()),
            health,
            operator: service(ServiceScope::Operator),
            service: service(ServiceScope::Service),
            user: user.reveal().to_owned(),
        }
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (
            status,
            axum::body::to_bytes(response.into_body(), usize::MAX)
                .await
                .unwrap(),
        )
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let (status, body) = self.ask(Request::get(path).body(Body::empty()).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn post(&self, path: &str, token: Option<&str>, body: impl Into<Body>) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, JSON);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let (status, body) = self.ask(request.body(body.into()).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn publish(&self, body: &Value) -> (StatusCode, Value) {
        self.post("/api/v1/publish", Some(&self.operator), body.to_string())
            .await
    }

    fn published(&self) -> Vec<String> {
        self.bus
            .events
            .lock()
            .iter()
            .map(|event| event.data.get().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_published_event_is_on_the_bus_under_the_id_of_the_answer() {
    let fixture = Fixture::new("localhost:0").await;
    let (status, answer) = fixture
        .publish(&json!({"room": "user:1", "kind": "note", "data": {"a": 1}}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let events = fixture.bus.events.lock();
    assert_eq!(answer, json!({"id": events[0].id.to_string()}));
    assert_eq!(
        (events[0].rooms[0].as_str(), events[0].data.get()),
        ("user:1", "{\"a\":1}")
    );
}

#[tokio::test]
async fn publishing_needs_an_operators_or_services_token() {
    let fixture = Fixture::new("localhost:0").await;
    let body = json!({"room": "r", "kind": "k", "data": 1}).to_string();
    for (token, status, code) in [
        (Some(&fixture.operator), StatusCode::OK, Value::Null),
        (Some(&fixture.service), StatusCode::OK, Value::Null),
        (None, StatusCode::UNAUTHORIZED, "missing_token".into()),
        (
            Some(&fixture.user),
            StatusCode::UNAUTHORIZED,
            "invalid_token".into(),
        ),
        (
            Some(&"nonsense".to_owned()),
            StatusCode::UNAUTHORIZED,
            "invalid_token".into(),
        ),
    ] {
        for path in ["/api/v1/publish", "/api/v1/batch"] {
            let body = if path.ends_with("batch") {
                format!("{{\"events\":[{body}]}}")
            } else {
                body.clone()
            };
            let (found, answer) = fixture.post(path, token.map(String::as_str), body).await;
            assert_eq!((found, &answer["code"]), (status, &code), "{path} {token:?}");
        }
    }
    assert_eq!(fixture.published().len(), 4, "who is refused publishes nothing");
}

#[tokio::test]
async fn a_refused_publish_names_the_field() {
    let fixture = Fixture::new("localhost:0").await;
    let (status, problem) = fixture.publish(&json!({"room": "r", "kind": 5, "data": 1})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["code"], "invalid_body");
    assert_eq!(problem["errors"][0]["pointer"], "/kind");
    assert_eq!(
        problem["detail"],
        "`kind`: expected text of 1 to 256 bytes without control characters"
    );
}

#[tokio::test]
async fn an_idempotency_key_publishes_once_and_not_while_the_bus_is_down() {
    let fixture = Fixture::new("localhost:0").await;
    let body = json!({"room": "r", "kind": "k", "data": 1, "idempotency_key": "a"});
    *fixture.bus.is_down.lock() = true;
    let (status, problem) = fixture.publish(&body).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"bus_unavailable".into())
    );
    *fixture.bus.is_down.lock() = false;
    let (status, first) = fixture.publish(&body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(fixture.publish(&body).await, (StatusCode::OK, first));
    let other = json!({"room": "r", "kind": "k", "data": 2, "idempotency_key": "a"});
    let (status, problem) = fixture.publish(&other).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &"conflict".into())
    );
    assert_eq!(fixture.published(), ["1"]);
}

#[tokio::test]
async fn a_batch_answers_each_event_in_order() {
    let fixture = Fixture::new("localhost:0").await;
    let event = |data: u32| json!({"room": "r", "kind": "k", "data": data});
    let batch = json!({"events": [event(1), {"kind": "k"}, event(2), 7]}).to_string();
    let (status, answer) = fixture.post("/api/v1/batch", Some(&fixture.service), batch).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(fixture.published(), ["1", "2"]);
    let ids: Vec<String> = fixture
        .bus
        .events
        .lock()
        .iter()
        .map(|event| event.id.to_string())
        .collect();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(
        (&results[0], &results[2]),
        (&json!({"id": ids[0]}), &json!({"id": ids[1]}))
    );
    assert_eq!(
        (&results[1]["error"]["status"], &results[3]["error"]["code"]),
        (&400.into(), &"invalid_body".into())
    );
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let fixture = Fixture::new("localhost:0").await;
    let event = json!({"room": "r", "kind": "k", "data": 1});
    for (count, status) in [(1_000, StatusCode::OK), (1_001, StatusCode::PAYLOAD_TOO_LARGE)] {
        let batch = json!({"events": vec![&event; count]}).to_string();
        assert_eq!(
            fixture
                .post("/api/v1/batch", Some(&fixture.service), batch)
                .await
                .0,
            status,
            "{count}"
        );
    }
    assert_eq!(
        fixture.published().len(),
        1_000,
        "nothing of a refused batch is published"
    );
    let (status, problem) = fixture.post("/api/v1/batch", Some(&fixture.service), "{}").await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &"/events".into())
    );
    let chunks = (0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 512 * 1024])));
    for body in [
        Body::from(vec![b' '; BODY_BYTES_MAX + 1]),
        Body::from_stream(futures_util::stream::iter(chunks)),
    ] {
        let (status, problem) = fixture.post("/api/v1/batch", Some(&fixture.service), body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::PAYLOAD_TOO_LARGE, &"payload_too_large".into())
        );
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let fixture = Fixture::new("localhost:0").await;
    // Only now: the store's own threads need real time to open it.
    tokio::time::pause();
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, problem) = fixture
        .post("/api/v1/publish", Some(&fixture.service), body)
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::REQUEST_TIMEOUT, &"request_timeout".into())
    );
}

#[tokio::test]
async fn metrics_are_open_on_loopback_only() {
    for (listen, token, status) in [
        ("localhost:0", None, StatusCode::OK),
        ("0.0.0.0:0", None, StatusCode::UNAUTHORIZED),
        ("0.0.0.0:0", Some(()), StatusCode::OK),
    ] {
        let fixture = Fixture::new(listen).await;
        let mut request = Request::get("/metrics");
        if token.is_some() {
            request = request.header(header::AUTHORIZATION, format!("bearer {}", fixture.service));
        }
        let (found, body) = fixture.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(found, status, "{listen}");
        assert_eq!(body.ends_with(b"# EOF\n"), status == StatusCode::OK);
    }
}

#[tokio::test]
async fn health_tells_what_fails() {
    let fixture = Fixture::new("localhost:0").await;
    assert_eq!(fixture.get("/livez").await.0, StatusCode::OK);
    assert_eq!(fixture.get("/startupz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    fixture.health.started();
    assert_eq!(fixture.get("/startupz").await.0, StatusCode::OK);
    assert_eq!(
        fixture.get("/readyz").await,
        (StatusCode::OK, json!({"status": "ready"}))
    );
    let healthy = json!({"status": "healthy", "service": "operators"});
    assert_eq!(fixture.get("/health").await, (StatusCode::OK, healthy));

    *fixture.bus.is_down.lock() = true;
    let unready = json!({"status": "unready", "failing": ["bus"]});
    assert_eq!(
        fixture.get("/readyz").await,
        (StatusCode::SERVICE_UNAVAILABLE, unready)
    );
    fixture.stop.cancel();
    fixture.store.close().await;
    let (status, answer) = fixture.get("/readyz?verbose").await;
    assert_eq!(
        (status, &answer["failing"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(["store", "bus", "drain"]))
    );
    assert_eq!(answer["checks"][2]["detail"], "stopping");
    assert_eq!(fixture.get("/health").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        fixture.get("/livez").await.0,
        StatusCode::OK,
        "restarting would not mend it"
    );
}
