//! Letting go of a socket, or of a stream on it, that takes nothing any more, from within a request that it carries.

use std::sync::Arc;
use std::task::{Wake, Waker};
use tokio_util::sync::CancellationToken;

/// The way from a request to the socket it came on, or over HTTP/2 to its stream: what carries one request at a time.
/// The listener puts it into each request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Hangup(Arc<Cut>);

#[derive(Debug, Default)]
struct Cut(CancellationToken);

impl Hangup {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Done when the socket or the stream is to be let go.
    pub(crate) async fn wanted(&self) {
        self.0.0.cancelled().await;
    }

    /// Lets go of it when it is woken.
    pub(crate) fn waker(&self) -> Waker {
        self.0.clone().into()
    }
}

impl Wake for Cut {
    fn wake(self: Arc<Self>) {
        self.0.cancel();
    }
}
