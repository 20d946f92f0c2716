//! What outboxes hold.

use crate::backlog::Fate;
use crate::clock::Ticks;
use std::sync::Arc;
use tidings_wire::websocket::Frame;

/// Finished frames on their way to sockets, made once and shared by all who get them.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) frame: Frame,
    /// How many events' or answers' frames these are.
    pub(crate) frames: u32,
    /// When the oldest of them was published.
    pub(crate) published: Ticks,
    /// What may become of them while they wait.
    pub(crate) fate: Fate,
}

impl Parcel {
    pub(crate) fn new(frame: Frame, published: Ticks, fate: Fate) -> Arc<Parcel> {
        Arc::new(Parcel {
            frame,
            frames: 1,
            published,
            fate,
        })
    }

    /// An event, for members who get all of them.
    pub(crate) fn event(frame: Frame, published: Ticks) -> Arc<Parcel> {
        Parcel::new(frame, published, Fate::KEPT)
    }

    /// A direct answer, or whatever else is no event.
    pub(crate) fn answer(frame: Frame, now: Ticks) -> Arc<Parcel> {
        Parcel::new(frame, now, Fate::ANSWER)
    }

    /// The same, with an age that begins now.
    pub(crate) fn renewed(&self, now: Ticks) -> Arc<Parcel> {
        Arc::new(Parcel {
            frame: self.frame.clone(),
            published: now,
            ..*self
        })
    }

    /// One parcel of several, in their order. The copy is made once for all members of a room, and saves each of them a
    /// place in its outbox and the kernel a look at each frame.
    pub(crate) fn bundle(parcels: &[&Arc<Parcel>]) -> Option<Arc<Parcel>> {
        match parcels {
            [] => None,
            [one] => Some(Arc::clone(one)),
            [first, ..] => Some(Arc::new(Parcel {
                frame: Frame::concat(parcels.iter().map(|parcel| parcel.frame.clone())),
                frames: parcels.iter().map(|parcel| parcel.frames).sum(),
                published: first.published,
                fate: first.fate,
            })),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.frame.as_bytes()
    }
}
