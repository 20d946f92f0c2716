//! The command line.

use std::num::NonZeroU32;

use clap::{Parser, ValueEnum};
use serde::Serialize;
use tidings_bench::http::Url;

use crate::protocol::Protocol;

/// Opens connections, publishes, checks exact delivery and prints one line of JSON.
///
/// A missing, doubled or reordered message, a refused publish or a connection closed by the server ends it with an error.
#[derive(Parser)]
pub(crate) struct Options {
    /// What is measured: decides how a message is published.
    #[arg(long, value_enum)]
    pub(crate) server: Server,
    /// What clients speak above the WebSocket, or instead of it.
    #[arg(long, value_enum, default_value = "plain")]
    pub(crate) protocol: Protocol,
    /// The address for clients, for tidings `ws://…/ws?user_id=bench`. `{token}` in it stands for the client's token.
    #[arg(long)]
    pub(crate) url: Url,
    /// A header of every request of a client, `name: value`; may be repeated.
    #[arg(long)]
    pub(crate) header: Vec<String>,
    /// Socket.IO: the namespace to connect to.
    #[arg(long, default_value = "/")]
    pub(crate) namespace: String,
    /// Secret for HS256: every client gets a token of its own, as user `bench-N`, in the URL or in its first message.
    #[arg(long, env = "TIDINGS_BENCH_JWT_SECRET", hide_env_values = true)]
    pub(crate) jwt_secret: Option<String>,
    /// Where to publish, `http://…/api/v1/publish`; the floor's is `/publish` on the same port. NATS: only host and port count.
    #[arg(long)]
    pub(crate) publish_url: Option<Url>,
    /// A header of every publish, `name: value`; may be repeated.
    #[arg(long)]
    pub(crate) publish_header: Vec<String>,
    /// Pusher: `KEY:SECRET` of the application, with which publishes are signed.
    #[arg(long, env = "TIDINGS_BENCH_PUSHER_KEY", hide_env_values = true)]
    pub(crate) pusher_key: Option<String>,
    /// Bearer token for publishing and for the metrics.
    #[arg(long, env = "TIDINGS_BENCH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The room (channel, subject) that all connections are in.
    #[arg(long, default_value = "user:bench")]
    pub(crate) room: String,
    /// Prometheus text with the counters of frames and writes.
    #[arg(long)]
    pub(crate) metrics_url: Option<Url>,
    /// Counter of frames written.
    #[arg(long, default_value = "tidings_frames_written_total")]
    pub(crate) frames_metric: String,
    /// Counter of write calls.
    #[arg(long, default_value = "tidings_writes_total")]
    pub(crate) writes_metric: String,
    /// Process id of the server, for its processor time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// How many connections.
    #[arg(long, default_value = "1000")]
    pub(crate) connections: usize,
    /// New connections per second.
    #[arg(long, default_value = "2000")]
    pub(crate) connect_rate: NonZeroU32,
    /// Every connection first receives one message of welcome.
    #[arg(long)]
    pub(crate) welcome: bool,
    /// What to do once connected.
    #[arg(long, value_enum, default_value = "paced")]
    pub(crate) mode: Mode,
    /// Size of the pushed text (its frame has 4 bytes more).
    #[arg(long, default_value = "140")]
    pub(crate) bytes: usize,
    /// Messages per second, paced.
    #[arg(long, default_value = "60")]
    pub(crate) rate: NonZeroU32,
    /// Saturated: publishes that are under way at once. Accept: handshakes.
    #[arg(long, default_value = "8")]
    pub(crate) in_flight: NonZeroU32,
    /// Saturated: when a publish is no longer under way.
    #[arg(long, value_enum, default_value = "slowest")]
    pub(crate) in_flight_by: InFlightBy,
    /// Length of the measured stretch.
    #[arg(long, default_value = "10")]
    pub(crate) seconds: u32,
    /// The same load before it, not measured.
    #[arg(long, default_value = "1")]
    pub(crate) warm_up_seconds: u32,
    /// Quiet time after connecting, after which memory is read.
    #[arg(long, default_value = "1")]
    pub(crate) settle_seconds: u32,
    /// How long the last messages may take after the load has stopped.
    #[arg(long, default_value = "20")]
    pub(crate) drain_seconds: u32,
    /// The first so many connections stop reading after their welcome; they are not counted.
    #[arg(long, default_value = "0")]
    pub(crate) deaf: usize,
    /// Receive buffer of the deaf, so that the kernel holds less for them (0: the system's default).
    #[arg(long, default_value = "0")]
    pub(crate) deaf_receive_buffer_bytes: usize,
}

/// How a message is published.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Server {
    /// The body is the text that is pushed.
    Floor,
    /// The operators' `POST /api/v1/publish`.
    Tidings,
    /// `POST` with the pushed text as its body.
    Peer,
    /// Centrifugo's `POST /api/publish`.
    Centrifugo,
    /// `PUB` on a TCP connection of NATS, which answers nothing.
    Nats,
    /// Pusher's signed `POST /apps/{id}/events`.
    Pusher,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// A fixed number of messages per second.
    Paced,
    /// As many as the server takes with a window of publishes under way.
    Saturated,
    /// No messages: memory only.
    Idle,
    /// Connections that come, are welcomed and go, with a window of them under way.
    Accept,
}

/// When a publish counts as received.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InFlightBy {
    /// When every connection has it.
    Slowest,
    /// When the connections have it on average: deliveries so far, divided by connections.
    Mean,
}
