//! Socket.IO v5: namespaces, events and acknowledgements over an Engine.IO session.
//!
//! [`Sessions`] is an Engine.IO application; [`SocketServer`] is the two together. A client that breaks the protocol
//! loses its whole transport, as with the reference server.
//!
//! Invariant: a namespace's CONNECT answer is queued before anything else of that namespace.

mod acknowledge;
mod connect_timeout;
mod handle;
mod options;
mod pair;
mod session;

use std::future::Future;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use serde_json::value::RawValue;
use tidings_hub::{Connection, Gateway};
use tidings_wire::close_code::CloseCode;
use tidings_wire::socketio::Limits;

pub use acknowledge::Acknowledge;
pub use handle::SocketHandle;
pub use options::SocketOptions;
pub use pair::{EitherSocket, Pair};
pub use session::{Session, Sessions};

use crate::engineio::{EngineOptions, EngineServer};
use crate::{PeerAddress, Transport};

/// A Socket.IO server.
pub type SocketServer<A> = EngineServer<Sessions<A>>;

impl<A: Application> SocketServer<A> {
    /// Starts a gateway's Socket.IO server at `/socket.io`, within the transport's limits and with its heartbeat.
    pub fn of_gateway(transport: &Transport, gateway: Gateway, application: A) -> Self {
        let (heartbeat, limits) = (transport.heartbeat(), transport.limits());
        let engine_options = EngineOptions {
            ping_interval: heartbeat.interval,
            ping_timeout: heartbeat.timeout,
            upgrade_timeout: limits.upgrade_timeout,
            payload_bytes_max: limits.message_bytes_max,
            payload_packets_max: limits.payload_packets_max,
            ..EngineOptions::new("/socket.io", gateway)
        };
        let options = SocketOptions {
            connect_timeout: limits.connect_timeout,
            namespaces_max: limits.namespaces_per_connection_max,
            packet_limits: Limits {
                attachments_max: limits.attachments_max,
                attachment_bytes_max: limits.message_bytes_max,
                ..Limits::default()
            },
        };
        Self::start(transport, engine_options, options, application)
    }

    /// Starts a Socket.IO server on the current runtime.
    pub fn start(
        transport: &Transport,
        engine_options: EngineOptions,
        options: SocketOptions,
        application: A,
    ) -> Self {
        let sessions = Sessions::new(transport.clone(), options, application);
        Self::new(transport, engine_options, sessions)
    }
}

/// What happens on the namespaces.
pub trait Application: Send + Sync + 'static {
    /// One client on one namespace. It is dropped when the client is gone.
    type Socket: Send + 'static;

    /// Whether there is such a namespace. Clients that want to enter another one are refused.
    fn serves(&self, namespace: &str) -> bool {
        let _ = namespace;
        true
    }

    /// Whether a header of the handshake request is needed in [`ConnectRequest::headers`]. Headers are kept as long as
    /// their session; refusing most of them is most of an idle session's memory.
    fn needs_header(&self, name: &HeaderName) -> bool {
        let _ = name;
        true
    }

    /// A client wants to enter a namespace. Nothing may be emitted yet, and no room joined.
    fn connect(
        &self,
        request: ConnectRequest<'_>,
    ) -> impl Future<Output = Result<Self::Socket, Refusal>> + Send;

    /// The client's CONNECT was answered: the place to join rooms and to emit.
    fn connected(&self, socket: &mut Self::Socket) -> impl Future<Output = ()> + Send;

    /// The client sent an event. The next one waits until this one is done; an error closes the transport.
    fn event(
        &self,
        socket: &mut Self::Socket,
        event: Event,
    ) -> impl Future<Output = Result<(), CloseCode>> + Send;

    /// The client left the namespace, or was made to, and its transport lives on: the place to leave rooms. Not called
    /// when the transport ends, which ends all memberships.
    fn disconnected(&self, socket: Self::Socket) -> impl Future<Output = ()> + Send {
        drop(socket);
        async {}
    }
}

/// A client's wish to enter a namespace.
#[derive(Debug)]
pub struct ConnectRequest<'a> {
    /// The namespace, compared as a whole; `/` is the main one.
    pub namespace: &'a str,
    /// The payload of CONNECT, an object.
    pub auth: Option<&'a RawValue>,
    /// Headers of the request that opened the session: those the application needs.
    pub headers: &'a HeaderMap,
    /// Where the session came from, if the listener said so.
    pub peer: Option<PeerAddress>,
    /// The session's connection, shared by its namespaces.
    pub connection: &'a Arc<Connection>,
    /// What the application keeps to speak to the client, once it is connected.
    pub handle: SocketHandle,
}

/// Why a client may not enter a namespace. It is told with `CONNECT_ERROR`; its transport lives on.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Box<RawValue>>,
}

impl Refusal {
    /// A refusal without data.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// There is no such namespace.
    pub fn invalid_namespace() -> Self {
        Self::new("Invalid namespace")
    }
}

/// An event from a client.
#[derive(Debug)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its arguments as they came, placeholders of attachments included.
    pub args: Vec<Box<RawValue>>,
    /// The attachments that the placeholders name.
    pub attachments: Vec<Bytes>,
    /// Set when the client asks for an acknowledgement.
    pub ack: Option<Acknowledge>,
}
