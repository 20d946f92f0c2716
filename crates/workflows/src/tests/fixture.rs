//! A gateway with a clock that stands, its backend, and clients on relays.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tidings_access::{
    Authenticator, ClaimRule, Claims, JwtSecret, JwtSigner, RoomAccess, RoomRule, ServiceScope, UserId,
};
use tidings_bus::{Bus, MemoryBus};
use tidings_hub::{Connection, Gateway, Hub, HubBuilder, HubLimits, Registration};
use tidings_store::{Clock, Store, StoreOptions};
use tidings_transport::{HeartbeatTimes, Incoming, OriginPolicy, Protocol, Transport, TransportLimits};
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::form::Form;
use crate::session::Session;
use crate::{Workflows, WorkflowsEncodings, WorkflowsLimits, WorkflowsParts, registry_rule};

const WAIT: Duration = Duration::from_secs(10);

pub(super) struct Fixture {
    pub(super) workflows: Workflows,
    hub: Hub,
    signer: JwtSigner,
    now_ms: Arc<AtomicI64>,
}

/// A connection whose frames wait on a relay.
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) connection: Arc<Connection>,
    waiting: std::collections::VecDeque<String>,
}

impl Fixture {
    pub(super) async fn new() -> Fixture {
        Fixture::with(WorkflowsLimits::default()).await
    }

    pub(super) async fn with(limits: WorkflowsLimits) -> Fixture {
        Fixture::with_access(limits, Fixture::rules).await
    }

    /// The default rules.
    pub(super) fn rules(store: Store) -> RoomAccess {
        let rules: [Arc<dyn RoomRule>; 2] = [registry_rule(store, None), Arc::new(ClaimRule)];
        RoomAccess::new(rules)
    }

    /// One with rules of its own.
    pub(super) async fn with_access(
        limits: WorkflowsLimits,
        access: impl FnOnce(Store) -> RoomAccess,
    ) -> Fixture {
        Fixture::with_bus(limits, access, |bus| bus).await
    }

    /// One with a bus put before its own.
    pub(super) async fn with_bus(
        limits: WorkflowsLimits,
        access: impl FnOnce(Store) -> RoomAccess,
        before: impl FnOnce(Arc<dyn Bus>) -> Arc<dyn Bus>,
    ) -> Fixture {
        let secret = JwtSecret::new("0123456789abcdef0123456789abcdef").unwrap();
        // Tokens are signed by the real clock.
        let now_ms = Arc::new(AtomicI64::new(Clock::system().now().as_millis()));
        let shown = now_ms.clone();
        let clock = Clock::new(move || Timestamp::from_millis(shown.load(Ordering::SeqCst)));
        let mut builder = HubBuilder::new(HubLimits::default(), 2);
        let encodings = WorkflowsEncodings::register(&mut builder);
        let hub = builder.start();
        // Longer than any test lets the time pass.
        let times = HeartbeatTimes {
            interval: Duration::from_hours(24),
            timeout: Duration::from_secs(20),
        };
        let transport = Transport::new(
            hub.clone(),
            TransportLimits::default(),
            OriginPolicy::Loopback,
            times,
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let mut options = StoreOptions::new("sqlite::memory:");
        options.clock = clock.clone();
        let store = Store::open_with(options).await.unwrap();
        let workflows = Workflows::new(WorkflowsParts {
            transport,
            bus: before(Arc::new(MemoryBus::new(hub.clone()))),
            access: access(store.clone()),
            store,
            authenticator: Authenticator::local(&secret),
            encodings,
            limits,
            clock,
        });
        Fixture {
            workflows,
            hub,
            signer: JwtSigner::new(&secret),
            now_ms,
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.workflows.0.store
    }

    pub(super) fn advance(&self, duration_s: i64) {
        self.now_ms.fetch_add(duration_s * 1_000, Ordering::SeqCst);
    }

    pub(super) fn user_token(&self, user: &str) -> String {
        self.token_for(user, &[], 60)
    }

    /// A token that opens these rooms.
    pub(super) fn token_for(&self, user: &str, rooms: &[&str], ttl_s: u64) -> String {
        let user = UserId::new(user).unwrap();
        let claims = Map::from_iter([("rooms".to_owned(), rooms.into())]);
        let token = self.signer.sign_user(&user, Duration::from_secs(ttl_s), claims);
        token.unwrap().reveal().to_owned()
    }

    pub(super) fn token(&self, scope: ServiceScope) -> String {
        let token = self.signer.sign_service(scope, Duration::from_mins(1));
        token.unwrap().reveal().to_owned()
    }

    /// A client whose token expires in a minute, its opening frames not yet read.
    pub(super) async fn open(&self, user: &str) -> Result<Client, CloseCode> {
        self.open_with(self.claims(user), false).await
    }

    /// Claims of a token that expires in a minute.
    pub(super) fn claims(&self, user: &str) -> Claims {
        let mut claims = Claims::for_user(UserId::new(user).unwrap());
        claims.exp = Some(self.workflows.0.now_s() + 60);
        claims
    }

    pub(super) async fn open_with(&self, claims: Claims, is_to_be_warned: bool) -> Result<Client, CloseCode> {
        let registration = Registration {
            gateway: Gateway::Workflows,
            heartbeat: self.workflows.0.transport.websocket_heartbeat(),
            socket: None,
            window: None,
        };
        let connection = self.hub.open(registration).unwrap();
        let gateway = self.workflows.0.clone();
        let session = Session::open(gateway, claims, is_to_be_warned, connection.clone(), Form::Json).await?;
        Ok(Client {
            session,
            connection,
            waiting: std::collections::VecDeque::new(),
        })
    }

    /// A client that has read its opening frames.
    pub(super) async fn client(&self, user: &str) -> Client {
        self.client_with(self.claims(user), false).await
    }

    pub(super) async fn client_with(&self, claims: Claims, is_to_be_warned: bool) -> Client {
        let room = format!("user:{}", claims.sub);
        let mut client = self.open_with(claims, is_to_be_warned).await.unwrap();
        assert_eq!(client.json().await["type"], "connection");
        assert_eq!(client.json().await["room_id"], room);
        client
    }

    /// A request with this token; status and body.
    pub(super) async fn ask(
        &self,
        token: &str,
        method: &str,
        target: &str,
        body: Option<&str>,
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{target}"));
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Body::from(body.unwrap_or_default().to_owned()))
            .unwrap();
        let response = self.workflows.routes().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        (status, value)
    }

    /// A request of the application's backend.
    pub(super) async fn backend(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let body = Some(body).filter(|body| !body.is_empty());
        self.ask(&self.token(ServiceScope::Service), method, target, body)
            .await
    }

    /// A workflow `w` and its execution `e`, both of `owner`.
    pub(super) async fn registered(&self, owner: &str) {
        let workflow = format!(r#"{{"owner_id":"{owner}"}}"#);
        assert_eq!(self.backend("PUT", "/workflows/w", &workflow).await.0, 201);
        let execution = r#"{"workflow_id":"w","total_nodes":2}"#;
        assert_eq!(self.backend("PUT", "/executions/e", execution).await.0, 201);
    }
}

impl Client {
    pub(super) async fn send(&mut self, text: &str) {
        self.session.receive(Incoming::Text(text.into())).await.unwrap();
    }

    pub(super) async fn subscribe(&mut self, room: &str) -> Value {
        self.send(&format!(r#"{{"type":"subscribe","room_id":"{room}"}}"#))
            .await;
        self.json().await
    }

    /// The next frame as it was written.
    pub(super) async fn text(&mut self) -> String {
        while self.waiting.is_empty() {
            let relay = self.connection.relay().unwrap();
            let taken = tokio::time::timeout(WAIT, relay.next())
                .await
                .expect("a frame in time");
            assert_eq!(taken.closed, None);
            self.take_in(taken.frames);
        }
        self.waiting.pop_front().unwrap()
    }

    pub(super) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// All that was sent before now: the answer to a ping stands behind it.
    pub(super) async fn drain(&mut self) -> Vec<Value> {
        self.send(r#"{"type":"ping"}"#).await;
        let mut messages = Vec::new();
        loop {
            let message = self.json().await;
            if message["type"] == "pong" {
                return messages;
            }
            messages.push(message);
        }
    }

    /// The code the server closes with.
    pub(super) async fn closed(&mut self) -> CloseCode {
        loop {
            let relay = self.connection.relay().unwrap();
            let taken = tokio::time::timeout(WAIT, relay.next())
                .await
                .expect("a close in time");
            if let Some(farewell) = taken.closed {
                return farewell.code;
            }
        }
    }

    fn take_in(&mut self, frames: Vec<tidings_wire::websocket::Frame>) {
        for frame in frames {
            let texts = frame
                .messages()
                .map(|(_, payload)| String::from_utf8(payload.to_vec()).unwrap());
            self.waiting.extend(texts);
        }
    }
}
