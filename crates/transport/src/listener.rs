//! Accepting sockets and speaking HTTP on them: HTTP/1.1, and over TLS HTTP/2 if the client asks for it (ALPN).

mod accept;
mod activity;
mod handshake;
mod http2;
mod proxy_header;

use crate::counters::{Limit, RefusedBefore};
use crate::hangup::Hangup;
use crate::sse::Streaming;
use crate::tls::{HTTP_2, Tls};
use crate::waiting::WaitingSocket;
use crate::{PeerAddress, Problem, ProblemCode, Proxies, QuotaGuard, Transport, TransportLimits};
use accept::accept;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, FutureExt, TryFutureExt, ready};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use proxy_header::NoProxyHeader;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until, timeout_at};
use tower::Service;

pub(crate) use handshake::HandshakeOutcome;

/// Connections that may wait to be accepted; the kernel cuts it to its own bound.
const BACKLOG: i32 = 4_096;
/// What the kernel may hold of a client's unsent and unacknowledged bytes: it is memory too. The kernel doubles it.
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// A socket counts as full with this much unsent, so that what a slow client does not read waits in its outbox,
/// where it is bounded.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
/// hyper refuses less.
const HTTP_BUFFER_BYTES_MIN: usize = 8_192;

/// What differs from listener to listener.
#[derive(Clone, Debug, Default)]
pub struct ListenerOptions {
    /// Proxies that are believed.
    pub proxies: Arc<Proxies>,
    /// Whether they write a PROXY protocol header in front of each connection; one of theirs without it is refused.
    pub takes_proxy_protocol: bool,
    /// TLS, if it is spoken; then nothing else is.
    pub tls: Option<Tls>,
}

/// Bound addresses that share their routes.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<std::net::TcpListener>,
    local_addresses: Vec<SocketAddr>,
    http: http1::Builder,
    options: ListenerOptions,
}

/// One connection's client.
struct Client {
    peer: PeerAddress,
    connected: Instant,
    /// When its first request must have come, if hyper does not count from the connection on.
    deadline: Option<Instant>,
    waiting: Arc<WaitingSocket>,
    _place: Option<QuotaGuard<IpAddr>>,
}

/// What the connections of a listener share.
struct Served {
    http: http1::Builder,
    options: ListenerOptions,
    routes: Router,
    transport: Transport,
}

impl Listener {
    /// Binds all `addresses`.
    pub fn bind(addresses: &[SocketAddr], limits: &TransportLimits) -> io::Result<Self> {
        let sockets = addresses
            .iter()
            .map(|address| bind(*address))
            .collect::<io::Result<_>>()?;
        Self::from_sockets(sockets, limits)
    }

    /// Takes sockets that listen already.
    pub fn from_sockets(sockets: Vec<std::net::TcpListener>, limits: &TransportLimits) -> io::Result<Self> {
        let mut local_addresses = Vec::with_capacity(sockets.len());
        for socket in &sockets {
            socket.set_nonblocking(true)?;
            local_addresses.push(socket.local_addr()?);
            // Accepted sockets inherit these.
            let options = SockRef::from(socket);
            options.set_send_buffer_size(SEND_BUFFER_BYTES)?;
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                options.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
                options.set_tcp_user_timeout(Some(limits.send_timeout))?;
            }
        }
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.handshake_timeout)
            .max_headers(limits.headers_max)
            .max_header_size(limits.header_bytes_max)
            .max_buf_size(limits.header_bytes_max.max(HTTP_BUFFER_BYTES_MIN));
        Ok(Self {
            sockets,
            local_addresses,
            http,
            options: ListenerOptions::default(),
        })
    }

    /// The same with these options.
    #[must_use]
    pub fn with_options(self, options: ListenerOptions) -> Self {
        Self { options, ..self }
    }

    /// Where it listens, with the ports that were picked for port 0.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.local_addresses
    }

    /// Serves `routes` until the transport shuts down: then no connection is accepted any more and idle ones end.
    /// Requests under way and upgraded connections go on, as tasks of the transport.
    pub async fn serve(self, routes: Router, transport: Transport) -> io::Result<()> {
        let routes = routes
            .layer(DefaultBodyLimit::max(transport.limits().body_bytes_max))
            .with_state(());
        let served = Arc::new(Served {
            http: self.http,
            options: self.options,
            routes,
            transport,
        });
        let mut sockets = Vec::with_capacity(self.sockets.len());
        for socket in self.sockets {
            sockets.push(TcpListener::from_std(socket)?);
        }
        let loops = sockets.iter().map(|socket| {
            accept(socket, &served.transport, |stream, peer| {
                served.take(stream, peer);
            })
        });
        futures_util::future::join_all(loops).await;
        Ok(())
    }
}

impl Client {
    /// Done when the first request has not come in time; otherwise never. Later ones are hyper's to wait for.
    async fn is_late(&self) {
        if let Some(deadline) = self.deadline {
            sleep_until(deadline).await;
            if !self.waiting.has_begun() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Answers unknown paths and methods with problems.
pub fn with_problem_fallbacks(routes: Router) -> Router {
    routes
        .fallback(async || Problem::new(ProblemCode::NotFound))
        .method_not_allowed_fallback(async || Problem::new(ProblemCode::MethodNotAllowed))
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Served {
    /// Gives an accepted socket its task.
    fn take(self: &Arc<Self>, stream: TcpStream, peer: PeerAddress) {
        // A proxy's sockets are many clients', and not counted by address.
        let network = (!self.options.proxies.trusts(peer.0.ip())).then(|| peer.network());
        // Entered here and not in the task, so that they are in the order in which they came.
        let waiting = self.transport.waiting().enter(network, self.transport.counters());
        let waiting = Arc::new(waiting);
        let served = self.clone();
        self.transport.spawn(async move {
            tokio::select! {
                biased;
                () = waiting.evicted() => {}
                // Made here, because a large future that comes from outside has its room twice.
                () = served.speak(stream, peer, waiting.clone()) => {}
            }
        });
    }

    /// Speaks HTTP on one socket until it ends or is upgraded.
    async fn speak(self: Arc<Self>, mut stream: TcpStream, peer: PeerAddress, waiting: Arc<WaitingSocket>) {
        let connected = Instant::now();
        let deadline = connected + self.transport.limits().handshake_timeout;
        // What answers a request at once must not wait for more to send.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let Some(peer) = self.peer(&mut stream, peer, deadline).await else {
            return;
        };
        // A proxy's sockets are many clients': these are counted by request.
        let place = if self.options.proxies.forwards(peer) {
            None
        } else {
            match self.transport.enter_http(peer) {
                None => {
                    self.transport.counters().reached(Limit::HttpSocketsPerAddress);
                    return tracing::debug!("an address has too many open requests");
                }
                place => place,
            }
        };
        let client = Client {
            peer,
            connected,
            deadline: (self.options.takes_proxy_protocol || self.options.tls.is_some()).then_some(deadline),
            waiting,
            _place: place,
        };
        // Boxed, because TLS is large and who speaks none would pay for it.
        match self.options.tls.clone() {
            None => self.speak_http1(stream, client).await,
            Some(tls) => Box::pin(self.speak_tls(&tls, stream, client, deadline)).await,
        }
    }

    async fn speak_tls(self: Arc<Self>, tls: &Tls, stream: TcpStream, client: Client, deadline: Instant) {
        let (lingering, linger) = (self.transport.lingering(), self.transport.limits().linger);
        let shaken = handshake::shake(tls, stream, deadline, lingering, linger).await;
        let outcome = shaken
            .as_ref()
            .map_or_else(|outcome| *outcome, |_| HandshakeOutcome::Completed);
        self.transport.counters().tls_handshake(outcome);
        match shaken {
            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) => {
                Box::pin(self.speak_http2(stream, client)).await;
            }
            Ok(stream) => self.speak_http1(stream, client).await,
            Err(HandshakeOutcome::TimedOut) => self.transport.counters().reached(Limit::HandshakeTimeout),
            Err(_) => {}
        }
    }

    async fn speak_http1<S>(self: Arc<Self>, stream: S, client: Client)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hangup = Hangup::new();
        let (served, turns, way) = (self.clone(), client.waiting.clone(), hangup.clone());
        let peer = client.peer;
        let service = service_fn(move |mut request: Request<Incoming>| {
            turns.begin();
            request.extensions_mut().insert(way.clone());
            served.clone().answer(request, peer, turns.clone())
        });
        let mut connection = std::pin::pin!(
            self.http
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let conversation = async {
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = self.transport.shutdown().cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        let ended = tokio::select! {
            ended = conversation => ended,
            () = client.is_late() => return self.transport.counters().reached(Limit::HandshakeTimeout),
            () = hangup.wanted() => return tracing::debug!("a client that took nothing was let go"),
        };
        if let Err(error) = ended {
            // A connection that was kept alive ends like this too, and that is no abuse.
            if error.is_timeout() && !client.waiting.has_begun() {
                self.transport.counters().reached(Limit::HandshakeTimeout);
            } else if error.is_parse_too_large() {
                self.transport.counters().reached(Limit::HeaderBytes);
            }
            tracing::debug!(%error, "an HTTP connection broke");
        }
    }

    /// Whose connection it is; `None`: nobody's that may connect.
    async fn peer(
        &self,
        stream: &mut TcpStream,
        socket: PeerAddress,
        deadline: Instant,
    ) -> Option<PeerAddress> {
        if !self.options.takes_proxy_protocol || !self.options.proxies.trusts(socket.0.ip()) {
            return Some(socket);
        }
        match timeout_at(deadline, proxy_header::read(stream)).await {
            Ok(Ok(source)) => Some(source.map_or(socket, PeerAddress)),
            // A load balancer that only looks whether somebody listens.
            Ok(Err(NoProxyHeader::Broken(error))) => {
                tracing::debug!(%error, peer = %socket.0, "a connection ended before its PROXY protocol header");
                None
            }
            refused => {
                let reason = match refused {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no PROXY protocol header in time".to_owned(),
                };
                tracing::debug!(reason, peer = %socket.0, "a proxy's connection is refused");
                self.transport
                    .counters()
                    .refused_before(RefusedBefore::ProxyHeader);
                None
            }
        }
    }

    /// Answers one request; its socket then waits for the next, unless it is a WebSocket
    /// from now on or its answer goes on.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: PeerAddress,
        waiting: Arc<WaitingSocket>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send {
        self.route(request, peer).map_ok(move |response| {
            let goes_on = response.extensions().get::<Streaming>().is_some();
            if response.status() != StatusCode::SWITCHING_PROTOCOLS && !goes_on {
                waiting.wait(self.transport.counters());
            }
            response
        })
    }

    /// The answer to one request.
    ///
    /// Neither this nor [`Self::answer`] is an `async fn`: that would keep the request beside its answer's future for as
    /// long as a poll waits.
    fn route(
        &self,
        mut request: Request<Incoming>,
        peer: PeerAddress,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let (answer, place) = match self.admit(&request, peer) {
            Err(problem) => (Either::Left(ready(Ok(problem.into_response()))), None),
            Ok((client, place)) => {
                request.extensions_mut().insert(client);
                request.extensions_mut().insert(self.transport.clone());
                (Either::Right(self.routes.clone().call(request)), place)
            }
        };
        answer.inspect(move |_| drop(place))
    }

    /// Whose request it is, with the client's place if a proxy sent it.
    fn admit(
        &self,
        request: &Request<Incoming>,
        peer: PeerAddress,
    ) -> Result<(PeerAddress, Option<QuotaGuard<IpAddr>>), Problem> {
        let proxies = &self.options.proxies;
        let (client, place) = if proxies.forwards(peer) {
            let client = proxies.client(peer, request.headers());
            match self.transport.enter_http(client) {
                None => {
                    self.transport.counters().reached(Limit::HttpSocketsPerAddress);
                    return Err(Problem::new(ProblemCode::RateLimited));
                }
                place => (client, place),
            }
        } else {
            (peer, None)
        };
        let target = request.uri().path_and_query();
        if target.is_some_and(|target| target.as_str().len() > self.transport.limits().url_bytes_max) {
            self.transport.counters().reached(Limit::UrlBytes);
            return Err(Problem::new(ProblemCode::UriTooLong));
        }
        Ok((client, place))
    }
}
