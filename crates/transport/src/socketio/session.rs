//! One client: its namespaces, and what its packets mean.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::value::RawValue;
use tidings_hub::{Connection, ConnectionId};
use tidings_wire::close_code::CloseCode;
use tidings_wire::socketio::{Assembler, Error, Kind, Packet, Payload, encode_connect, encode_connect_error};

use super::connect_timeout::ConnectTimeout;
use super::handle::stops_client;
use super::{Acknowledge, Application, ConnectRequest, Event, Refusal, SocketHandle, SocketOptions};
use crate::counters::Limit;
use crate::engineio::{self, Handshake};
use crate::{Incoming, PeerAddress, Protocol, Transport};

/// Socket.IO as an Engine.IO application.
pub struct Sessions<A>(Arc<Shared<A>>);

struct Shared<A> {
    transport: Transport,
    options: SocketOptions,
    application: A,
}

impl<A> Shared<A> {
    fn connect_timeout(&self, connection: &Arc<Connection>) -> ConnectTimeout {
        ConnectTimeout::start(connection, self.options.connect_timeout, self.transport.clone())
    }
}

impl<A: Application> Sessions<A> {
    /// Serves the namespaces of `application`.
    pub fn new(transport: Transport, options: SocketOptions, application: A) -> Self {
        Self(Arc::new(Shared {
            transport,
            options,
            application,
        }))
    }

    /// What happens on the namespaces.
    pub fn application(&self) -> &A {
        &self.0.application
    }
}

impl<A: Application> engineio::Application for Sessions<A> {
    type Session = Session<A>;

    fn open(&self, connection: Arc<Connection>, handshake: &Handshake<'_>) -> Session<A> {
        Session {
            shared: self.0.clone(),
            headers: kept_headers(&self.0.application, handshake.headers),
            peer: handshake.peer,
            connect_timeout: Some(self.0.connect_timeout(&connection)),
            assembler: Assembler::default(),
            namespaces: Vec::new(),
            connection,
        }
    }
}

/// One client.
pub struct Session<A: Application> {
    shared: Arc<Shared<A>>,
    connection: Arc<Connection>,
    headers: Box<[(HeaderName, HeaderValue)]>,
    peer: Option<PeerAddress>,
    /// Runs while it is in no namespace.
    connect_timeout: Option<ConnectTimeout>,
    assembler: Assembler,
    /// A handful at most: searched from the front.
    namespaces: Vec<Namespace<A::Socket>>,
}

struct Namespace<S> {
    handle: SocketHandle,
    socket: S,
}

impl<A: Application> Protocol for Session<A> {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let limits = &self.shared.options.packet_limits;
        let packet = match message {
            Incoming::Text(text) => self.assembler.text(&text, limits),
            Incoming::Binary(bytes) => self.assembler.binary(bytes, limits),
        };
        match packet {
            // Boxed, because the application's futures may be large and most connections are idle.
            Ok(Some((packet, attachments))) => Box::pin(self.packet(packet, attachments)).await,
            Ok(None) => Ok(()),
            Err(error) => {
                if matches!(error, Error::TooManyAttachments | Error::AttachmentsTooBig) {
                    self.shared.transport.counters().reached(Limit::Attachments);
                }
                tracing::debug!(%error, connection = %self.connection.id(), "a Socket.IO packet is malformed");
                Err(CloseCode::ProtocolError)
            }
        }
    }

    /// A client that must not come back is made to leave its namespaces first: the stock client reconnects after any
    /// other end of its transport.
    async fn closing(&mut self, code: CloseCode) {
        if !stops_client(code) {
            return;
        }
        // Copied, because sockets need not be `Sync`.
        let handles: Vec<_> = self
            .namespaces
            .iter()
            .map(|joined| joined.handle.clone())
            .collect();
        for handle in handles {
            handle.disconnect(false).await;
        }
    }
}

impl<A: Application> Session<A> {
    async fn packet(&mut self, packet: Packet, attachments: Vec<Bytes>) -> Result<(), CloseCode> {
        let place = self
            .namespaces
            .iter()
            .position(|joined| *joined.handle.namespace == *packet.namespace);
        let Some(place) = place else {
            return match packet.kind {
                Kind::Connect => self.connect(&packet).await,
                _ => Err(CloseCode::ProtocolError),
            };
        };
        // The server has made the client leave; what it sent before it knew is of no use.
        let has_left = self.namespaces[place].handle.has_left();
        match (packet.kind, packet.payload) {
            (Kind::Connect, _) if !has_left => Err(CloseCode::ProtocolError),
            (Kind::Connect, payload) => {
                self.leave(place).await;
                self.connect(&Packet { payload, ..packet }).await
            }
            (Kind::Disconnect, _) => {
                self.leave(place).await;
                Ok(())
            }
            (Kind::Event | Kind::BinaryEvent, _) if has_left => Ok(()),
            (Kind::Event | Kind::BinaryEvent, Payload::Event { name, args }) => {
                let ack = packet.ack.map(|id| Acknowledge {
                    connection: self.connection.clone(),
                    namespace: self.namespaces[place].handle.namespace.clone(),
                    id,
                });
                self.event(
                    place,
                    Event {
                        name,
                        args,
                        attachments,
                        ack,
                    },
                )
                .await
            }
            // Nothing here asks for acknowledgements; those that come belong to nothing and are ignored.
            (Kind::Ack | Kind::BinaryAck, _) => Ok(()),
            _ => Err(CloseCode::ProtocolError),
        }
    }

    async fn connect(&mut self, packet: &Packet) -> Result<(), CloseCode> {
        let namespace: Arc<str> = Arc::from(&*packet.namespace);
        let handle = SocketHandle::new(self.connection.clone(), namespace.clone());
        let application = &self.shared.application;
        let entered = if self.namespaces.len() >= self.shared.options.namespaces_max {
            self.shared
                .transport
                .counters()
                .reached(Limit::NamespacesPerConnection);
            Err(Refusal::new("Too many namespaces"))
        } else if application.serves(&namespace) {
            let headers = self.headers.iter().cloned().collect::<HeaderMap>();
            let request = ConnectRequest {
                namespace: &namespace,
                auth: auth(&packet.payload),
                headers: &headers,
                peer: self.peer,
                connection: &self.connection,
                handle: handle.clone(),
            };
            application.connect(request).await
        } else {
            Err(Refusal::invalid_namespace())
        };
        let mut socket = match entered {
            Ok(socket) => socket,
            Err(Refusal { message, data }) => {
                let refused = encode_connect_error(&namespace, &message, data.as_deref());
                self.connection.send(refused).await;
                return Ok(());
            }
        };
        self.connect_timeout = None;
        // The first namespace shows the connection's public id, by which publishers can exclude it.
        let id = if self.namespaces.is_empty() {
            self.connection.id()
        } else {
            ConnectionId::generate()
        };
        self.connection
            .send(encode_connect(&namespace, &id.short()))
            .await;
        self.shared.application.connected(&mut socket).await;
        self.namespaces.push(Namespace { handle, socket });
        Ok(())
    }

    async fn event(&mut self, place: usize, event: Event) -> Result<(), CloseCode> {
        self.shared
            .application
            .event(&mut self.namespaces[place].socket, event)
            .await
    }

    async fn leave(&mut self, place: usize) {
        let left = self.namespaces.remove(place);
        left.handle.leave();
        self.shared.application.disconnected(left.socket).await;
        if self.namespaces.is_empty() {
            // Who is in no namespace is nobody, and may not stay for long.
            self.connect_timeout = Some(self.shared.connect_timeout(&self.connection));
        }
    }
}

fn auth(payload: &Payload) -> Option<&RawValue> {
    match payload {
        Payload::Value(value) => Some(value),
        _ => None,
    }
}

/// Copies, so that the buffer in which the request came is not kept.
fn kept_headers<A: Application>(application: &A, headers: &HeaderMap) -> Box<[(HeaderName, HeaderValue)]> {
    let needed = headers.iter().filter(|(name, _)| application.needs_header(name));
    needed
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            let mut copy = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            copy.set_sensitive(value.is_sensitive());
            Some((name, copy))
        })
        .collect()
}
