//! The frames a connection still has to write.

use crate::clock::Ticks;
use crate::parcel::Parcel;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

/// Most slices that one vectored write takes.
pub(crate) const SLICES_MAX: usize = 64;

type Backlog = VecDeque<Arc<Parcel>>;

/// An ordered queue of parcels. Empty or with one parcel it owns no memory of its own; the queue behind the first one is
/// borrowed from its shard's [`Spares`].
#[derive(Default)]
pub(crate) struct Outbox {
    first: Option<Arc<Parcel>>,
    /// Boxed, so that a slot stays within a cache line.
    rest: Option<Box<Backlog>>,
    /// Bytes that wait, without what has been written of the first parcel.
    bytes: u32,
    /// Frames that wait, with all of the first parcel.
    frames: u32,
    /// Bytes of the first parcel that have been written.
    written: u32,
}

/// Emptied queues, kept so that a burst allocates none per connection.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
pub(crate) struct Spares(Vec<Box<Backlog>>);

/// Queues kept for reuse in each shard.
const SPARES_MAX: usize = 256;
/// A queue that has grown beyond this is not kept.
const SPARE_PARCELS_MAX: usize = 128;

impl Spares {
    #[expect(clippy::unnecessary_box_returns, reason = "the box is what is reused")]
    fn take(&mut self) -> Box<Backlog> {
        self.0
            .pop()
            .unwrap_or_else(|| Box::new(VecDeque::with_capacity(8)))
    }

    fn put(&mut self, mut backlog: Box<Backlog>) {
        if self.0.len() < SPARES_MAX && backlog.capacity() <= SPARE_PARCELS_MAX {
            backlog.clear();
            self.0.push(backlog);
        }
    }
}

impl Outbox {
    pub(crate) fn push(&mut self, parcel: Arc<Parcel>, spares: &mut Spares) {
        self.bytes += parcel.bytes().len() as u32;
        self.frames += parcel.frames;
        if self.first.is_none() {
            self.first = Some(parcel);
        } else {
            self.rest.get_or_insert_with(|| spares.take()).push_back(parcel);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Frames that wait.
    pub(crate) fn frames(&self) -> usize {
        self.frames as usize
    }

    /// When the oldest frame was published; `None` when nothing waits.
    pub(crate) fn oldest(&self) -> Option<Ticks> {
        self.first.as_ref().map(|first| first.published)
    }

    /// The bytes to write next, of one parcel.
    pub(crate) fn first(&self) -> Option<&[u8]> {
        self.first
            .as_ref()
            .map(|first| &first.bytes()[self.written as usize..])
    }

    /// Whether at most one parcel waits.
    pub(crate) fn has_one(&self) -> bool {
        self.rest.is_none()
    }

    /// Fills `slices` with the first parcels; returns how many.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut count = 0;
        let rest = self
            .rest
            .iter()
            .flat_map(|rest| rest.iter().map(|parcel| parcel.bytes()));
        for (slice, bytes) in slices.iter_mut().zip(self.first().into_iter().chain(rest)) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    /// Takes `written` bytes off the front; returns how many frames that finished.
    pub(crate) fn advance(&mut self, written: usize, spares: &mut Spares) -> u32 {
        let before = self.frames;
        self.bytes -= written as u32;
        self.written += written as u32;
        while let Some(first) = &self.first {
            let length = first.bytes().len() as u32;
            if self.written < length {
                break;
            }
            self.written -= length;
            self.frames -= first.frames;
            self.shift(spares);
        }
        before - self.frames
    }

    /// Throws away what waits, but for a first parcel that is on its way. Returns the frames dropped.
    pub(crate) fn drop_waiting(&mut self, spares: &mut Spares) -> usize {
        let before = self.frames;
        if let Some(rest) = self.rest.take() {
            spares.put(rest);
        }
        if self.written == 0 {
            self.first = None;
        }
        let first = self.first.as_ref();
        self.bytes = first.map_or(0, |first| first.bytes().len() as u32 - self.written);
        self.frames = first.map_or(0, |first| first.frames);
        (before - self.frames) as usize
    }

    /// Throws everything away. Returns the frames dropped.
    pub(crate) fn clear(&mut self, spares: &mut Spares) -> usize {
        self.written = 0;
        self.drop_waiting(spares)
    }

    fn shift(&mut self, spares: &mut Spares) {
        self.first = None;
        if let Some(mut rest) = self.rest.take() {
            self.first = rest.pop_front();
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
    use tidings_wire::websocket::Frame;

    /// Frames of these payload lengths; each frame is two bytes longer.
    fn filled(lengths: &[usize]) -> (Outbox, Spares) {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        for (place, length) in lengths.iter().enumerate() {
            let parcel = Parcel::new(Frame::text(&"x".repeat(*length)), Ticks(place as u32));
            outbox.push(parcel, &mut spares);
        }
        (outbox, spares)
    }

    #[test]
    fn advance_counts_frames_and_remembers_a_part() {
        let (mut outbox, mut spares) = filled(&[1, 2, 0]);
        assert_eq!((outbox.bytes(), outbox.frames()), (9, 3));
        assert_eq!(outbox.advance(2, &mut spares), 0);
        assert_eq!(outbox.first(), Some(b"x".as_slice()));
        assert_eq!(outbox.advance(1, &mut spares), 1);
        assert_eq!((outbox.oldest(), outbox.frames()), (Some(Ticks(1)), 2));
        assert_eq!(outbox.advance(6, &mut spares), 2);
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.frames() == 0 && outbox.has_one());
    }

    #[test]
    fn slices_follow_the_order_and_their_limit() {
        let (outbox, _) = filled(&[1; 100]);
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        assert_eq!(outbox.slices(&mut slices), SLICES_MAX);
        let (mut outbox, mut spares) = filled(&[1, 2]);
        outbox.advance(2, &mut spares);
        assert_eq!(outbox.slices(&mut slices), 2);
        assert_eq!((&slices[0][..], &slices[1][2..]), (&b"x"[..], &b"xx"[..]));
    }

    #[test]
    fn dropping_spares_the_parcel_in_flight() {
        let (mut outbox, mut spares) = filled(&[3, 1, 1]);
        outbox.advance(1, &mut spares);
        assert_eq!(outbox.drop_waiting(&mut spares), 2);
        assert_eq!((outbox.bytes(), outbox.frames()), (4, 1));
        assert_eq!(outbox.advance(4, &mut spares), 1);
        let (mut outbox, mut spares) = filled(&[3, 1]);
        assert_eq!(outbox.drop_waiting(&mut spares), 2);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
        let (mut outbox, mut spares) = filled(&[3, 1]);
        outbox.advance(1, &mut spares);
        assert_eq!(outbox.clear(&mut spares), 2);
        assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.frames() == 0);
    }

    #[test]
    fn a_bundle_counts_as_its_frames() {
        let parcels: Vec<_> = (0..3)
            .map(|place| Parcel::new(Frame::text("ab"), Ticks(place)))
            .collect();
        let bundle = Parcel::bundle(&parcels.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(
            (bundle.frames, bundle.published, bundle.bytes().len()),
            (3, Ticks(0), 12)
        );
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        outbox.push(bundle, &mut spares);
        assert_eq!(outbox.frames(), 3);
        assert_eq!(outbox.advance(11, &mut spares), 0);
        assert_eq!(outbox.advance(1, &mut spares), 3);
        assert!(outbox.is_empty());
    }
}
