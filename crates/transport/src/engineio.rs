//! The Engine.IO v4 server: sessions over polling and WebSocket, and the move from one to the other.
//!
//! A session is one hub [`Connection`]. On polling its frames wait on the connection's relay, from which the client's
//! GETs take them; an upgrade gives the connection its socket, and the hub's shard moves what waits in order. Pings
//! and silence are the hub's business on both.
//!
//! Invariant: the session id is a secret of the client and of this module. It is never logged and differs from the
//! connection's id.
//! Invariant: a session holds one pending GET, one POST and one probing WebSocket at most.

mod answer;
mod options;
mod polling;
mod probe;
pub(crate) mod query;
mod routes;
mod server;
mod session;
pub(crate) mod sid;
mod table;
mod websocket;

use std::sync::Arc;

use axum::http::HeaderMap;
use tidings_hub::Connection;

pub use options::EngineOptions;
pub use server::EngineServer;

use crate::{PeerAddress, Protocol};

/// What speaks through Engine.IO sessions.
pub trait Application: Send + Sync + 'static {
    /// One client. Its messages are Engine.IO messages, whatever transport they came by: text without the leading
    /// `4`, or binary. Frames it sends through its connection are Engine.IO packets ([`tidings_wire::engineio`]).
    type Session: Protocol;

    /// A session was opened; its handshake is, or is about to be, answered.
    fn open(&self, connection: Arc<Connection>, handshake: &Handshake<'_>) -> Self::Session;
}

/// The request that opened a session.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its query, as it came.
    pub query: &'a str,
    /// Where it came from, if the listener said so.
    pub peer: Option<PeerAddress>,
}
