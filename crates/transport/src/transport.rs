//! What everything in this crate shares: the hub, the limits, the counters, the way down.

use crate::counters::RefusedBefore;
use crate::handshake_rate::HandshakeRate;
use crate::lingering::Lingering;
use crate::message_rate::MessageRate;
use crate::{OriginPolicy, PeerAddress, Problem, ProblemCode, Quota, QuotaGuard, TransportCounters};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{Heartbeat, Hub};
use tidings_wire::websocket::{self, Frame};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sockets that one address may speak HTTP on, however few connections it may have: a browser opens several, and one
/// whose upgrade is done is still counted for a moment.
const HTTP_PER_ADDRESS_MIN: usize = 256;

/// What one peer may use before and after its handshake. Fields are configuration keys of the same name.
#[derive(Clone, Debug)]
pub struct TransportLimits {
    /// The largest message from a client.
    pub message_bytes_max: usize,
    /// The largest number of frames a message may come in.
    pub fragments_max: usize,
    /// Messages a connection may send each second, over time; beyond it, 4429.
    pub messages_per_second: u32,
    /// Messages a connection may send at once.
    pub message_burst: u32,
    /// How long a client may take to send its request's headers.
    pub handshake_timeout: Duration,
    /// The request line and headers together.
    pub header_bytes_max: usize,
    /// Headers of one request.
    pub headers_max: usize,
    /// The largest body of a request.
    pub body_bytes_max: usize,
    /// Handshakes admitted each second; beyond it, 503.
    pub handshakes_per_second: u32,
    /// Connections in all; beyond it, 503. The hub's own bound.
    pub connections_max: usize,
    /// Connections from one address (IPv6: one /64).
    pub connections_per_address_max: usize,
    /// How long the kernel keeps a socket whose peer takes nothing any more: the end of responses nobody reads.
    pub send_timeout: Duration,
    /// How long a refused client may take to read its close frame and leave.
    pub linger: Duration,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1024 * 1024,
            fragments_max: 1024,
            messages_per_second: 100,
            message_burst: 200,
            handshake_timeout: Duration::from_secs(10),
            header_bytes_max: 16 * 1024,
            headers_max: 100,
            body_bytes_max: 1024 * 1024,
            handshakes_per_second: 1_000,
            connections_max: 1_000_000,
            connections_per_address_max: 1_000,
            send_timeout: Duration::from_mins(1),
            linger: Duration::from_secs(5),
        }
    }
}

/// When peers are pinged, and when they are given up.
#[derive(Clone, Copy, Debug)]
pub struct HeartbeatTimes {
    /// Time between two pings.
    pub interval: Duration,
    /// How long after a ping a silent peer is closed with 4410.
    pub timeout: Duration,
}

/// What everything in this crate shares. A clone is another handle.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    hub: Hub,
    limits: TransportLimits,
    message_limits: websocket::Limits,
    message_rate: MessageRate,
    handshake_rate: HandshakeRate,
    origins: OriginPolicy,
    addresses: Quota<IpAddr>,
    http: Quota<IpAddr>,
    lingering: Lingering,
    counters: TransportCounters,
    heartbeat: HeartbeatTimes,
    websocket_heartbeat: Arc<Heartbeat>,
    shutdown: CancellationToken,
    tracker: TaskTracker,
}

impl Transport {
    /// Brings the parts together. Tasks are spawned on `tracker`; `shutdown` stops listeners and refuses handshakes.
    pub fn new(
        hub: Hub,
        limits: TransportLimits,
        origins: OriginPolicy,
        heartbeat: HeartbeatTimes,
        shutdown: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let bytes_max = u32::try_from(limits.message_bytes_max).unwrap_or(u32::MAX);
        let HeartbeatTimes { interval, timeout } = heartbeat;
        Self(Arc::new(Inner {
            hub,
            message_limits: websocket::Limits {
                frame_bytes_max: bytes_max,
                message_bytes_max: bytes_max,
                fragments_max: u32::try_from(limits.fragments_max).unwrap_or(u32::MAX),
            },
            message_rate: MessageRate::new(limits.messages_per_second, limits.message_burst),
            handshake_rate: HandshakeRate::new(limits.handshakes_per_second),
            origins,
            addresses: Quota::new(limits.connections_per_address_max),
            http: Quota::new(
                limits
                    .connections_per_address_max
                    .saturating_mul(2)
                    .max(HTTP_PER_ADDRESS_MIN),
            ),
            lingering: Lingering::default(),
            counters: TransportCounters::default(),
            heartbeat,
            websocket_heartbeat: Arc::new(Heartbeat {
                interval,
                timeout,
                frame: Frame::ping(&[]),
            }),
            shutdown,
            tracker,
            limits,
        }))
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// The limits.
    pub fn limits(&self) -> &TransportLimits {
        &self.0.limits
    }

    /// Which pages may connect.
    pub fn origins(&self) -> &OriginPolicy {
        &self.0.origins
    }

    /// What was counted.
    pub fn counters(&self) -> &TransportCounters {
        &self.0.counters
    }

    /// The configured heartbeat.
    pub fn heartbeat(&self) -> HeartbeatTimes {
        self.0.heartbeat
    }

    /// The heartbeat of a plain WebSocket: ping frames at the configured times.
    pub fn websocket_heartbeat(&self) -> Arc<Heartbeat> {
        self.0.websocket_heartbeat.clone()
    }

    /// A heartbeat of Engine.IO sessions, whose ping is the packet `2`. Made once per server, not per session.
    pub fn engineio_heartbeat(&self, interval: Duration, timeout: Duration) -> Arc<Heartbeat> {
        Arc::new(Heartbeat {
            interval,
            timeout,
            frame: Frame::text("2"),
        })
    }

    /// Connections by the peer's network; one place must be held by every connection.
    pub fn enter_address(&self, peer: PeerAddress) -> Option<QuotaGuard<IpAddr>> {
        self.0.addresses.enter(peer.network())
    }

    /// What is short before a handshake is looked at closely: a drain, the connections, the rate of handshakes. A
    /// refusal is counted. Every new WebSocket and every new Engine.IO session asks first.
    pub fn admit_handshake(&self) -> Result<(), Problem> {
        let refused = if self.0.shutdown.is_cancelled() {
            RefusedBefore::ShuttingDown
        } else if self.0.hub.connections() >= self.0.limits.connections_max {
            RefusedBefore::Overloaded
        } else if !self.0.handshake_rate.admit() {
            RefusedBefore::HandshakeRate
        } else {
            return Ok(());
        };
        self.0.counters.refused_before(refused);
        Err(Problem::new(match refused {
            RefusedBefore::ShuttingDown => ProblemCode::ShuttingDown,
            _ => ProblemCode::Overloaded,
        }))
    }

    /// Runs a task that the process waits for on its way down.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tracker.spawn(task);
    }

    /// Cancelled when the process goes down.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Sockets that speak HTTP by the peer's network. Separate from [`Self::enter_address`]: an upgrade leaves this one.
    pub(crate) fn enter_http(&self, peer: PeerAddress) -> Option<QuotaGuard<IpAddr>> {
        self.0.http.enter(peer.network())
    }

    pub(crate) fn message_limits(&self) -> websocket::Limits {
        self.0.message_limits
    }

    pub(crate) fn message_rate(&self) -> &MessageRate {
        &self.0.message_rate
    }

    pub(crate) fn lingering(&self) -> &Lingering {
        &self.0.lingering
    }
}
