//! Outboxes of connections that have no plain socket to write: Engine.IO polling, TLS, SSE.

use crate::EncodingId;
use crate::backlog::{Backlog, Bounds, Dropped, Load};
use crate::clock::Ticks;
use crate::parcel::Parcel;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

/// Frames that wait for a connection's own task to take them, in order. The shard appends, the task takes. One task
/// waits at a time: of several, the last.
#[derive(Default)]
pub struct Relay(Mutex<State>);

#[derive(Default)]
struct State {
    backlog: Backlog,
    load: Load,
    /// When the first frame was published that came after the task had last taken what waited.
    since: Ticks,
    /// An event was superseded since then.
    is_lagging: bool,
    closed: Option<Farewell>,
    is_cut: bool,
    /// Who waits for frames.
    taker: Option<Waker>,
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
    pub closed: Option<Farewell>,
    pub(crate) load: Load,
    /// When the first of them was published.
    pub(crate) oldest: Option<Ticks>,
}

/// How the hub closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Why.
    pub code: CloseCode,
    /// A WebSocket's last frame.
    pub frame: Frame,
}

/// What waited on a relay, as the shard takes it over.
pub(crate) struct Handover {
    pub(crate) backlog: Backlog,
    pub(crate) closed: Option<Farewell>,
}

/// What became of a frame, or of others for its sake.
#[derive(Default)]
pub(crate) struct Pushed {
    pub(crate) superseded: bool,
    /// The first one since the relay was last emptied.
    pub(crate) began_to_lag: bool,
    pub(crate) dropped: Dropped,
    /// The relay is over its bound all the same.
    pub(crate) is_full: bool,
}

/// A relay's bounds, as the shard judges them.
pub(crate) struct RelayLimits {
    pub(crate) bounds: Bounds,
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
        self.0.lock().take_up_to(bytes_max)
    }

    /// Takes what waits, and waits until there is something or the connection is closed. Cancel safe.
    pub async fn next(&self) -> RelayFrames {
        self.next_up_to(usize::MAX).await
    }

    /// [`Self::next`], in pieces as [`Self::take_up_to`] takes them. Cancel safe.
    pub async fn next_up_to(&self, bytes_max: usize) -> RelayFrames {
        poll_fn(|context| self.poll_next(context, bytes_max)).await
    }

    /// [`Self::next_up_to`] for a task that waits for other things as well.
    pub fn poll_next(&self, context: &mut Context<'_>, bytes_max: usize) -> Poll<RelayFrames> {
        let mut state = self.0.lock();
        let taken = state.take_up_to(bytes_max);
        if taken.frames.is_empty() && taken.closed.is_none() {
            wait(&mut state.taker, context);
            return Poll::Pending;
        }
        Poll::Ready(taken)
    }

    /// Has `waker` woken when the hub gives a closed connection up, because its task did not end in time: whoever
    /// holds a socket that takes nothing any more is to let go of it.
    pub fn on_cut(&self, waker: Waker) {
        self.0.lock().on_cut = Some(waker);
    }

    /// [`Self::on_cut`] for a task that asks itself. Ready once the connection is given up.
    pub fn poll_cut(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.is_cut {
            return Poll::Ready(());
        }
        wait(&mut state.on_cut, context);
        Poll::Pending
    }

    /// Whether nothing waits and the connection is open.
    pub fn is_idle(&self) -> bool {
        let state = self.0.lock();
        state.backlog.parcels.is_empty() && state.closed.is_none()
    }

    pub(crate) fn hand_over(&self) -> Handover {
        let mut state = self.0.lock();
        let backlog = std::mem::take(&mut state.backlog);
        state.load = Load::default();
        state.begin_again();
        Handover {
            backlog,
            closed: state.closed.clone(),
        }
    }

    /// For how long the first frame has waited that came after the task had last taken what waited.
    pub(crate) fn age(&self, now: Ticks) -> Option<u32> {
        let state = self.0.lock();
        (!state.backlog.parcels.is_empty()).then(|| now.since(state.since))
    }

    /// Queues a frame. Beyond the bounds, events that may be dropped make room, and `marker` makes the frame that
    /// stands for them.
    pub(crate) fn push(
        &self,
        next: Arc<Parcel>,
        now: Ticks,
        limits: &RelayLimits,
        marker: impl FnOnce(EncodingId, u32) -> Frame,
    ) -> Pushed {
        let mut state = self.0.lock();
        let pushed = state.push(next, now, limits, marker);
        let taker = state.taker.take();
        drop(state);
        wake(taker);
        pushed
    }

    /// Ends the relay, throws away what waits and has the socket let go. Returns the number of frames dropped.
    pub(crate) fn cut(&self) -> usize {
        let code = CloseCode::InternalError;
        let dropped = self.close(code, Frame::close(code), true);
        let mut state = self.0.lock();
        state.is_cut = true;
        let on_cut = state.on_cut.take();
        drop(state);
        wake(on_cut);
        dropped
    }

    /// Ends the relay; `frame` is a WebSocket's last. With `dropping`, what waits is thrown away; the number of frames
    /// dropped is returned.
    pub(crate) fn close(&self, code: CloseCode, frame: Frame, dropping: bool) -> usize {
        let mut state = self.0.lock();
        state.closed.get_or_insert(Farewell { code, frame });
        let dropped = if dropping {
            state.backlog = Backlog::default();
            std::mem::take(&mut state.load).frames
        } else {
            0
        };
        let taker = state.taker.take();
        drop(state);
        wake(taker);
        dropped
    }
}

/// Has the task woken. It keeps the waker that is there if it would wake the same task.
fn wait(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}

/// Not under the lock: the task may run at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    fn take_up_to(&mut self, bytes_max: usize) -> RelayFrames {
        let mut taken = RelayFrames::default();
        let fits = |taken: &RelayFrames, parcel: &Parcel| {
            taken.frames.is_empty() || taken.load.bytes + parcel.bytes().len() <= bytes_max
        };
        while let Some(parcel) = self.backlog.parcels.pop_front_if(|parcel| fits(&taken, parcel)) {
            self.load.take_away(&parcel);
            taken.load.add(&parcel);
            taken.oldest.get_or_insert(parcel.published);
            taken.frames.push(parcel.frame.clone());
        }
        let is_empty = self.backlog.parcels.is_empty();
        if !taken.frames.is_empty() || is_empty {
            self.begin_again();
        }
        if is_empty {
            taken.closed.clone_from(&self.closed);
        }
        taken
    }

    /// The task has taken what waited, or the first part of it.
    fn begin_again(&mut self) {
        self.is_lagging = false;
        if let Some(first) = self.backlog.parcels.front() {
            self.since = first.published;
        } else if self.backlog.parcels.capacity() > SPARE_PARCELS_MAX {
            self.backlog = Backlog::default();
        }
    }

    fn push(
        &mut self,
        next: Arc<Parcel>,
        now: Ticks,
        limits: &RelayLimits,
        marker: impl FnOnce(EncodingId, u32) -> Frame,
    ) -> Pushed {
        let mut pushed = Pushed::default();
        if self.closed.is_some() {
            return pushed;
        }
        if self.backlog.parcels.is_empty() {
            self.since = next.published;
        }
        pushed.is_full = now.since(self.since) > limits.age_ticks_max;
        self.load.add(&next);
        if !next.fate.is_latest() {
            self.backlog.parcels.push_back(next);
        } else if let Some(older) = self.backlog.push_latest(next) {
            self.load.take_away(&older);
            pushed.superseded = true;
            pushed.began_to_lag = !std::mem::replace(&mut self.is_lagging, true);
        }
        let bounds = &limits.bounds;
        if bounds.are_exceeded_by(self.load) {
            let goes = |load, _: &Parcel| bounds.are_exceeded_by(load);
            pushed.dropped = self.backlog.drop_oldest(&mut self.load, goes, marker);
            pushed.is_full |= bounds.are_exceeded_by(self.backlog.without_marker(self.load));
        }
        pushed
    }
}
