//! The frames a connection still has to write.

use crate::EncodingId;
use crate::backlog::{Backlog, Dropped, Load};
use crate::clock::Ticks;
use crate::parcel::Parcel;
use std::io::IoSlice;
use std::sync::Arc;
use tidings_wire::websocket::Frame;

/// Most slices that one vectored write takes.
pub(crate) const SLICES_MAX: usize = 64;

/// An ordered queue of parcels. Empty or with one parcel it owns no memory of its own; the queue behind the first one is
/// borrowed from its shard's [`Spares`].
///
/// The first parcel is on its way, in part or next, and is written or thrown away with all others: only of those behind
/// it, events are superseded or dropped.
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
            .unwrap_or_else(|| Box::new(Backlog::with_capacity(8)))
    }

    fn put(&mut self, mut backlog: Box<Backlog>) {
        if self.0.len() < SPARES_MAX && backlog.parcels.capacity() <= SPARE_PARCELS_MAX {
            backlog.parcels.clear();
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
            self.rest
                .get_or_insert_with(|| spares.take())
                .parcels
                .push_back(parcel);
        }
    }

    /// Appends an event, or lets it take the place of an older one of its key; says whether it did.
    pub(crate) fn push_latest(&mut self, newer: Arc<Parcel>, spares: &mut Spares) -> bool {
        let Some(rest) = &mut self.rest else {
            self.push(newer, spares);
            return false;
        };
        self.bytes += newer.bytes().len() as u32;
        self.frames += newer.frames;
        let Some(older) = rest.push_latest(newer) else {
            return false;
        };
        self.bytes -= older.bytes().len() as u32;
        self.frames -= older.frames;
        true
    }

    /// See [`Backlog::drop_oldest`].
    pub(crate) fn drop_oldest(
        &mut self,
        goes: impl FnMut(Load, &Parcel) -> bool,
        marker: impl FnOnce(EncodingId, u32) -> Frame,
    ) -> Dropped {
        let mut load = self.load();
        let Some(rest) = &mut self.rest else {
            return Dropped::default();
        };
        let dropped = rest.drop_oldest(&mut load, goes, marker);
        self.bytes = load.bytes as u32;
        self.frames = load.frames as u32;
        dropped
    }

    /// What waits, the first parcel included.
    #[inline]
    pub(crate) fn load(&self) -> Load {
        Load {
            bytes: self.bytes(),
            frames: self.frames(),
        }
    }

    /// What waits, the first parcel included and the gap marker not.
    pub(crate) fn load_without_marker(&self) -> Load {
        let load = self.load();
        self.rest.as_ref().map_or(load, |rest| rest.without_marker(load))
    }

    /// What waits behind the first parcel.
    pub(crate) fn rest(&self) -> Option<&Backlog> {
        self.rest.as_deref()
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
            .flat_map(|rest| rest.parcels.iter().map(|parcel| parcel.bytes()));
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
            self.first = rest.parcels.pop_front();
            if rest.parcels.is_empty() {
                spares.put(rest);
            } else {
                self.rest = Some(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
