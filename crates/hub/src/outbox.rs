//! The frames a connection still has to write.

use crate::clock::Ticks;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Most frames that one vectored write takes.
pub(crate) const SLICES_MAX: usize = 64;

type Backlog = VecDeque<(Bytes, Ticks)>;

/// An ordered queue of frames. Empty or with one frame it owns no memory of its own; the queue behind the first
/// frame is borrowed from its shard's [`Spares`].
#[derive(Default)]
pub(crate) struct Outbox {
    first: Option<Bytes>,
    /// Boxed, so that a slot stays within a cache line.
    rest: Option<Box<Backlog>>,
    bytes: u32,
    first_published: Ticks,
}

/// Emptied queues, kept so that a burst allocates none per connection.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
pub(crate) struct Spares(Vec<Box<Backlog>>);

/// Queues kept for reuse in each shard.
const SPARES_MAX: usize = 256;
/// A queue that has grown beyond this is not kept.
const SPARE_FRAMES_MAX: usize = 128;

impl Spares {
    #[expect(clippy::unnecessary_box_returns, reason = "the box is what is reused")]
    fn take(&mut self) -> Box<Backlog> {
        self.0
            .pop()
            .unwrap_or_else(|| Box::new(VecDeque::with_capacity(8)))
    }

    fn put(&mut self, mut backlog: Box<Backlog>) {
        if self.0.len() < SPARES_MAX && backlog.capacity() <= SPARE_FRAMES_MAX {
            backlog.clear();
            self.0.push(backlog);
        }
    }
}

/// What a write got done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Advanced {
    pub(crate) frames: u32,
    /// The first frame that remains has been written in part.
    pub(crate) partial: bool,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: Bytes, published: Ticks, spares: &mut Spares) {
        self.bytes += frame.len() as u32;
        if self.first.is_none() {
            self.first = Some(frame);
            self.first_published = published;
        } else {
            self.rest
                .get_or_insert_with(|| spares.take())
                .push_back((frame, published));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    pub(crate) fn frames(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// When the oldest frame was published.
    pub(crate) fn oldest(&self) -> Ticks {
        self.first_published
    }

    pub(crate) fn first(&self) -> Option<&Bytes> {
        self.first.as_ref()
    }

    pub(crate) fn has_one(&self) -> bool {
        self.rest.is_none()
    }

    /// Fills `slices` with the first frames; returns how many.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut count = 0;
        let rest = self
            .rest
            .iter()
            .flat_map(|rest| rest.iter().map(|(frame, _)| frame));
        for (slice, frame) in slices.iter_mut().zip(self.first.iter().chain(rest)) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        count
    }

    /// Takes `written` bytes off the front.
    pub(crate) fn advance(&mut self, mut written: usize, spares: &mut Spares) -> Advanced {
        let mut frames = 0;
        self.bytes -= written as u32;
        while written > 0 {
            let first = self
                .first
                .as_mut()
                .expect("no more bytes were written than the outbox held");
            if written < first.len() {
                first.advance(written);
                return Advanced {
                    frames,
                    partial: true,
                };
            }
            written -= first.len();
            frames += 1;
            self.shift(spares);
        }
        Advanced {
            frames,
            partial: false,
        }
    }

    /// Throws away what waits, but for a first frame that is on its way (`partial`). Returns the frames dropped.
    pub(crate) fn drop_waiting(&mut self, partial: bool, spares: &mut Spares) -> usize {
        let before = self.frames();
        if let Some(rest) = self.rest.take() {
            spares.put(rest);
        }
        if !partial {
            self.first = None;
        }
        self.bytes = self.first.as_ref().map_or(0, |first| first.len() as u32);
        before - self.frames()
    }

    fn shift(&mut self, spares: &mut Spares) {
        self.first = None;
        if let Some(mut rest) = self.rest.take() {
            if let Some((frame, published)) = rest.pop_front() {
                self.first = Some(frame);
                self.first_published = published;
            }
            if rest.is_empty() {
                spares.put(rest);
            } else {
                self.rest = Some(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(frames: &[&'static [u8]]) -> (Outbox, Spares) {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        for (place, frame) in frames.iter().enumerate() {
            outbox.push(Bytes::from_static(frame), Ticks(place as u32), &mut spares);
        }
        (outbox, spares)
    }

    #[test]
    fn advance_counts_frames_and_remembers_a_part() {
        let (mut outbox, mut spares) = filled(&[b"abc", b"defg", b"h"]);
        assert_eq!((outbox.bytes(), outbox.frames()), (8, 3));
        assert_eq!(
            outbox.advance(2, &mut spares),
            Advanced {
                frames: 0,
                partial: true
            }
        );
        assert_eq!(outbox.first().map(|first| &first[..]), Some(&b"c"[..]));
        assert_eq!(
            outbox.advance(1, &mut spares),
            Advanced {
                frames: 1,
                partial: false
            }
        );
        assert_eq!(outbox.oldest(), Ticks(1));
        assert_eq!(
            outbox.advance(5, &mut spares),
            Advanced {
                frames: 2,
                partial: false
            }
        );
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.has_one());
    }

    #[test]
    fn slices_follow_the_order_and_their_limit() {
        let (outbox, _) = filled(&[b"x".as_slice(); 100]);
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        assert_eq!(outbox.slices(&mut slices), SLICES_MAX);
        let (outbox, _) = filled(&[b"a", b"b"]);
        assert_eq!(outbox.slices(&mut slices), 2);
        assert_eq!((&slices[0][..], &slices[1][..]), (&b"a"[..], &b"b"[..]));
    }

    #[test]
    fn dropping_spares_the_frame_in_flight() {
        let (mut outbox, mut spares) = filled(&[b"abc", b"d", b"e"]);
        outbox.advance(1, &mut spares);
        assert_eq!(outbox.drop_waiting(true, &mut spares), 2);
        assert_eq!((outbox.bytes(), outbox.frames()), (2, 1));
        let (mut outbox, mut spares) = filled(&[b"abc", b"d"]);
        assert_eq!(outbox.drop_waiting(false, &mut spares), 2);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }
}
