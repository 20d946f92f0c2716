//! Outboxes of connections that have no plain socket to write: Engine.IO polling, TLS, SSE.

use crate::clock::Ticks;
use crate::parcel::Parcel;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
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
    on_cut: Option<Waker>,
}

/// A queue that has grown beyond this is not kept.
const SPARE_PARCELS_MAX: usize = 32;

/// What a relay had to give.
#[derive(Debug, Default)]
pub struct RelayFrames {
    /// The frames that waited, in order.
    pub frames: Vec<Frame>,
    /// Set when the hub has closed the connection and no frames follow these.
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
        self.take_up_to(usize::MAX)
    }

    /// Takes from the front what has at most `bytes_max` bytes together, and one frame at least if there is one. What
    /// is left waits, and counts, here.
    pub fn take_up_to(&self, bytes_max: usize) -> RelayFrames {
        let mut state = self.state.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(parcel) = state
            .parcels
            .pop_front_if(|parcel| taken.is_empty() || bytes + parcel.bytes().len() <= bytes_max)
        {
            bytes += parcel.bytes().len();
            state.frames -= parcel.frames as usize;
            taken.push(parcel.frame.clone());
        }
        state.bytes -= bytes;
        let is_empty = state.parcels.is_empty();
        if is_empty && state.parcels.capacity() > SPARE_PARCELS_MAX {
            state.parcels = VecDeque::new();
        }
        RelayFrames {
            frames: taken,
            closed: state.closed.filter(|_| is_empty),
        }
    }

    /// Takes what waits, and waits until there is something or the connection is closed. Cancel safe.
    pub async fn next(&self) -> RelayFrames {
        self.next_up_to(usize::MAX).await
    }

    /// [`Self::next`], in pieces as [`Self::take_up_to`] takes them. Cancel safe.
    pub async fn next_up_to(&self, bytes_max: usize) -> RelayFrames {
        loop {
            let ready = self.ready.notified();
            let taken = self.take_up_to(bytes_max);
            if !taken.frames.is_empty() || taken.closed.is_some() {
                return taken;
            }
            ready.await;
        }
    }

    /// Has `waker` woken when the hub gives a closed connection up, because its task did not end in time: whoever
    /// holds a socket that takes nothing any more is to let go of it.
    pub fn on_cut(&self, waker: Waker) {
        self.state.lock().on_cut = Some(waker);
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

    /// Ends the relay, throws away what waits and has the socket let go. Returns the number of frames dropped.
    pub(crate) fn cut(&self) -> usize {
        let dropped = self.close(CloseCode::InternalError, true);
        let on_cut = self.state.lock().on_cut.take();
        if let Some(waker) = on_cut {
            waker.wake();
        }
        dropped
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
