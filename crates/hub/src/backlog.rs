//! What waits for a connection, and what may become of it before it is written.

use crate::EncodingId;
use crate::clock::Ticks;
use crate::parcel::Parcel;
use std::collections::VecDeque;
use std::sync::Arc;
use tidings_wire::websocket::Frame;

/// What may become of a parcel while it waits, in 32 bits that fit beside its publish time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate(u32);

impl Fate {
    /// The largest number beside the kind of fate.
    pub(crate) const NUMBER_MAX: u32 = (1 << 29) - 1;
    const LATEST: u32 = 2 << 29;
    const DROPPABLE: u32 = 3 << 29;
    const GAP: u32 = 4 << 29;

    /// An event that is written, or the connection is closed.
    pub(crate) const KEPT: Fate = Fate(0);
    /// A direct answer or confirmation: kept, and no event is put before it that came after it.
    pub(crate) const ANSWER: Fate = Fate(1 << 29);

    /// An event that a newer one with the same number supersedes.
    pub(crate) fn latest(key: u32) -> Fate {
        Fate(Fate::LATEST | key & Fate::NUMBER_MAX)
    }

    /// An event that may go; `encoding` makes the marker that stands for it then.
    pub(crate) fn droppable(encoding: EncodingId) -> Fate {
        Fate(Fate::DROPPABLE | u32::from(encoding.0))
    }

    /// The marker of a gap of so many events. A count beyond [`Self::NUMBER_MAX`] stays there: the age of the blocked
    /// socket ends a connection long before.
    fn gap(dropped: u32) -> Fate {
        Fate(Fate::GAP | dropped.min(Fate::NUMBER_MAX))
    }

    fn kind(self) -> u32 {
        self.0 & !Fate::NUMBER_MAX
    }

    fn number(self) -> u32 {
        self.0 & Fate::NUMBER_MAX
    }

    pub(crate) fn is_latest(self) -> bool {
        self.kind() == Fate::LATEST
    }

    pub(crate) fn is_droppable(self) -> bool {
        self.kind() == Fate::DROPPABLE
    }

    /// Whether the frame waits for its turn without regard to newer ones: its age counts.
    fn is_kept(self) -> bool {
        self.kind() <= Fate::ANSWER.0
    }

    fn is_gap(self) -> bool {
        self.kind() == Fate::GAP
    }
}

/// What waits for one connection without the gap marker: the marker costs nobody its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) bytes: usize,
    pub(crate) frames: usize,
}

impl Load {
    pub(crate) fn add(&mut self, parcel: &Parcel) {
        self.bytes += parcel.bytes().len();
        self.frames += parcel.frames as usize;
    }

    pub(crate) fn take_away(&mut self, parcel: &Parcel) {
        self.bytes -= parcel.bytes().len();
        self.frames -= parcel.frames as usize;
    }
}

/// What may wait for one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    pub(crate) frames_max: usize,
}

impl Bounds {
    /// A single frame may be larger than the bound on bytes: what was accepted must be deliverable.
    #[inline]
    pub(crate) fn are_exceeded_by(&self, load: Load) -> bool {
        (load.bytes > self.bytes_max && load.frames > 1) || load.frames > self.frames_max
    }
}

/// What [`Backlog::drop_oldest`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Events dropped.
    pub(crate) events: u32,
    /// The gap was not there before.
    pub(crate) is_new: bool,
}

/// Waiting parcels in order, none of them written in part.
///
/// Invariant: at most one event of a key and at most one gap marker wait, and the marker stands before every event
/// that may still be dropped.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) parcels: VecDeque<Arc<Parcel>>,
}

impl Backlog {
    pub(crate) fn with_capacity(parcels: usize) -> Backlog {
        Backlog {
            parcels: VecDeque::with_capacity(parcels),
        }
    }

    /// Appends an event, or puts it in the place of the older one of its key, which is returned. Where an answer was
    /// queued behind the older one, that goes and the newer one is appended, because it was published after the answer.
    pub(crate) fn push_latest(&mut self, newer: Arc<Parcel>) -> Option<Arc<Parcel>> {
        let mut is_answered = false;
        for place in (0..self.parcels.len()).rev() {
            let older = &mut self.parcels[place];
            if older.fate == newer.fate {
                if !is_answered {
                    return Some(std::mem::replace(older, newer));
                }
                let older = self.parcels.remove(place);
                self.parcels.push_back(newer);
                return older;
            }
            is_answered |= older.fate == Fate::ANSWER;
        }
        self.parcels.push_back(newer);
        None
    }

    /// Drops the oldest droppable events while `goes` says so of the next one, given what waits without the marker.
    /// `marker` makes the frame of the marker that stands where the oldest of them stood. `load` counts what waits
    /// for the connection, the marker included, and is brought up to date.
    pub(crate) fn drop_oldest(
        &mut self,
        load: &mut Load,
        mut goes: impl FnMut(Load, &Parcel) -> bool,
        marker: impl FnOnce(EncodingId, u32) -> Frame,
    ) -> Dropped {
        let waiting = self.marker();
        let mut dropped = Dropped {
            events: 0,
            is_new: waiting.is_none(),
        };
        let mut left = self.without_marker(*load);
        let mut gap = waiting;
        let mut encoding = EncodingId(0);
        let mut place = gap.map_or(0, |place| place + 1);
        while let Some(next) = self.parcels.get(place) {
            if !next.fate.is_droppable() {
                place += 1;
                continue;
            }
            if !goes(left, next) {
                break;
            }
            encoding = EncodingId(next.fate.number() as u8);
            left.take_away(next);
            dropped.events += next.frames;
            if gap.is_none() {
                gap = Some(place);
                place += 1;
            } else {
                self.parcels.remove(place);
            }
        }
        let Some(gap) = gap.filter(|_| dropped.events > 0) else {
            return Dropped::default();
        };
        let gap = &mut self.parcels[gap];
        let before = if gap.fate.is_gap() { gap.fate.number() } else { 0 };
        let count = before.saturating_add(dropped.events);
        *gap = Parcel::new(marker(encoding, count), gap.published, Fate::gap(count));
        load.bytes = left.bytes + gap.bytes().len();
        load.frames = left.frames + 1;
        dropped
    }

    /// What `load` is without the gap marker, if one waits.
    pub(crate) fn without_marker(&self, load: Load) -> Load {
        let marker = self.marker().map(|place| self.parcels[place].bytes().len());
        Load {
            bytes: load.bytes - marker.unwrap_or(0),
            frames: load.frames - usize::from(marker.is_some()),
        }
    }

    /// When the oldest parcel was published that is written or the connection is closed.
    pub(crate) fn oldest_kept(&self) -> Option<Ticks> {
        self.oldest(Fate::is_kept)
    }

    /// When the oldest event was published that may still be dropped.
    pub(crate) fn oldest_droppable(&self) -> Option<Ticks> {
        self.oldest(Fate::is_droppable)
    }

    fn oldest(&self, is_meant: impl Fn(Fate) -> bool) -> Option<Ticks> {
        let first = self.parcels.iter().find(|parcel| is_meant(parcel.fate))?;
        Some(first.published)
    }

    fn marker(&self) -> Option<usize> {
        // Invariant: it stands before every droppable event, so the search may end at the first of these.
        let first = |parcel: &Arc<Parcel>| parcel.fate.is_gap() || parcel.fate.is_droppable();
        let place = self.parcels.iter().position(first)?;
        self.parcels[place].fate.is_gap().then_some(place)
    }
}

#[cfg(test)]
mod tests;
