//! Echoes text and binary messages up to 16 MiB, for conformance suites. `PORT` (default 9001) on loopback.

use axum::Router;
use axum::routing::get;
use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{Connection, Gateway, HubBuilder, HubLimits};
use tidings_transport::{
    HeartbeatTimes, Incoming, Listener, OriginPolicy, Protocol, Transport, TransportLimits, WebSocketUpgrade,
};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::{Deflation, Frame};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Autobahn sends a message of 4 MiB in frames of 64 bytes; endless empty frames end here.
const FRAGMENTS_MAX: usize = 100_000;

struct Echo(Arc<Connection>);

impl Protocol for Echo {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let echo = match message {
            Incoming::Text(text) => Frame::text(&text),
            Incoming::Binary(bytes) => Frame::binary(&bytes),
        };
        self.0.send(echo).await;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").map_or(Ok(9001), |port| port.parse())?;
    let hub_limits = HubLimits {
        outbox_bytes_max: 4 * MESSAGE_BYTES_MAX,
        // Whatever gets shorter, so that suites see the compressed form of all sizes.
        compression: Some(Deflation {
            threshold_bytes: 0,
            ..Deflation::default()
        }),
        ..HubLimits::default()
    };
    let limits = TransportLimits {
        message_bytes_max: MESSAGE_BYTES_MAX,
        message_frames_max: FRAGMENTS_MAX,
        messages_per_second: 1_000_000,
        message_burst: 1_000_000,
        handshakes_per_address_per_second: 100_000,
        connections_per_address_max: 100_000,
        ..TransportLimits::default()
    };
    let listener = Listener::bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, port))], &limits)?;
    let shutdown = CancellationToken::new();
    let transport = Transport::new(
        HubBuilder::new(hub_limits, 1).start(),
        limits,
        OriginPolicy::Any,
        HeartbeatTimes {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(20),
        },
        shutdown,
        TaskTracker::new(),
    );
    for address in listener.local_addresses() {
        writeln!(std::io::stderr(), "listening on ws://{address}")?;
    }
    let accepting = transport.clone();
    let echo = get(async move |upgrade: WebSocketUpgrade| {
        upgrade.accept(&accepting, Gateway::Tasks, async |connection| {
            Ok(Echo(connection))
        })
    });
    listener
        .serve(Router::new().fallback_service(echo), transport)
        .await?;
    Ok(())
}
