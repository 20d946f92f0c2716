//! The response of a stream: takes frames from the relay as the client reads.

use super::retry;
use crate::live::Live;
use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;
use tidings_hub::{Farewell, RelayFrames};
use tidings_wire::sse::Encoder;

/// How much is taken from the relay at once. More waits there, where it is bounded and its age is known. One larger
/// frame is taken alone.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Marks a response that goes on: its socket does not wait for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streaming;

/// A stream that is about to be, or is, somebody's response. Dropping it is the end of the connection.
pub(super) struct EventStream<L> {
    live: Live,
    /// The gateway's side; `None` once the hub has closed the connection.
    session: Option<L>,
    pieces: std::vec::IntoIter<Bytes>,
}

impl<L> EventStream<L> {
    pub(super) fn new(live: Live, session: L) -> Self {
        let mut hint = Encoder::default();
        hint.retry(retry::by_default(live.connection().id().random_bits()));
        Self {
            live,
            session: Some(session),
            pieces: hint.finish().into_iter(),
        }
    }

    /// The next bytes to send, or `None` behind the last.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.next() {
                return Some(piece);
            }
            self.session.as_ref()?;
            let relay = self.live.connection().relay()?;
            let taken = relay.next_up_to(PIECE_BYTES_MAX).await;
            self.take_in(&taken);
        }
    }

    fn take_in(&mut self, taken: &RelayFrames) {
        let mut encoder = Encoder::default();
        for frame in &taken.frames {
            encoder.frame(frame);
        }
        let messages = encoder.messages();
        if let Some(Farewell { code, .. }) = taken.closed {
            encoder.end(
                code,
                retry::after(code, self.live.connection().id().random_bits()),
            );
            // The gateway's cleanup does not wait for the client to leave.
            self.session = None;
        }
        let pieces = encoder.finish();
        let bytes = pieces.iter().map(Bytes::len).sum();
        self.live.transport().counters().sent(bytes, messages);
        self.pieces = pieces.into_iter();
    }
}

impl<L: Send + 'static> IntoResponse for EventStream<L> {
    fn into_response(self) -> Response {
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/event-stream"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            // nginx buffers responses unless it is told not to.
            (
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            ),
        ];
        let pieces = stream::unfold(self, async |mut stream| {
            let piece = stream.next().await?;
            Some((Ok::<_, Infallible>(piece), stream))
        });
        (headers, Extension(Streaming), Body::from_stream(pieces)).into_response()
    }
}
