//! Outboxes of connections that have no plain socket to write: Engine.IO polling, TLS, SSE.

use crate::clock::Ticks;
use crate::parcel::Parcel;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::sync::Notify;

/// Frames that wait for a connection's own task to take them, in order. The shard appends, the task takes.
#[derive(Default)]
pub struct Relay {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    parcels: VecDeque<Arc<Parcel>>,
    bytes: usize,
    frames: usize,
    closed: Option<CloseCode>,
}

/// What a relay had to give.
#[derive(Debug, Default)]
pub struct RelayFrames {
    /// The frames that waited, in order.
    pub frames: Vec<Frame>,
    /// Set when the hub has closed the connection; no frames follow these.
    pub closed: Option<CloseCode>,
}

/// The relay is over its bound.
pub(crate) struct Full;

/// A relay's bounds, as the shard judges them.
pub(crate) struct RelayLimits {
    pub(crate) bytes_max: usize,
    pub(crate) frames_max: usize,
    pub(crate) age_ticks_max: u32,
}

impl Relay {
    /// Takes what waits without waiting for it.
    pub fn take(&self) -> RelayFrames {
        let mut state = self.state.lock();
        state.bytes = 0;
        state.frames = 0;
        RelayFrames {
            frames: state
                .parcels
                .drain(..)
                .map(|parcel| parcel.frame.clone())
                .collect(),
            closed: state.closed,
        }
    }

    /// Takes what waits, and waits until there is something or the connection is closed. Cancel safe.
    pub async fn next(&self) -> RelayFrames {
        loop {
            let ready = self.ready.notified();
            let taken = self.take();
            if !taken.frames.is_empty() || taken.closed.is_some() {
                return taken;
            }
            ready.await;
        }
    }

    /// Whether nothing waits and the connection is open.
    pub fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.parcels.is_empty() && state.closed.is_none()
    }

    pub(crate) fn push(&self, parcel: Arc<Parcel>, now: Ticks, limits: &RelayLimits) -> Result<(), Full> {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return Ok(());
        }
        let oldest = state.parcels.front().map_or(now, |parcel| parcel.published);
        let bytes = state.bytes + parcel.bytes().len();
        let frames = state.frames + parcel.frames as usize;
        if (bytes > limits.bytes_max && !state.parcels.is_empty())
            || frames > limits.frames_max
            || now.since(oldest) > limits.age_ticks_max
        {
            return Err(Full);
        }
        state.bytes = bytes;
        state.frames = frames;
        state.parcels.push_back(parcel);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Ends the relay. With `dropping`, what waits is thrown away; the number of frames dropped is returned.
    pub(crate) fn close(&self, code: CloseCode, dropping: bool) -> usize {
        let mut state = self.state.lock();
        state.closed.get_or_insert(code);
        let dropped = if dropping {
            state.bytes = 0;
            state.parcels = VecDeque::new();
            std::mem::take(&mut state.frames)
        } else {
            0
        };
        drop(state);
        self.ready.notify_one();
        self.ready.notify_waiters();
        dropped
    }
}
