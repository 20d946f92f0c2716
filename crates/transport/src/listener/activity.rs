//! Whether an HTTP/2 connection has requests under way. While it has none, it waits like any other.

use crate::Transport;
use crate::waiting::WaitingSocket;
use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The requests of one connection.
pub(super) struct Activity {
    state: Mutex<State>,
    ended: Notify,
    waiting: Arc<WaitingSocket>,
    transport: Transport,
}

struct State {
    under_way: usize,
    idle_since: Instant,
}

/// One request, from its headers to the end of its answer.
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    pub(super) fn new(connected: Instant, waiting: Arc<WaitingSocket>, transport: Transport) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                under_way: 0,
                idle_since: connected,
            }),
            ended: Notify::new(),
            waiting,
            transport,
        })
    }

    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.state.lock();
        state.under_way += 1;
        // Under the lock, so that the socket waits exactly while nothing is under way.
        if state.under_way == 1 {
            self.waiting.begin();
        }
        drop(state);
        UnderWay(self.clone())
    }

    /// Done when no request was under way for so long.
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let (under_way, due) = {
                let state = self.state.lock();
                (state.under_way, state.idle_since + limit)
            };
            if under_way != 0 {
                self.ended.notified().await;
            } else if due > Instant::now() {
                sleep_until(due).await;
            } else {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.idle_since = Instant::now();
            self.0.waiting.wait(self.0.transport.counters());
            drop(state);
            self.0.ended.notify_one();
        }
    }
}

/// A body whose request is under way until it is sent or given up.
pub(super) struct CountedBody {
    pub(super) body: Body,
    pub(super) _under_way: UnderWay,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
