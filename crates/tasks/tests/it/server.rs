//! A server on a free port.

use crate::client::{Client, Refusal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use tidings_access::{Authenticator, JwtSecret, JwtSigner, ServiceScope, UserId};
use tidings_bus::MemoryBus;
use tidings_hub::{Hub, HubBuilder, HubLimits};
use tidings_sources::dapr::{self, DaprSettings, DaprSource};
use tidings_sources::{Ingest, IngestSettings};
use tidings_store::{Clock, Store};
use tidings_tasks::{Tasks, TasksEncodings, TasksParts, TasksSettings};
use tidings_transport::{HeartbeatTimes, Listener, OriginPolicy, Transport, TransportLimits};
use tidings_wire::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Long enough for a loaded machine; reached only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) tasks: Tasks,
    pub(crate) hub: Hub,
    signer: JwtSigner,
    address: SocketAddr,
    clock_ahead_ms: Arc<AtomicI64>,
    shutdown: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) fn development() -> TasksSettings {
    TasksSettings {
        token_required: false,
        stats_token_required: false,
        connections_per_user_max: 100,
        expiry_grace: Duration::from_secs(25),
    }
}

impl Server {
    pub(crate) async fn start(settings: TasksSettings) -> Server {
        let mut builder = HubBuilder::new(HubLimits::default(), 2);
        let encodings = TasksEncodings::register(&mut builder);
        let hub = builder.start();
        let shutdown = CancellationToken::new();
        let heartbeat = HeartbeatTimes {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(20),
        };
        let transport = Transport::new(
            hub.clone(),
            TransportLimits::default(),
            OriginPolicy::Loopback,
            heartbeat,
            shutdown.clone(),
            TaskTracker::new(),
        );
        let secret = JwtSecret::new("0123456789abcdef0123456789abcdef").unwrap();
        let clock_ahead_ms = Arc::new(AtomicI64::new(0));
        let ahead = clock_ahead_ms.clone();
        let tasks = Tasks::new(TasksParts {
            transport: transport.clone(),
            authenticator: Authenticator::local(&secret),
            encodings,
            settings,
            clock: Clock::new(move || {
                Timestamp::from_millis(Clock::system().now().as_millis() + ahead.load(SeqCst))
            }),
        });
        let store = Store::open("sqlite::memory:").await.unwrap();
        let bus = Arc::new(MemoryBus::new(hub.clone()));
        let ingest = Arc::new(Ingest::new(bus, store, IngestSettings::default()));
        let source = DaprSource::new(ingest, DaprSettings::default()).unwrap();
        let routes = tasks.routes().merge(dapr::routes(source));
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], transport.limits()).unwrap();
        let address = listener.local_addresses()[0];
        tokio::spawn(listener.serve(routes, transport));
        Server {
            tasks,
            hub,
            signer: JwtSigner::new(&secret),
            address,
            clock_ahead_ms,
            shutdown,
        }
    }

    /// Moves the gateway's clock.
    pub(crate) fn advance(&self, time: Duration) {
        self.clock_ahead_ms
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), SeqCst);
    }

    /// A token that is good for a minute.
    pub(crate) fn token(&self, user: &str) -> String {
        let user = UserId::new(user).unwrap();
        let token = self
            .signer
            .sign_user(&user, Duration::from_mins(1), serde_json::Map::new())
            .unwrap();
        token.reveal().to_owned()
    }

    pub(crate) fn service_token(&self, scope: ServiceScope) -> String {
        self.signer
            .sign_service(scope, Duration::from_mins(1))
            .unwrap()
            .reveal()
            .to_owned()
    }

    pub(crate) async fn connect(&self, target: &str) -> Client {
        self.connect_with(target, &[]).await.unwrap()
    }

    pub(crate) async fn connect_with(
        &self,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Client, Refusal> {
        timeout(PATIENCE, Client::connect(self.address, target, headers))
            .await
            .unwrap()
    }

    /// Connects, and reads the welcome.
    pub(crate) async fn join(&self, user: &str) -> Client {
        let mut client = self.connect(&format!("/ws?user_id={user}")).await;
        assert!(client.text().await.starts_with(r#"{"type":"connected","#));
        client
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> (u16, String) {
        self.request(&format!("GET {path} HTTP/1.1\r\n{headers}"), "")
            .await
    }

    /// Posts an event the way Dapr does, and expects its success.
    pub(crate) async fn publish(&self, id: &str, data: &str) {
        let event = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"backend","type":"com.dapr.event.sent","datacontenttype":"application/json","topic":"task-updates","pubsubname":"kafka-pubsub","data":{data}}}"#
        );
        let head = "POST /task-updates HTTP/1.1\r\ncontent-type: application/cloudevents+json\r\n";
        assert_eq!(
            self.request(head, &event).await,
            (200, r#"{"status":"SUCCESS"}"#.to_owned())
        );
    }

    async fn request(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request =
            format!("{head}host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }
}
