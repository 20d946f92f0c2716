//! From a listener's socket to a gateway's messages: HTTP, the WebSocket upgrade, the connection task, Engine.IO and
//! Socket.IO sessions, event streams.
//!
//! A client's journey through here: [`Listener`] accepts and speaks HTTP, over TLS if it is told to;
//! [`WebSocketUpgrade`] checks the request and answers 101; the gateway's `start` decides who it is and makes a
//! [`Protocol`]; the connection task ([`websocket::run`]) reads messages and hands them to it. The hub's shard writes.
//!
//! Invariant: a connection task only reads; whatever is to be written goes through the hub, in one order. Over TLS the
//! task also encrypts and writes, and only what the hub gives it.
//! Invariant: an idle plain WebSocket owns no buffer here, only its task.

mod bearer;
mod body;
mod client_stream;
mod cors;
mod counters;
mod deadlines;
mod floods;
#[doc(hidden)]
pub mod fuzzing;
mod handshake_rate;
mod hangup;
mod json_body;
mod keyed_rate;
mod lingering;
mod listener;
mod live;
mod live_tokens;
mod message_rate;
mod network;
mod origin;
mod peer_address;
mod problem;
mod protocol;
mod proxies;
mod quota;
mod sse;
mod tls;
mod transport;
mod upgrade;
mod waiting;

pub mod asyncapi;
pub mod engineio;
pub mod openapi;
pub mod socketio;
pub mod websocket;

pub use bearer::{BEARER, bearer_token, offered_token};
pub use body::read_body;
pub use client_stream::ClientStream;
pub use counters::{
    DURATION_BOUNDS_SECONDS, Limit, OpenCount, RefusedBefore, TransportCounters, TransportFigures, Via,
};
pub use deadlines::{Deadline, Deadlines};
pub use json_body::JsonBody;
pub use keyed_rate::KeyedRate;
pub use listener::{Listener, ListenerOptions, with_problem_fallbacks};
pub use live_tokens::{LiveToken, LiveTokens};
pub use network::{Network, NetworkError};
pub use origin::OriginPolicy;
pub use peer_address::PeerAddress;
pub use problem::{FieldError, Problem, ProblemCode};
pub use protocol::{Incoming, Protocol};
pub use proxies::Proxies;
pub use quota::{Quota, QuotaGuard};
pub use sse::{SseRefusal, SseRequest, get_stream, stream_route};
pub use tls::{Tls, TlsError, TlsSettings, TlsVersion};
pub use transport::{HeartbeatTimes, Transport, TransportLimits};
pub use upgrade::WebSocketUpgrade;
