//! What the conformance servers share.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tidings_hub::{HubBuilder, HubLimits};
use tidings_transport::{HeartbeatTimes, Listener, OriginPolicy, Transport, TransportLimits};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves `routes` on the loopback addresses, port `PORT` or the one given, until the process is told to end.
pub(crate) async fn serve(
    port_default: u16,
    limits: TransportLimits,
    routes: impl FnOnce(&Transport) -> Router,
) -> Result<(), Box<dyn Error>> {
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse()?,
        Err(_) => port_default,
    };
    let limits = TransportLimits {
        messages_per_second: 1_000_000,
        message_burst: 1_000_000,
        handshakes_per_second: 1_000_000,
        handshakes_per_address_per_second: 1_000_000,
        connections_per_address_max: 1_000_000,
        ..limits
    };
    let hub_limits = HubLimits {
        timer_tick: Duration::from_millis(10),
        ..HubLimits::default()
    };
    let heartbeat = HeartbeatTimes {
        interval: Duration::from_secs(25),
        timeout: Duration::from_secs(20),
    };
    let shutdown = CancellationToken::new();
    let transport = Transport::new(
        HubBuilder::new(hub_limits, 2).start(),
        limits.clone(),
        OriginPolicy::Any,
        heartbeat,
        shutdown.clone(),
        TaskTracker::new(),
    );
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    // A machine without IPv6 has the first one alone.
    let listener =
        Listener::bind(&addresses, &limits).or_else(|_| Listener::bind(&addresses[..1], &limits))?;
    let routes = routes(&transport);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        served = listener.serve(routes, transport) => served?,
        _ = terminate.recv() => shutdown.cancel(),
    }
    Ok(())
}
