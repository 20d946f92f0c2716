//! HTTP/2 (RFC 9113) for the HTTP routes. A WebSocket stays with HTTP/1.1.

use super::activity::{Activity, CountedBody};
use super::{Client, Served};
use crate::PeerAddress;
use crate::counters::Limit;
use crate::hangup::Hangup;
use crate::sse::Streaming;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

/// What a client may send of one body, and of all, before it is read.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// What is kept of an answer before the client takes it, beside the piece that is being sent.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// Streams that a client has reset and nobody has looked at yet; more, and it floods (CVE-2023-44487).
const RESET_STREAMS_PENDING_MAX: usize = 20;
/// Streams that were reset for a client's errors; more, and it floods.
const RESET_STREAMS_MAX: usize = 256;

impl Served {
    /// Speaks HTTP/2 until the client leaves, or has asked for nothing for as long as a handshake may take.
    pub(super) async fn speak_http2(self: Arc<Self>, stream: Box<TlsStream<TcpStream>>, client: Client) {
        let limits = self.transport.limits();
        let activity = Activity::new(client.connected, client.waiting.clone(), self.transport.clone());
        let (served, peer, requests) = (self.clone(), client.peer, activity.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let under_way = requests.begin();
            let served = served.clone();
            async move {
                let response = if request.headers().len() > served.transport.limits().headers_max {
                    served.transport.counters().reached(Limit::HeaderBytes);
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()
                } else {
                    served.answer_stream(request, peer).await?
                };
                Ok::<Response<CountedBody>, Infallible>(response.map(|body: Body| CountedBody {
                    body,
                    _under_way: under_way,
                }))
            }
        });
        let heartbeat = self.transport.heartbeat();
        let mut connection = std::pin::pin!(
            http2::Builder::new(OnTransport(self.clone()))
                .timer(TokioTimer::new())
                .max_concurrent_streams(limits.http2_streams_max)
                .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .max_send_buf_size(SEND_BUFFER_BYTES)
                .max_pending_accept_reset_streams(RESET_STREAMS_PENDING_MAX)
                .max_local_error_reset_streams(RESET_STREAMS_MAX)
                .keep_alive_interval(heartbeat.interval)
                .keep_alive_timeout(heartbeat.timeout)
                .serve_connection(TokioIo::new(stream), service)
        );
        // What it may take to leave. A client that has nothing under way needs only to be told.
        let leave = tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP/2 connection broke");
                }
                return;
            }
            // Before the first request, the time runs from the connection on.
            () = activity.idle_for(limits.handshake_timeout) => {
                if !client.waiting.has_begun() {
                    self.transport.counters().reached(Limit::HandshakeTimeout);
                }
                limits.linger
            }
            () = self.transport.shutdown().cancelled() => limits.send_timeout,
        };
        connection.as_mut().graceful_shutdown();
        if let Ok(Err(error)) = tokio::time::timeout(leave, connection).await {
            tracing::debug!(%error, "an HTTP/2 connection broke");
        }
    }

    /// Answers a request within the task of its HTTP/2 stream.
    async fn answer_stream(
        &self,
        mut request: Request<Incoming>,
        peer: PeerAddress,
    ) -> Result<Response<Body>, Infallible> {
        let end = STREAM_END.try_with(StreamEnd::clone).ok();
        if let Some(end) = &end {
            request.extensions_mut().insert(end.hangup.clone());
        }
        let response = self.route(request, peer).await?;
        if let (Some(end), None) = (end, response.extensions().get::<Streaming>()) {
            end.answered.notify_one();
        }
        Ok(response)
    }
}

tokio::task_local! {
    /// Of the HTTP/2 stream whose task this is.
    static STREAM_END: StreamEnd;
}

/// How a stream ends that its client does not take. Its siblings go on.
#[derive(Clone)]
struct StreamEnd {
    hangup: Hangup,
    /// The answer is there, and is one that ends.
    answered: Arc<Notify>,
}

/// Streams are tasks that the process waits for on its way down.
#[derive(Clone)]
struct OnTransport(Arc<Served>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for OnTransport {
    fn execute(&self, stream: F) {
        let end = StreamEnd {
            hangup: Hangup::new(),
            answered: Arc::default(),
        };
        let send_timeout = self.0.transport.limits().send_timeout;
        let StreamEnd { hangup, answered } = end.clone();
        let is_late = async move {
            answered.notified().await;
            tokio::time::sleep(send_timeout).await;
        };
        self.0.transport.spawn(STREAM_END.scope(end, async move {
            // Dropped, a stream is reset.
            tokio::select! {
                () = stream => {}
                () = hangup.wanted() => tracing::debug!("a client that took nothing of a stream lost it"),
                () = is_late => tracing::debug!("a client that took no answer lost its stream"),
            }
        }));
    }
}
