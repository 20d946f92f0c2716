//! What everything in this crate shares: the hub, the limits, the counters, the way down.

use crate::counters::{Limit, RefusedBefore};
use crate::floods::Floods;
use crate::handshake_rate::{HandshakeRate, TooFast};
use crate::lingering::Lingering;
use crate::message_rate::{Allowance, MessageRate};
use crate::waiting::Waiting;
use crate::{OriginPolicy, PeerAddress, Problem, ProblemCode, Quota, QuotaGuard, TransportCounters};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tidings_hub::{Heartbeat, Hub};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::{self, Agreement, DeflateFigures, Frame, Inflater};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When a client that is refused for want of memory may try again, in seconds: memory does not come back at once.
const MEMORY_RETRY_AFTER_S: u32 = 5;

/// What one peer may use before and after its handshake. Fields are configuration keys of the same name.
#[derive(Clone, Debug)]
pub struct TransportLimits {
    /// The largest message from a client.
    pub message_bytes_max: usize,
    /// The largest number of frames a message may come in.
    pub message_frames_max: usize,
    /// How long a message may take from its first byte to its last; beyond it, 1008.
    pub message_timeout: Duration,
    /// Messages a connection may send each second, over time; beyond it, 4429.
    pub messages_per_second: u32,
    /// Messages a connection may send at once.
    pub message_burst: u32,
    /// How often connections of an address may be closed for flooding in `flood_window` before it is told not to come
    /// back (1008).
    pub floods_per_address_max: u32,
    /// See `floods_per_address_max`.
    pub flood_window: Duration,
    /// How long a client may take from connecting to the end of its first request's headers, and again for each request
    /// that follows on the same connection.
    pub handshake_timeout: Duration,
    /// The request line and headers together.
    pub header_bytes_max: usize,
    /// Headers of one request.
    pub headers_max: usize,
    /// The request's target, in bytes; beyond it, 414.
    pub url_bytes_max: usize,
    /// The largest body of a request.
    pub body_bytes_max: usize,
    /// How long a request's body may take to come; beyond it, 408.
    pub body_timeout: Duration,
    /// Requests that one HTTP/2 connection may have under way.
    pub http2_streams_max: u32,
    /// Handshakes admitted each second; beyond it, 503.
    pub handshakes_per_second: u32,
    /// Handshakes admitted each second from one address (IPv6: one /64); beyond it, 429.
    pub handshakes_per_address_per_second: u32,
    /// Sockets of one address that speak HTTP; beyond it, a new one is closed.
    pub http_sockets_per_address_max: usize,
    /// Sockets that wait for a request; beyond it, the one that has waited longest is closed.
    pub waiting_sockets_max: usize,
    /// The same for one address.
    pub waiting_sockets_per_address_max: usize,
    /// Connections in all; beyond it, 503. The hub's own bound.
    pub connections_max: usize,
    /// Connections from one address (IPv6: one /64).
    pub connections_per_address_max: usize,
    /// Namespaces that one Socket.IO client may be in.
    pub namespaces_per_connection_max: usize,
    /// How long a Socket.IO client may take to enter its first namespace.
    pub connect_timeout: Duration,
    /// How long a WebSocket may take from its upgrade request to the packet that completes a session's move.
    pub upgrade_timeout: Duration,
    /// Engine.IO packets in the body of one POST.
    pub payload_packets_max: usize,
    /// Attachments of one Socket.IO packet.
    pub attachments_max: usize,
    /// How long the kernel keeps a socket whose peer takes nothing any more: the end of responses nobody reads.
    pub send_timeout: Duration,
    /// How long a refused client may take to read its close frame and leave.
    pub linger: Duration,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1024 * 1024,
            message_frames_max: 1024,
            message_timeout: Duration::from_mins(1),
            messages_per_second: 100,
            message_burst: 200,
            floods_per_address_max: 5,
            flood_window: Duration::from_mins(1),
            handshake_timeout: Duration::from_secs(10),
            header_bytes_max: 16 * 1024,
            headers_max: 100,
            url_bytes_max: 12 * 1024,
            body_bytes_max: 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            http2_streams_max: 128,
            handshakes_per_second: 1_000,
            handshakes_per_address_per_second: 1_000,
            http_sockets_per_address_max: 2_000,
            waiting_sockets_max: 4_096,
            waiting_sockets_per_address_max: 512,
            connections_max: 1_000_000,
            connections_per_address_max: 1_000,
            namespaces_per_connection_max: 8,
            connect_timeout: Duration::from_secs(45),
            upgrade_timeout: Duration::from_secs(10),
            payload_packets_max: 1_024,
            attachments_max: 10,
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
    inflater: Arc<Inflater>,
    message_rate: MessageRate,
    handshake_rate: HandshakeRate,
    floods: Floods,
    is_memory_short: AtomicBool,
    origins: OriginPolicy,
    addresses: Quota<IpAddr>,
    http: Quota<IpAddr>,
    waiting: Waiting,
    lingering: Lingering,
    counters: TransportCounters,
    heartbeat: HeartbeatTimes,
    websocket_heartbeat: Arc<Heartbeat>,
    sse_heartbeat: Arc<Heartbeat>,
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
                fragments_max: u32::try_from(limits.message_frames_max).unwrap_or(u32::MAX),
            },
            inflater: Arc::default(),
            message_rate: MessageRate::new(limits.messages_per_second, limits.message_burst),
            handshake_rate: HandshakeRate::new(
                limits.handshakes_per_second,
                limits.handshakes_per_address_per_second,
            ),
            floods: Floods::new(limits.floods_per_address_max, limits.flood_window),
            is_memory_short: AtomicBool::new(false),
            origins,
            addresses: Quota::new(limits.connections_per_address_max),
            http: Quota::new(limits.http_sockets_per_address_max),
            waiting: Waiting::new(limits.waiting_sockets_max, limits.waiting_sockets_per_address_max),
            lingering: Lingering::default(),
            counters: TransportCounters::default(),
            heartbeat,
            websocket_heartbeat: Arc::new(Heartbeat {
                interval,
                timeout: Some(timeout),
                frame: Frame::ping(&[]),
            }),
            sse_heartbeat: Arc::new(Heartbeat {
                interval,
                timeout: None,
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

    /// The heartbeat of an event stream, whose client never says anything: pings, which become comments.
    pub(crate) fn sse_heartbeat(&self) -> Arc<Heartbeat> {
        self.0.sse_heartbeat.clone()
    }

    /// A heartbeat of Engine.IO sessions, whose ping is the packet `2`. Made once per server, not per session.
    pub fn engineio_heartbeat(&self, interval: Duration, timeout: Duration) -> Arc<Heartbeat> {
        Arc::new(Heartbeat {
            interval,
            timeout: Some(timeout),
            frame: Frame::text("2"),
        })
    }

    /// Connections by the peer's network; one place must be held by every connection.
    pub fn enter_address(&self, peer: PeerAddress) -> Option<QuotaGuard<IpAddr>> {
        self.0.addresses.enter(peer.network())
    }

    /// What is short before a handshake is looked at closely: a drain, memory, the connections, the rate of handshakes.
    /// A refusal is counted. Every new WebSocket and every new Engine.IO session asks first.
    pub fn admit_handshake(&self, peer: Option<PeerAddress>) -> Result<(), Problem> {
        if self.0.shutdown.is_cancelled() {
            Err(self.refuse_before(RefusedBefore::ShuttingDown))
        } else if self.is_memory_short() {
            Err(self.refuse_before(RefusedBefore::Memory))
        } else if self.0.hub.connections() >= self.0.limits.connections_max {
            Err(self.refuse_before(RefusedBefore::Overloaded))
        } else {
            self.admit_rate(peer)
        }
    }

    /// Takes a place in the rate of handshakes, all that [`Self::admit_handshake`] asks of the second WebSocket of a
    /// session that has its connection already.
    pub(crate) fn admit_rate(&self, peer: Option<PeerAddress>) -> Result<(), Problem> {
        let network = peer.map(PeerAddress::network);
        let is_flooder = |network| self.0.floods.are_lasting(network);
        let admitted = self.0.handshake_rate.admit(network, is_flooder);
        admitted.map_err(|too_fast| {
            self.refuse_before(match too_fast {
                TooFast::Address => RefusedBefore::AddressHandshakeRate,
                TooFast::All => RefusedBefore::HandshakeRate,
            })
        })
    }

    fn refuse_before(&self, why: RefusedBefore) -> Problem {
        self.0.counters.refused_before(why);
        match why {
            RefusedBefore::ShuttingDown => Problem::new(ProblemCode::ShuttingDown),
            RefusedBefore::AddressHandshakeRate => Problem::new(ProblemCode::RateLimited),
            RefusedBefore::Memory => {
                Problem::new(ProblemCode::Overloaded).retry_after_s(MEMORY_RETRY_AFTER_S)
            }
            _ => Problem::new(ProblemCode::Overloaded),
        }
    }

    /// Sockets that wait for a request: half-open handshakes, and idle ones that were kept alive.
    pub fn sockets_waiting(&self) -> usize {
        self.0.waiting.count()
    }

    /// Says whether memory is short. While it is, handshakes are refused.
    pub fn set_memory_short(&self, is_short: bool) {
        self.0.is_memory_short.store(is_short, Relaxed);
    }

    /// Whether memory is short.
    pub fn is_memory_short(&self) -> bool {
        self.0.is_memory_short.load(Relaxed)
    }

    /// Whether an upgraded WebSocket can become a connection, which may have changed since it was admitted.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_memory_short() && self.0.hub.connections() < self.0.limits.connections_max
    }

    /// What a new connection may send. An address that floods again and again has a tenth of the burst.
    pub(crate) fn allowance(&self, network: Option<IpAddr>) -> Allowance {
        if network.is_some_and(|network| self.0.floods.are_lasting(network)) {
            self.0.message_rate.tenth()
        } else {
            Allowance::default()
        }
    }

    /// What a connection is closed with that has sent too fast, counted.
    pub(crate) fn flooded(&self, network: Option<IpAddr>) -> CloseCode {
        let code = self.0.floods.close_code(network);
        self.0.counters.reached(match code {
            CloseCode::PolicyViolation => Limit::Floods,
            _ => Limit::MessageRate,
        });
        code
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

    /// Sockets that wait for a request.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    pub(crate) fn message_limits(&self) -> websocket::Limits {
        self.0.message_limits
    }

    /// A decoder of client frames, compressed ones if that was agreed on.
    pub(crate) fn decoder(
        &self,
        limits: websocket::Limits,
        agreement: Option<Agreement>,
    ) -> websocket::Decoder {
        websocket::Decoder::new(limits).with_inflater(agreement.map(|_| self.0.inflater.clone()))
    }

    /// What was inflated.
    pub fn inflated(&self) -> DeflateFigures {
        self.0.inflater.figures()
    }

    pub(crate) fn message_rate(&self) -> &MessageRate {
        &self.0.message_rate
    }

    pub(crate) fn lingering(&self) -> &Lingering {
        &self.0.lingering
    }
}
