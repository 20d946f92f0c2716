//! Server-sent events: a gateway's frames as a response that does not end.
//!
//! A stream is one hub [`Connection`] without a socket: its frames wait on the connection's relay, where they are
//! bounded, and the response's body takes them in small pieces as the client reads. Pings become comments. The client
//! never says anything, so silence does not end a stream; frames that it does not take do.
//!
//! Invariant: a stream holds no more of its connection's frames outside of the relay than one piece here and what
//! HTTP has in its own buffers.

mod refusal;
mod retry;
mod stream;

pub use refusal::SseRefusal;
pub(crate) use stream::Streaming;

use crate::cors::{self, Cors};
use crate::counters::RefusedBefore;
use crate::hangup::Hangup;
use crate::live::Live;
use crate::{PeerAddress, Problem, ProblemCode, QuotaGuard, Transport, Via};
use axum::extract::{FromRef, FromRequestParts, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use stream::EventStream;
use tidings_hub::{Connection, Gateway, Registration};
use tidings_wire::close_code::CloseCode;
use tokio::time::timeout;

/// What a preflight is told.
const METHODS: &str = "GET";

/// A route that answers GETs with `open`, and the preflights before them.
pub fn get_stream<H, T, S>(transport: &Transport, open: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    let transport = transport.clone();
    with_preflight(axum::routing::get(open), async move |headers: HeaderMap| {
        preflight(&transport, &headers)
    })
}

/// The same for a route that has its handler already.
pub fn stream_route<S>(get: MethodRouter<S>) -> MethodRouter<S>
where
    Transport: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    with_preflight(
        get,
        async |State(transport): State<Transport>, headers: HeaderMap| preflight(&transport, &headers),
    )
}

fn with_preflight<H, T, S>(get: MethodRouter<S>, preflight: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    // A HEAD would open a stream that nobody reads.
    get.head(async || {
        Problem::new(ProblemCode::MethodNotAllowed).header(header::ALLOW, HeaderValue::from_static(METHODS))
    })
    .options(preflight)
}

fn preflight(transport: &Transport, headers: &HeaderMap) -> Response {
    if let Err(problem) = check_origin(transport, headers) {
        return problem.into_response();
    }
    let mut response = cors::preflight(headers, METHODS);
    Cors::of(transport.origins(), headers).apply(response.headers_mut());
    response
}

fn check_origin(transport: &Transport, headers: &HeaderMap) -> Result<(), Problem> {
    if transport.origins().permits(headers) {
        return Ok(());
    }
    transport.counters().refused_before(RefusedBefore::Origin);
    Err(Problem::new(ProblemCode::Forbidden))
}

/// A request for a stream, not yet answered. As an extractor it refuses nothing.
pub struct SseRequest {
    uri: Uri,
    headers: HeaderMap,
    peer: Option<PeerAddress>,
    hangup: Option<Hangup>,
}

impl<S: Sync> FromRequestParts<S> for SseRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            peer: parts.extensions.get().copied(),
            hangup: parts.extensions.get().cloned(),
        })
    }
}

impl SseRequest {
    /// The request's target.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Answers with a problem.
    pub fn refuse(self, transport: &Transport, refusal: SseRefusal) -> Response {
        let problem = match self.admit(transport) {
            Ok(()) => {
                transport.counters().refused(refusal.code());
                refusal.into_problem()
            }
            Err(problem) => problem,
        };
        self.finish(transport, problem.into_response())
    }

    /// Opens a connection and answers with its stream. `start` greets the client and returns what lives as long as the
    /// connection, whose drop is the cleanup; an error is the answer instead. What the transport itself refuses
    /// (drain, limits, origin) never gets to `start`.
    pub async fn accept<L, F, Fut>(self, transport: &Transport, gateway: Gateway, start: F) -> Response
    where
        L: Send + 'static,
        F: FnOnce(Arc<Connection>) -> Fut + Send,
        Fut: Future<Output = Result<L, SseRefusal>> + Send,
    {
        let response = match self.open(transport, gateway, start).await {
            Ok(stream) => stream.into_response(),
            Err(problem) => problem.into_response(),
        };
        self.finish(transport, response)
    }

    async fn open<L, F, Fut>(
        &self,
        transport: &Transport,
        gateway: Gateway,
        start: F,
    ) -> Result<EventStream<L>, Problem>
    where
        F: FnOnce(Arc<Connection>) -> Fut + Send,
        Fut: Future<Output = Result<L, SseRefusal>> + Send,
    {
        self.admit(transport)?;
        let place = self.enter_address(transport)?;
        let registration = Registration {
            gateway,
            heartbeat: transport.sse_heartbeat(),
            socket: None,
            window: None,
        };
        let connection = transport.hub().open(registration).map_err(|_| {
            transport.counters().refused(CloseCode::Overloaded);
            Problem::new(ProblemCode::Overloaded)
        })?;
        let live = Live::new(transport.clone(), connection.clone(), Via::Sse, place);
        if let (Some(relay), Some(hangup)) = (connection.relay(), &self.hangup) {
            relay.on_cut(hangup.waker());
        }
        let started = timeout(transport.limits().handshake_timeout, start(connection.clone())).await;
        let started = started.unwrap_or_else(|_| Err(CloseCode::Overloaded.into()));
        let session = started.map_err(|refusal| {
            transport.counters().refused(refusal.code());
            connection.close(refusal.code());
            refusal.into_problem()
        })?;
        Ok(EventStream::new(live, session))
    }

    fn admit(&self, transport: &Transport) -> Result<(), Problem> {
        transport.admit_handshake(self.peer)?;
        check_origin(transport, &self.headers)
    }

    fn enter_address(&self, transport: &Transport) -> Result<Option<QuotaGuard<IpAddr>>, Problem> {
        let Some(peer) = self.peer else { return Ok(None) };
        let place = transport.enter_address(peer);
        if place.is_none() {
            transport.counters().refused_before(RefusedBefore::AddressQuota);
            return Err(Problem::new(ProblemCode::RateLimited));
        }
        Ok(place)
    }

    /// Also a refusal may be read by the page that was refused, unless its origin was the reason.
    fn finish(&self, transport: &Transport, mut response: Response) -> Response {
        let headers = response.headers_mut();
        Cors::of(transport.origins(), &self.headers).apply(headers);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After"),
        );
        response
    }
}
