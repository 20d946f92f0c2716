//! The server under test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tidings_hub::{Connection, Gateway, HubBuilder, HubLimits, RoomName};
use tidings_transport::engineio::{EngineOptions, EngineServer};
use tidings_transport::socketio::{SocketOptions, SocketServer};
use tidings_transport::{
    HeartbeatTimes, Listener, OriginPolicy, SseRefusal, SseRequest, Transport, TransportLimits,
    WebSocketUpgrade, get_stream, with_problem_fallbacks,
};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Deflation;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::application::{Echo, Engine, Plain, Spelled};

const INTERVAL: Duration = Duration::from_millis(60);
const TIMEOUT: Duration = Duration::from_millis(40);

/// A server whose times are short, so that what ends by time ends while a script is looked at.
pub(super) struct Server {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
    pub(super) tracker: TaskTracker,
    /// Tasks that are there without a client.
    pub(super) tasks_at_rest: usize,
    pub(super) protocols: Count,
}

/// How many of something live.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

/// One of them.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Count {
    pub(super) fn enter(&self) -> Counted {
        self.0.fetch_add(1, Ordering::AcqRel);
        Counted(self.0.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Server {
    pub(super) fn start() -> Self {
        let limits = TransportLimits {
            message_bytes_max: 2_000,
            message_frames_max: 4,
            messages_per_second: 2_000,
            message_burst: 50,
            message_timeout: Duration::from_millis(150),
            handshake_timeout: Duration::from_millis(100),
            body_timeout: Duration::from_millis(100),
            // All scripts come from one address: what one has done must not be held against the next.
            flood_window: Duration::from_millis(5),
            handshakes_per_address_per_second: 1_000_000,
            header_bytes_max: 8 * 1024,
            headers_max: 20,
            body_bytes_max: 2_000,
            handshakes_per_second: 1_000_000,
            connections_per_address_max: 6,
            send_timeout: Duration::from_secs(2),
            linger: Duration::from_millis(50),
            ..TransportLimits::default()
        };
        let hub_limits = HubLimits {
            outbox_bytes_max: 64 * 1024,
            outbox_frames_max: 64,
            outbox_age_max: Duration::from_millis(200),
            close_timeout: Duration::from_millis(50),
            compression: Some(Deflation {
                threshold_bytes: 50,
                ..Deflation::default()
            }),
            timer_tick: Duration::from_millis(5),
            ..HubLimits::default()
        };
        let mut builder = HubBuilder::new(hub_limits, 2);
        let spelled = [Gateway::Flow, Gateway::Tasks, Gateway::Workflows]
            .map(|gateway| builder.encoding(gateway, Arc::new(Spelled)));
        let listener =
            Listener::bind(&[SocketAddr::from(([127, 0, 0, 1], 0))], &limits).expect("a free port");
        let address = listener.local_addresses()[0];
        let tracker = TaskTracker::new();
        let heartbeat = HeartbeatTimes {
            interval: INTERVAL,
            timeout: TIMEOUT,
        };
        let transport = Transport::new(
            builder.start(),
            limits,
            OriginPolicy::Loopback,
            heartbeat,
            CancellationToken::new(),
            tracker.clone(),
        );
        let protocols = Count::default();
        let options = |path, gateway| EngineOptions {
            ping_interval: INTERVAL,
            ping_timeout: TIMEOUT,
            upgrade_timeout: Duration::from_millis(80),
            payload_bytes_max: 2_000,
            ..EngineOptions::new(path, gateway)
        };
        let socket_options = SocketOptions {
            connect_timeout: Duration::from_millis(80),
            namespaces_max: 2,
            ..SocketOptions::default()
        };
        let echo = Echo {
            encoding: spelled[0],
            count: protocols.clone(),
        };
        let engine = Engine {
            encoding: spelled[2],
            count: protocols.clone(),
        };
        let routes = plain(&transport, protocols.clone(), spelled[1])
            .merge(
                SocketServer::start(
                    &transport,
                    options("/socket.io/", Gateway::Flow),
                    socket_options,
                    echo,
                )
                .routes(),
            )
            .merge(
                EngineServer::new(&transport, options("/engine.io/", Gateway::Workflows), engine).routes(),
            );
        let serving = listener.serve(with_problem_fallbacks(routes), transport.clone());
        tracker.spawn(async move { serving.await.expect("a listener that listens") });
        Self {
            transport,
            address,
            tasks_at_rest: tracker.len(),
            tracker,
            protocols,
        }
    }
}

fn plain(transport: &Transport, count: Count, encoding: tidings_hub::EncodingId) -> Router {
    let [echo, refuse, stream] = [(); 3].map(|()| transport.clone());
    let listeners = count.clone();
    Router::new()
        .route(
            "/echo",
            get(async move |upgrade: WebSocketUpgrade| {
                let hub = echo.hub().clone();
                upgrade.accept(&echo, Gateway::Tasks, async move |connection| {
                    Ok(Plain {
                        hub,
                        connection,
                        encoding,
                        _place: count.enter(),
                    })
                })
            }),
        )
        .route(
            "/refuse",
            get(async move |upgrade: WebSocketUpgrade| upgrade.refuse(&refuse, CloseCode::InvalidToken)),
        )
        .route(
            "/stream",
            get_stream(transport, async move |request: SseRequest| {
                let start = async move |connection: Arc<Connection>| {
                    let room = RoomName::new("r0").expect("a name");
                    connection.join(room, encoding, None).await;
                    Ok::<_, SseRefusal>(listeners.enter())
                };
                request.accept(&stream, Gateway::Tasks, start).await
            }),
        )
}
