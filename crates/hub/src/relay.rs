//! Outboxes of connections that have no plain socket to write: Engine.IO polling, TLS, SSE.

use crate::clock::Ticks;
use crate::parcel::Parcel;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

/// A queue that has grown beyond this is given back once it is empty.
const QUEUE_PARCELS_KEPT_MAX: usize = 16;

/// Frames that wait for a connection's own task to take them, in order. The shard appends, the task takes.
#[derive(Default)]
pub struct Relay(Mutex<State>);

#[derive(Default)]
struct State {
    parcels: VecDeque<Arc<Parcel>>,
    bytes: usize,
    frames: usize,
    /// What a task that writes a stream has taken and not yet written. It counts as if it were still here.
    in_flight: InFlight,
    closed: Option<CloseCode>,
    farewell: Option<Frame>,
    end: Option<StreamEnd>,
    /// The task that waits.
    waiting: Option<(Waits, Waker)>,
}

/// What a task waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Anything.
    Frames,
    /// That the connection is cut.
    End,
}

/// Frames on their way.
#[derive(Clone, Copy, Default)]
pub(crate) struct InFlight {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
    /// When the first of them was published.
    pub(crate) oldest: Ticks,
}

/// What a relay had to give.
#[derive(Debug, Default)]
pub struct RelayFrames {
    /// The frames that waited, in order.
    pub frames: Vec<Frame>,
    /// Set when the hub has closed the connection; no frames follow these.
    pub closed: Option<CloseCode>,
}

/// What a task that writes a stream is to do next.
#[derive(Debug)]
pub enum StreamStep {
    /// Write these, in order; one may be several that belong together.
    Write(Vec<Frame>),
    /// Everything is written but this close frame; nothing follows it.
    Finish(Frame),
    /// Reset the socket.
    Reset,
}

/// How a stream ends although frames of it are not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The client does not read: drop what was taken but for the frame in flight, then close.
    Dropping,
    /// The client had its time: reset the socket.
    Reset,
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
        self.0.lock().take()
    }

    /// Takes what waits, and waits until there is something or the connection is closed. Cancel safe.
    pub async fn next(&self) -> RelayFrames {
        poll_fn(|context| {
            let mut state = self.0.lock();
            let taken = state.take();
            if taken.frames.is_empty() && taken.closed.is_none() {
                state.wait(Waits::Frames, context);
                return Poll::Pending;
            }
            Poll::Ready(taken)
        })
        .await
    }

    /// Whether nothing waits and the connection is open.
    pub fn is_idle(&self) -> bool {
        let state = self.0.lock();
        state.parcels.is_empty() && state.closed.is_none()
    }

    /// The next frames for a stream, up to `bytes_max` unless the first is larger, and what was written since the
    /// last call: asking for more says that everything before is written.
    pub(crate) fn poll_stream(
        &self,
        context: &mut Context<'_>,
        bytes_max: usize,
        parcels_max: usize,
    ) -> (InFlight, Poll<StreamStep>) {
        let mut state = self.0.lock();
        let written = std::mem::take(&mut state.in_flight);
        let step = if state.end == Some(StreamEnd::Reset) {
            Poll::Ready(StreamStep::Reset)
        } else if !state.parcels.is_empty() {
            Poll::Ready(StreamStep::Write(state.take_some(bytes_max, parcels_max)))
        } else if let Some(farewell) = state.farewell.take() {
            Poll::Ready(StreamStep::Finish(farewell))
        } else {
            state.wait(Waits::Frames, context);
            Poll::Pending
        };
        (written, step)
    }

    /// Waits until the connection is cut, while what was taken cannot be written.
    pub(crate) fn poll_end(&self, context: &mut Context<'_>) -> Poll<StreamEnd> {
        let mut state = self.0.lock();
        if let Some(end) = state.end {
            if end == StreamEnd::Dropping {
                // Told once: the close frame that follows may be in the way of nothing but the reset.
                state.end = None;
            }
            return Poll::Ready(end);
        }
        state.wait(Waits::End, context);
        Poll::Pending
    }

    /// So much of what was taken is not going to be written.
    pub(crate) fn drop_taken(&self, frames: usize, bytes: usize) {
        let mut state = self.0.lock();
        state.in_flight.frames = state.in_flight.frames.saturating_sub(frames);
        state.in_flight.bytes = state.in_flight.bytes.saturating_sub(bytes);
    }

    pub(crate) fn push(&self, parcel: Arc<Parcel>, now: Ticks, limits: &RelayLimits) -> Result<(), Full> {
        let mut state = self.0.lock();
        if state.closed.is_some() {
            return Ok(());
        }
        let held_bytes = state.bytes + state.in_flight.bytes;
        let bytes = state.bytes + parcel.bytes().len();
        let frames = state.frames + parcel.frames as usize;
        // A single parcel may be larger than the bound on bytes.
        if (held_bytes != 0 && bytes + state.in_flight.bytes > limits.bytes_max)
            || frames + state.in_flight.frames > limits.frames_max
            || now.since(state.oldest().unwrap_or(now)) > limits.age_ticks_max
        {
            return Err(Full);
        }
        state.bytes = bytes;
        state.frames = frames;
        state.parcels.push_back(parcel);
        let waker = state.waker_for(Waits::Frames);
        drop(state);
        wake(waker);
        Ok(())
    }

    /// When the oldest frame that is not written was published.
    pub(crate) fn oldest(&self) -> Option<Ticks> {
        self.0.lock().oldest()
    }

    /// Ends the relay behind what waits. `farewell` is a stream's last frame.
    pub(crate) fn close(&self, code: CloseCode, farewell: Frame) {
        let mut state = self.0.lock();
        if state.closed.is_none() {
            state.closed = Some(code);
            state.farewell = Some(farewell);
        }
        let waker = state.waker_for(Waits::Frames);
        drop(state);
        wake(waker);
    }

    /// Ends the relay and throws away what waits; the number of frames thrown away is returned.
    pub(crate) fn cut(&self, code: CloseCode, end: StreamEnd) -> usize {
        let mut state = self.0.lock();
        if state.closed.is_none() {
            state.closed = Some(code);
            state.farewell = Some(Frame::close(code));
        }
        state.end = Some(end);
        state.bytes = 0;
        state.parcels = VecDeque::new();
        let dropped = std::mem::take(&mut state.frames);
        let waker = state.waker_for(Waits::End);
        drop(state);
        wake(waker);
        dropped
    }
}

impl State {
    fn take(&mut self) -> RelayFrames {
        self.bytes = 0;
        self.frames = 0;
        let frames = self
            .parcels
            .drain(..)
            .map(|parcel| parcel.frame.clone())
            .collect();
        self.give_back();
        RelayFrames {
            frames,
            closed: self.closed,
        }
    }

    fn take_some(&mut self, bytes_max: usize, parcels_max: usize) -> Vec<Frame> {
        let (mut count, mut bytes, mut frames) = (0, 0, 0);
        for parcel in self.parcels.iter().take(parcels_max) {
            if count != 0 && bytes + parcel.bytes().len() > bytes_max {
                break;
            }
            count += 1;
            bytes += parcel.bytes().len();
            frames += parcel.frames as usize;
        }
        self.in_flight = InFlight {
            frames,
            bytes,
            oldest: self.oldest().unwrap_or_default(),
        };
        self.bytes -= bytes;
        self.frames -= frames;
        let taken = self
            .parcels
            .drain(..count)
            .map(|parcel| parcel.frame.clone())
            .collect();
        self.give_back();
        taken
    }

    /// A burst's queue must not be kept by every connection that it went to.
    fn give_back(&mut self) {
        if self.parcels.is_empty() && self.parcels.capacity() > QUEUE_PARCELS_KEPT_MAX {
            self.parcels = VecDeque::new();
        }
    }

    fn oldest(&self) -> Option<Ticks> {
        if self.in_flight.frames != 0 {
            return Some(self.in_flight.oldest);
        }
        self.parcels.front().map(|parcel| parcel.published)
    }

    fn wait(&mut self, waits: Waits, context: &Context<'_>) {
        match &mut self.waiting {
            Some((for_what, waker)) if waker.will_wake(context.waker()) => *for_what = waits,
            waiting => *waiting = Some((waits, context.waker().clone())),
        }
    }

    /// The waiting task, if this is something that it waits for.
    fn waker_for(&mut self, what: Waits) -> Option<Waker> {
        let is_meant = |(waits, _): &mut (Waits, Waker)| what == Waits::End || *waits == Waits::Frames;
        self.waiting.take_if(is_meant).map(|(_, waker)| waker)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RelayLimits = RelayLimits {
        bytes_max: 100,
        frames_max: 10,
        age_ticks_max: 50,
    };

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    /// A frame of ten bytes, published now.
    fn push(relay: &Relay, now: u32) -> Result<(), Full> {
        relay.push(
            Parcel::new(Frame::text("12345678"), Ticks(now)),
            Ticks(now),
            &LIMITS,
        )
    }

    fn take(relay: &Relay, bytes_max: usize) -> (usize, usize) {
        match relay.poll_stream(&mut context(), bytes_max, 64) {
            (written, Poll::Ready(StreamStep::Write(frames))) => (written.frames, frames.len()),
            (written, step) => {
                assert!(step.is_pending(), "{step:?}");
                (written.frames, 0)
            }
        }
    }

    #[test]
    fn what_a_stream_has_taken_counts_until_it_asks_for_more() {
        let relay = Relay::default();
        assert!((0..10).all(|_| push(&relay, 0).is_ok()));
        assert!(push(&relay, 0).is_err());
        assert_eq!(take(&relay, 35), (0, 3));
        assert!(push(&relay, 0).is_err(), "the three are not written");
        assert_eq!(relay.oldest(), Some(Ticks(0)));
        assert_eq!(take(&relay, 35), (3, 3));
        assert!((0..3).all(|_| push(&relay, 40).is_ok()));
        assert!(push(&relay, 40).is_err());
        relay.drop_taken(1, 10);
        assert!(push(&relay, 40).is_ok());
        assert_eq!(take(&relay, 1_000), (2, 8));
        assert!(push(&relay, 51).is_err(), "the oldest is too old");
        assert_eq!(take(&relay, 1_000), (8, 0));
        assert_eq!(relay.oldest(), None);
        // A frame larger than what is taken at once, or than the bound, goes alone.
        assert!(push(&relay, 60).is_ok() && push(&relay, 60).is_ok());
        assert_eq!((take(&relay, 5), take(&relay, 5)), ((0, 1), (1, 1)));
    }

    #[test]
    fn a_stream_ends_behind_what_waits_or_at_once() {
        let relay = Relay::default();
        assert!(push(&relay, 0).is_ok());
        relay.close(CloseCode::ShuttingDown, Frame::close(CloseCode::ShuttingDown));
        relay.close(CloseCode::Normal, Frame::close(CloseCode::Normal));
        assert!(push(&relay, 0).is_ok(), "ignored");
        assert_eq!(take(&relay, 100), (0, 1));
        let (_, step) = relay.poll_stream(&mut context(), 100, 64);
        let Poll::Ready(StreamStep::Finish(frame)) = step else {
            panic!("{step:?}")
        };
        assert_eq!(frame, Frame::close(CloseCode::ShuttingDown));
        assert_eq!(take(&relay, 100), (0, 0));
        assert!(relay.poll_end(&mut context()).is_pending());

        let relay = Relay::default();
        assert!(push(&relay, 0).is_ok() && push(&relay, 0).is_ok());
        assert_eq!(take(&relay, 10), (0, 1));
        assert_eq!(relay.cut(CloseCode::SlowConsumer, StreamEnd::Dropping), 1);
        assert_eq!(relay.poll_end(&mut context()), Poll::Ready(StreamEnd::Dropping));
        assert!(relay.poll_end(&mut context()).is_pending());
        relay.cut(CloseCode::InternalError, StreamEnd::Reset);
        assert_eq!(relay.poll_end(&mut context()), Poll::Ready(StreamEnd::Reset));
        assert!(matches!(
            relay.poll_stream(&mut context(), 10, 64).1,
            Poll::Ready(StreamStep::Reset)
        ));
        assert_eq!(relay.take().closed, Some(CloseCode::SlowConsumer));
    }
}
