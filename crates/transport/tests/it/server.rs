//! An echo server on a free port.

use crate::certificate::Certificate;
use crate::client::Client;
use axum::routing::{get, post};
use axum::{Extension, Router};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{Connection, Gateway, Hub, HubBuilder, HubLimits};
use tidings_transport::{
    HeartbeatTimes, Incoming, JsonBody, Listener, ListenerOptions, OriginPolicy, PeerAddress, Protocol,
    Quota, QuotaGuard, Tls, Transport, TransportLimits, WebSocketUpgrade, with_problem_fallbacks,
};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct Server {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) tracker: TaskTracker,
    /// Holds a place for every protocol that lives.
    pub(crate) protocols: Quota<()>,
    certificate: Option<Certificate>,
}

/// What differs from server to server.
pub(crate) struct Setup {
    pub(crate) limits: TransportLimits,
    pub(crate) hub: HubLimits,
    pub(crate) origins: OriginPolicy,
    pub(crate) heartbeat: HeartbeatTimes,
    pub(crate) listener: ListenerOptions,
    /// Over TLS, with a certificate of its own.
    pub(crate) is_secure: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: TransportLimits {
                message_bytes_max: 100_000,
                ..TransportLimits::default()
            },
            hub: HubLimits::default(),
            origins: OriginPolicy::Loopback,
            heartbeat: HeartbeatTimes {
                interval: Duration::from_secs(25),
                timeout: Duration::from_secs(20),
            },
            listener: ListenerOptions::default(),
            is_secure: false,
        }
    }
}

/// Echoes; `close me` closes with 4403, `flood N` sends N frames of 64 KiB until the connection is closing.
struct Echo {
    connection: Arc<Connection>,
    _place: QuotaGuard<()>,
}

impl Protocol for Echo {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let echo = match message {
            Incoming::Text(text) if &*text == "close me" => return Err(CloseCode::Forbidden),
            Incoming::Text(text) if text.starts_with("flood ") => {
                let frame = Frame::text(&"x".repeat(64 * 1024));
                for _ in 0..text["flood ".len()..].parse().unwrap() {
                    if self.connection.is_closing() {
                        break;
                    }
                    self.connection.send(frame.clone()).await;
                    tokio::task::yield_now().await;
                }
                return Ok(());
            }
            Incoming::Text(text) => Frame::text(&text),
            Incoming::Binary(bytes) => Frame::binary(&bytes),
        };
        self.connection.send(echo).await;
        Ok(())
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(mut setup: Setup) -> Self {
        let certificate = setup.is_secure.then(Certificate::new);
        if let Some(certificate) = &certificate {
            setup.listener.tls = Some(Tls::load(certificate.settings()).unwrap());
        }
        let hub: Hub = HubBuilder::new(setup.hub, 2).start();
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], &setup.limits)
            .unwrap()
            .with_options(setup.listener);
        let address = listener.local_addresses()[0];
        let tracker = TaskTracker::new();
        let transport = Transport::new(
            hub,
            setup.limits,
            setup.origins,
            setup.heartbeat,
            CancellationToken::new(),
            tracker.clone(),
        );
        let protocols = Quota::new(usize::MAX);
        let routes = with_problem_fallbacks(routes(&transport, &protocols));
        let serving = listener.serve(routes, transport.clone());
        tracker.spawn(async move { serving.await.unwrap() });
        Self {
            transport,
            address,
            tracker,
            protocols,
            certificate,
        }
    }

    /// A connected client.
    pub(crate) async fn client(&self) -> Client {
        match &self.certificate {
            None => Client::connect(self.address).await,
            Some(certificate) => Client::on(certificate.connect(self.address, &[]).await.unwrap()),
        }
    }

    /// An upgraded client of the echo.
    pub(crate) async fn echo_client(&self) -> Client {
        let mut client = self.client().await;
        assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
        client
    }

    pub(crate) fn refused(&self, reason: &str) -> u64 {
        let refused = self.transport.counters().figures().handshakes_refused;
        refused.iter().find(|(name, _)| *name == reason).unwrap().1
    }
}

fn routes(transport: &Transport, protocols: &Quota<()>) -> Router {
    let [echo, refuse, fail, late, short, raw] = [(); 6].map(|()| transport.clone());
    let protocols = protocols.clone();
    Router::new()
        .route(
            "/echo",
            get(async move |upgrade: WebSocketUpgrade| {
                let upgrade = upgrade.with_protocol("bearer");
                upgrade.accept(&echo, Gateway::Tasks, async move |connection| {
                    let place = protocols.enter(()).unwrap();
                    Ok(Echo {
                        connection,
                        _place: place,
                    })
                })
            }),
        )
        .route(
            "/refuse",
            get(async move |upgrade: WebSocketUpgrade| upgrade.refuse(&refuse, CloseCode::InvalidToken)),
        )
        .route(
            "/fail",
            get(async move |upgrade: WebSocketUpgrade| {
                upgrade.accept(&fail, Gateway::Tasks, async |connection: Arc<Connection>| {
                    connection.send(Frame::text("almost")).await;
                    Err::<Echo, _>(CloseCode::MissingUserId)
                })
            }),
        )
        .route(
            "/late",
            get(async move |upgrade: WebSocketUpgrade| {
                late.shutdown().cancel();
                upgrade.accept(&late, Gateway::Tasks, async |_| {
                    Err::<Echo, _>(CloseCode::InternalError)
                })
            }),
        )
        .route(
            "/short",
            get(async move |upgrade: WebSocketUpgrade| {
                let accepted = upgrade.accept(&short, Gateway::Tasks, async |_| {
                    Err::<Echo, _>(CloseCode::InternalError)
                });
                short.set_memory_short(true);
                accepted
            }),
        )
        .route(
            "/raw",
            get(async move |upgrade: WebSocketUpgrade| {
                upgrade.raw(&raw, async |mut stream, early, _agreement| {
                    use tokio::io::AsyncWriteExt;
                    stream.write_all(&early).await.unwrap();
                })
            }),
        )
        .route(
            "/peer",
            get(async |Extension(peer): Extension<PeerAddress>| peer.0.to_string()),
        )
        .route(
            "/json",
            post(async |JsonBody(value): JsonBody<serde_json::Value>| value.to_string()),
        )
}
