//! What transport counts. Readers take [`TransportFigures`].

use crate::listener::HandshakeOutcome;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tidings_hub::Gateway;
use tidings_wire::close_code::CloseCode;

/// Upper bounds of the connection duration's buckets, in seconds; one more bucket takes the rest.
pub const DURATION_BOUNDS_SECONDS: [f64; 8] = [1.0, 10.0, 60.0, 600.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0];
const BUCKETS: usize = DURATION_BOUNDS_SECONDS.len() + 1;
const GATEWAYS: [Gateway; 3] = [Gateway::Flow, Gateway::Tasks, Gateway::Workflows];

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// A WebSocket, plain or Engine.IO's.
    Websocket,
    /// Engine.IO's long polling.
    Polling,
    /// Server-sent events.
    Sse,
}

/// Why a handshake was refused before anybody asked who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusedBefore {
    /// The request is no valid upgrade.
    BadUpgrade,
    /// The page's origin is not allowed.
    Origin,
    /// The server has as many connections as it may hold.
    Overloaded,
    /// The server drains.
    ShuttingDown,
    /// Handshakes come too fast.
    HandshakeRate,
    /// The address has as many connections as it may hold.
    AddressQuota,
    /// A trusted proxy did not say whose connection it is, in time or at all.
    ProxyHeader,
    /// Handshakes come too fast from this address.
    AddressHandshakeRate,
    /// The process holds as much memory as it may.
    Memory,
}

const REFUSED_BEFORE: [&str; 9] = [
    "bad_upgrade",
    "origin",
    "overloaded",
    "shutting_down",
    "handshake_rate",
    "address_quota",
    "proxy_protocol",
    "address_handshake_rate",
    "memory",
];

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $key:literal;)*) => {
        /// A limit that a client can reach, by the configuration key that sets it. What is counted as a refused
        /// handshake or a close code of its own is counted there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit { $($(#[$doc])* $limit,)* }

        impl Limit {
            /// Every limit, in the order of the table.
            pub const ALL: &[Limit] = &[$(Limit::$limit),*];

            /// Its configuration key in `[limits]`, which is the metric's label.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$limit => $key,)* }
            }
        }
    };
}

limits! {
    /// A message or a body is too large.
    MessageBytes = "message_bytes_max";
    /// A message comes in too many frames.
    MessageFrames = "message_frames_max";
    /// A message takes too long to come.
    MessageTimeout = "message_timeout_ms";
    /// A connection sends too many messages.
    MessageRate = "messages_per_second";
    /// An address floods again and again.
    Floods = "floods_per_address_max";
    /// A request's head is too large, or has too many headers.
    HeaderBytes = "header_bytes_max";
    /// A request's target is too long.
    UrlBytes = "url_bytes_max";
    /// A request's head did not come in time.
    HandshakeTimeout = "handshake_timeout_ms";
    /// A body did not come in time.
    BodyTimeout = "body_timeout_ms";
    /// An address has too many sockets that speak HTTP.
    HttpSocketsPerAddress = "http_sockets_per_address_max";
    /// Too many sockets wait for a request.
    WaitingSockets = "waiting_sockets_max";
    /// Too many sockets of an address wait for a request.
    WaitingSocketsPerAddress = "waiting_sockets_per_address_max";
    /// A user has too many connections.
    ConnectionsPerUser = "connections_per_user_max";
    /// A user is in too many rooms, over all connections.
    RoomsPerUser = "rooms_per_user_max";
    /// A user sends too many messages, over all connections.
    MessagesPerUser = "messages_per_user_per_second";
    /// A tenant has too many connections.
    ConnectionsPerTenant = "connections_per_tenant_max";
    /// A tenant sends too many commands and requests.
    CommandsPerTenant = "commands_per_tenant_per_second";
    /// A tenant has too many unfinished jobs of a kind.
    JobsPerTenant = "jobs_per_tenant";
    /// A connection wants to be in too many rooms.
    RoomsPerConnection = "rooms_per_connection_max";
    /// A client wants to be in too many namespaces.
    NamespacesPerConnection = "namespaces_per_connection_max";
    /// A Socket.IO client enters no namespace.
    ConnectTimeout = "connect_timeout_ms";
    /// An upgrade from polling is not finished.
    UpgradeTimeout = "upgrade_timeout_ms";
    /// A polling payload has too many packets.
    PayloadPackets = "payload_packets_max";
    /// A Socket.IO packet has too many attachments, or too large ones.
    Attachments = "attachments_max";
}
const TLS_OUTCOMES: [&str; 3] = ["completed", "failed", "timed_out"];
const TLS_RELOADS: [&str; 2] = ["failed", "loaded"];

/// Counters of this crate, one set for the process.
#[derive(Debug, Default)]
pub struct TransportCounters {
    open: [[AtomicU64; Via::ALL.len()]; GATEWAYS.len()],
    refused_before: [AtomicU64; REFUSED_BEFORE.len()],
    refused: [AtomicU64; CloseCode::ALL.len()],
    reached: [AtomicU64; Limit::ALL.len()],
    evicted_for_descriptors: AtomicU64,
    messages_received: AtomicU64,
    bytes_received: AtomicU64,
    messages_sent: AtomicU64,
    bytes_sent: AtomicU64,
    duration: [AtomicU64; BUCKETS],
    duration_ms: AtomicU64,
    tls_handshakes: [AtomicU64; TLS_OUTCOMES.len()],
    tls_reloads: [AtomicU64; TLS_RELOADS.len()],
}

/// Connections of one kind, at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCount {
    /// The gateway they came through.
    pub gateway: Gateway,
    /// How they are connected.
    pub via: Via,
    /// How many.
    pub count: u64,
}

/// What [`TransportCounters`] had counted at one moment.
#[derive(Clone, Debug, Default)]
pub struct TransportFigures {
    /// Connections by gateway and transport.
    pub open: Vec<OpenCount>,
    /// Refused handshakes by reason; each reason once.
    pub handshakes_refused: Vec<(&'static str, u64)>,
    /// How often each limit was reached, by configuration key.
    pub limits_reached: Vec<(&'static str, u64)>,
    /// Sockets closed while they waited for a request, because the process had no descriptors left.
    pub evicted_for_descriptors: u64,
    /// Messages from clients.
    pub messages_received: u64,
    /// Bytes from clients, on upgraded connections.
    pub bytes_received: u64,
    /// Messages given to event streams; the hub counts what it writes to sockets.
    pub messages_sent: u64,
    /// Bytes given to event streams.
    pub bytes_sent: u64,
    /// Ended connections by duration: how many fell into each bucket of [`DURATION_BOUNDS_SECONDS`], and one more.
    pub durations: Vec<u64>,
    /// Sum of those durations, in seconds.
    pub durations_sum_seconds: f64,
    /// TLS handshakes by their outcome.
    pub tls_handshakes: Vec<(&'static str, u64)>,
    /// Readings of a changed certificate by their result.
    pub tls_reloads: Vec<(&'static str, u64)>,
}

impl Via {
    /// All of them, in order.
    pub const ALL: [Via; 3] = [Via::Websocket, Via::Polling, Via::Sse];

    /// The metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Polling => "polling",
            Self::Sse => "sse",
        }
    }
}

impl TransportCounters {
    /// A connection began.
    pub fn connected(&self, gateway: Gateway, via: Via) {
        self.open[place_of(gateway)][via as usize].fetch_add(1, Relaxed);
    }

    /// A connection that was told to [`Self::connected`] ended after `lasted`.
    pub fn disconnected(&self, gateway: Gateway, via: Via, lasted: Duration) {
        self.left(gateway, via);
        let seconds = lasted.as_secs_f64();
        let bucket = DURATION_BOUNDS_SECONDS
            .iter()
            .position(|&bound| seconds <= bound)
            .unwrap_or(BUCKETS - 1);
        self.duration[bucket].fetch_add(1, Relaxed);
        self.duration_ms
            .fetch_add(u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// A connection that was told to [`Self::connected`] went on in another way.
    pub fn left(&self, gateway: Gateway, via: Via) {
        self.open[place_of(gateway)][via as usize].fetch_sub(1, Relaxed);
    }

    /// A handshake was refused before anybody asked who it is.
    pub fn refused_before(&self, why: RefusedBefore) {
        self.refused_before[why as usize].fetch_add(1, Relaxed);
    }

    /// A handshake was refused with a close code.
    pub fn refused(&self, code: CloseCode) {
        if let Some(place) = CloseCode::ALL.iter().position(|known| *known == code) {
            self.refused[place].fetch_add(1, Relaxed);
        }
    }

    /// A client reached a limit.
    pub fn reached(&self, limit: Limit) {
        self.reached[limit as usize].fetch_add(1, Relaxed);
    }

    /// How often a limit was reached.
    pub fn of(&self, limit: Limit) -> u64 {
        self.reached[limit as usize].load(Relaxed)
    }

    /// Sockets were closed while they waited for a request, because the process had no descriptors left.
    pub(crate) fn evicted_for_descriptors(&self, sockets: usize) {
        self.evicted_for_descriptors.fetch_add(sockets as u64, Relaxed);
    }

    /// `bytes` came, and completed `messages`.
    pub fn received(&self, bytes: usize, messages: usize) {
        self.bytes_received.fetch_add(bytes as u64, Relaxed);
        if messages != 0 {
            self.messages_received.fetch_add(messages as u64, Relaxed);
        }
    }

    /// An event stream took `bytes`, with `messages` in them.
    pub fn sent(&self, bytes: usize, messages: usize) {
        self.bytes_sent.fetch_add(bytes as u64, Relaxed);
        self.messages_sent.fetch_add(messages as u64, Relaxed);
    }

    pub(crate) fn tls_handshake(&self, outcome: HandshakeOutcome) {
        self.tls_handshakes[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn tls_reloaded(&self, is_loaded: bool) {
        self.tls_reloads[usize::from(is_loaded)].fetch_add(1, Relaxed);
    }

    /// All counts.
    pub fn figures(&self) -> TransportFigures {
        let open = GATEWAYS.iter().flat_map(|&gateway| {
            Via::ALL.map(|via| OpenCount {
                gateway,
                via,
                count: self.open[place_of(gateway)][via as usize].load(Relaxed),
            })
        });
        TransportFigures {
            open: open.collect(),
            handshakes_refused: self.handshakes_refused(),
            limits_reached: Limit::ALL
                .iter()
                .map(|limit| (limit.key(), self.of(*limit)))
                .collect(),
            evicted_for_descriptors: self.evicted_for_descriptors.load(Relaxed),
            messages_received: self.messages_received.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            messages_sent: self.messages_sent.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
            durations: self.duration.iter().map(|count| count.load(Relaxed)).collect(),
            durations_sum_seconds: self.duration_ms.load(Relaxed) as f64 / 1_000.0,
            tls_handshakes: by_label(&TLS_OUTCOMES, &self.tls_handshakes),
            tls_reloads: by_label(&TLS_RELOADS, &self.tls_reloads),
        }
    }

    fn handshakes_refused(&self) -> Vec<(&'static str, u64)> {
        let before = REFUSED_BEFORE.iter().copied().zip(&self.refused_before);
        let mut reasons: Vec<(&'static str, u64)> = Vec::new();
        let after = CloseCode::ALL.iter().map(|code| code.reason()).zip(&self.refused);
        for (reason, count) in before.chain(after).filter(|(reason, _)| !reason.is_empty()) {
            let count = count.load(Relaxed);
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, sum)) => *sum += count,
                None => reasons.push((reason, count)),
            }
        }
        reasons
    }
}

fn by_label(labels: &[&'static str], counts: &[AtomicU64]) -> Vec<(&'static str, u64)> {
    let counts = counts.iter().map(|count| count.load(Relaxed));
    labels.iter().copied().zip(counts).collect()
}

const fn place_of(gateway: Gateway) -> usize {
    match gateway {
        Gateway::Flow => 0,
        Gateway::Tasks => 1,
        Gateway::Workflows => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once() {
        let counters = TransportCounters::default();
        counters.refused_before(RefusedBefore::Overloaded);
        counters.refused(CloseCode::Overloaded);
        counters.refused(CloseCode::InvalidToken);
        let refused = counters.figures().handshakes_refused;
        assert!(
            refused.contains(&("overloaded", 2)) && refused.contains(&("invalid_token", 1)),
            "{refused:?}"
        );
        assert!(refused.contains(&("address_quota", 0)));
        let mut names: Vec<_> = refused.iter().map(|(reason, _)| reason).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), refused.len());
    }

    #[test]
    fn what_is_open_is_told_by_gateway_and_transport() {
        let counters = TransportCounters::default();
        counters.connected(Gateway::Tasks, Via::Websocket);
        counters.connected(Gateway::Flow, Via::Polling);
        counters.disconnected(Gateway::Flow, Via::Polling, Duration::from_secs(61));
        let figures = counters.figures();
        let open: Vec<_> = figures.open.iter().filter(|kind| kind.count != 0).collect();
        assert_eq!(
            open,
            [&OpenCount {
                gateway: Gateway::Tasks,
                via: Via::Websocket,
                count: 1
            }]
        );
        assert_eq!(figures.durations, [0, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert!((figures.durations_sum_seconds - 61.0).abs() < 1e-9);
    }
}
