//! The WebSocket handshake, and what follows it.

pub(crate) mod request;

use crate::counters::RefusedBefore;
use crate::live::Live;
use crate::{
    ClientStream, PeerAddress, Problem, ProblemCode, Protocol, QuotaGuard, Transport, Via, websocket,
};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use tidings_hub::{Connection, Gateway, Registration};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::{Agreement, negotiate};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// A valid upgrade request, not yet answered. As an extractor it looks at the request only; what it refuses is a
/// [`Problem`], so a handler that must check something first takes it as a `Result`.
pub struct WebSocketUpgrade {
    on_upgrade: OnUpgrade,
    headers: HeaderMap,
    accept: HeaderValue,
    offered: Vec<String>,
    chosen: Option<HeaderValue>,
    peer: Option<PeerAddress>,
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let checked = request::accept_value(parts).and_then(|accept| {
            let on_upgrade = parts
                .extensions
                .remove::<OnUpgrade>()
                .ok_or_else(|| Problem::new(ProblemCode::UpgradeRequired))?;
            Ok((accept, on_upgrade))
        });
        let (accept, on_upgrade) = checked.inspect_err(|_| {
            if let Some(transport) = parts.extensions.get::<Transport>() {
                transport.counters().refused_before(RefusedBefore::BadUpgrade);
            }
        })?;
        Ok(Self {
            on_upgrade,
            accept,
            offered: request::tokens(&parts.headers, &header::SEC_WEBSOCKET_PROTOCOL)
                .map(str::to_owned)
                .collect(),
            chosen: None,
            peer: parts.extensions.get().copied(),
            headers: parts.headers.clone(),
        })
    }
}

impl WebSocketUpgrade {
    /// The subprotocols that the client offers, in its order.
    pub fn protocols(&self) -> &[String] {
        &self.offered
    }

    /// Answers with this subprotocol. It must be one of those offered; others are not answered.
    #[must_use]
    pub fn with_protocol(mut self, protocol: &str) -> Self {
        if self.offered.iter().any(|offered| offered == protocol) {
            self.chosen = HeaderValue::from_str(protocol).ok();
        }
        self
    }

    /// The request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The client's address, if the request came through a listener.
    pub fn peer(&self) -> Option<PeerAddress> {
        self.peer
    }

    /// Completes the handshake only to say why not: a browser cannot read a failed one.
    pub fn refuse(self, transport: &Transport, code: CloseCode) -> Response {
        if let Err(problem) = transport.admit_handshake(self.peer) {
            return problem.into_response();
        }
        transport.counters().refused(code);
        self.turn_away(transport, code)
    }

    /// Completes the handshake and opens a connection. `start` greets the client and makes its protocol; an error
    /// closes the connection. What the transport itself refuses (drain, limits, origin) never gets to `start`.
    pub fn accept<P, F, Fut>(self, transport: &Transport, gateway: Gateway, start: F) -> Response
    where
        P: Protocol,
        F: FnOnce(Arc<Connection>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<P, CloseCode>> + Send + 'static,
    {
        if let Err(problem) = transport.admit_handshake(self.peer) {
            return problem.into_response();
        }
        if !transport.origins().permits(&self.headers) {
            transport.counters().refused_before(RefusedBefore::Origin);
            return self.turn_away(transport, CloseCode::Forbidden);
        }
        let address = match self.peer.map(|peer| transport.enter_address(peer)) {
            None => None,
            Some(Some(guard)) => Some(guard),
            Some(None) => {
                transport.counters().refused_before(RefusedBefore::AddressQuota);
                return self.turn_away(transport, CloseCode::RateLimited);
            }
        };
        let shared = transport.clone();
        let agreement = self.agreement(transport);
        self.switch(transport, agreement, move |stream, early| {
            open(shared, gateway, address, agreement, stream, early, start)
        })
    }

    /// Completes the handshake and leaves the stream to `then`, with the bytes that came behind the request and what was
    /// agreed on compressed messages. Nothing is registered with the hub, no quota is taken. A foreign origin gets 403, a
    /// drain 503.
    pub fn raw<F, Fut>(self, transport: &Transport, then: F) -> Response
    where
        F: FnOnce(ClientStream, Bytes, Option<Agreement>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        if transport.shutdown().is_cancelled() {
            transport.counters().refused_before(RefusedBefore::ShuttingDown);
            return Problem::new(ProblemCode::ShuttingDown).into_response();
        }
        if !transport.origins().permits(&self.headers) {
            transport.counters().refused_before(RefusedBefore::Origin);
            return Problem::new(ProblemCode::Forbidden).into_response();
        }
        let agreement = self.agreement(transport);
        self.switch(transport, agreement, move |stream, early| {
            then(stream, early, agreement)
        })
    }

    /// What this client and the server agree on for compressed messages.
    fn agreement(&self, transport: &Transport) -> Option<Agreement> {
        let offers = self.headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
        transport
            .hub()
            .compresses()
            .then(|| negotiate(offers.filter_map(|line| line.to_str().ok())))
            .flatten()
    }

    pub(crate) fn turn_away(self, transport: &Transport, code: CloseCode) -> Response {
        let shared = transport.clone();
        self.switch(transport, None, move |stream, _early| async move {
            shared
                .lingering()
                .refuse(stream, code, shared.limits().linger)
                .await;
        })
    }

    /// Answers 101 and runs `then` once hyper has let go of the socket.
    fn switch<F, Fut>(self, transport: &Transport, agreement: Option<Agreement>, then: F) -> Response
    where
        F: FnOnce(ClientStream, Bytes) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let on_upgrade = self.on_upgrade;
        transport.spawn(async move {
            // Fails when the client left before it was answered.
            let Ok(upgraded) = on_upgrade.await else { return };
            let (stream, early) = match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => (ClientStream::Plain(parts.io.into_inner()), parts.read_buf),
                Err(upgraded) => match upgraded.downcast::<TokioIo<Box<TlsStream<TcpStream>>>>() {
                    Ok(parts) => (ClientStream::Secure(parts.io.into_inner()), parts.read_buf),
                    Err(_) => return tracing::error!("an upgraded connection is no stream of a listener's"),
                },
            };
            then(stream, early).await;
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        let extensions = agreement.and_then(|agreement| HeaderValue::try_from(agreement.to_string()).ok());
        if let Some(extensions) = extensions {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
        }
        if let Some(protocol) = self.chosen {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// From an upgraded socket to a running connection task.
async fn open<P, F, Fut>(
    transport: Transport,
    gateway: Gateway,
    address: Option<QuotaGuard<IpAddr>>,
    agreement: Option<Agreement>,
    stream: ClientStream,
    early: Bytes,
    start: F,
) where
    P: Protocol,
    F: FnOnce(Arc<Connection>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<P, CloseCode>> + Send + 'static,
{
    if !transport.has_room() {
        transport.counters().refused(CloseCode::Overloaded);
        return transport
            .lingering()
            .refuse(stream, CloseCode::Overloaded, transport.limits().linger)
            .await;
    }
    let heartbeat = transport.websocket_heartbeat();
    let (socket, secure) = websocket::split(stream);
    let Ok(connection) = transport.hub().open(Registration {
        gateway,
        heartbeat,
        socket,
        window: agreement.map(Agreement::window),
    }) else {
        // Lost by a hair against another handshake; the socket is closed without a word.
        transport.counters().refused(CloseCode::Overloaded);
        return;
    };
    let live = Live::new(transport.clone(), connection.clone(), Via::Websocket, address);
    let started = timeout(transport.limits().handshake_timeout, start(connection.clone())).await;
    match started.unwrap_or(Err(CloseCode::Overloaded)) {
        // A task of its own: this one is as large as everything that led here.
        Ok(protocol) => websocket::spawn(live, secure, early, agreement, protocol),
        Err(code) => {
            transport.counters().refused(code);
            connection.close(code);
            websocket::discard(live, secure).await;
        }
    }
}
