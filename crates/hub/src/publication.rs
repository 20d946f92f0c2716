//! An event on its way through the shards.

use crate::clock::Ticks;
use crate::encoding::{Encodings, Form};
use crate::parcel::Parcel;
use crate::{ConnectionId, Event, RoomName};
use std::sync::{Arc, OnceLock};
use tidings_wire::websocket::{Deflater, WindowBits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One unit of the admission semaphore, in bytes.
const UNIT_BYTES: usize = 1024;
/// What the smallest event costs, in units, so that the bound on bytes bounds the number too.
const UNITS_MIN: usize = 64;

/// An admitted event with its frames, each encoded by the first shard that needs it.
pub(crate) struct Publication {
    event: Event,
    parcels: Box<[OnceLock<Option<Parcels>>]>,
    encodings: Encodings,
    published: Ticks,
    /// Given back when the last shard has the event in its outboxes.
    _admission: OwnedSemaphorePermit,
}

/// What an event is in one encoding.
struct Parcels {
    plain: Arc<Parcel>,
    /// Compressed, by window; each made by the first shard that needs it. Boxed, because most events are too short to be
    /// compressed.
    deflated: OnceLock<Box<[OnceLock<Arc<Parcel>>; WindowBits::COUNT]>>,
}

impl Publication {
    pub(crate) fn new(
        event: Event,
        encodings: Encodings,
        published: Ticks,
        admission: OwnedSemaphorePermit,
    ) -> Publication {
        let parcels = std::iter::repeat_with(OnceLock::new)
            .take(encodings.len())
            .collect();
        Publication {
            event,
            parcels,
            encodings,
            published,
            _admission: admission,
        }
    }

    /// What members get in this form, if they get the event.
    pub(crate) fn parcel(&self, form: Form) -> Option<&Arc<Parcel>> {
        let encode = || {
            let frame = self.encodings.frame(form.encoding, &self.event)?;
            (!frame.is_empty()).then(|| Parcels {
                plain: Parcel::event(frame, self.published),
                deflated: OnceLock::new(),
            })
        };
        let parcels = self.parcels[usize::from(form.encoding.0)]
            .get_or_init(encode)
            .as_ref()?;
        Some(match (form.window, self.encodings.deflater()) {
            (Some(window), Some(deflater)) => parcels.deflated(window, deflater),
            _ => &parcels.plain,
        })
    }

    /// The bytes that encoding and compressing it has to go through, about.
    pub(crate) fn data_bytes(&self) -> usize {
        self.event.data.get().len()
    }

    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    pub(crate) fn rooms(&self) -> &[RoomName] {
        &self.event.rooms
    }

    pub(crate) fn excludes(&self) -> &[ConnectionId] {
        &self.event.exclude
    }

    /// The room, if there is just one and nobody is excluded: the case worth batching.
    pub(crate) fn only_room(&self) -> Option<&RoomName> {
        match self.event.rooms.as_slice() {
            [room] if self.event.exclude.is_empty() => Some(room),
            _ => None,
        }
    }
}

impl Parcels {
    fn deflated(&self, window: WindowBits, deflater: &Deflater) -> &Arc<Parcel> {
        if !deflater.may_shrink(&self.plain.frame) {
            return &self.plain;
        }
        let by_window = self
            .deflated
            .get_or_init(|| Box::new([const { OnceLock::new() }; WindowBits::COUNT]));
        by_window[window.place()].get_or_init(|| {
            let frame = deflater.deflate(&self.plain.frame, window);
            Parcel::event(frame, self.plain.published)
        })
    }
}

/// Bounds the events in flight. See [`crate::HubLimits::publish_bytes_in_flight_max`].
pub(crate) struct Admission {
    units: Arc<Semaphore>,
    units_max: usize,
}

impl Admission {
    pub(crate) fn new(bytes_max: usize) -> Admission {
        let units_max =
            (bytes_max / UNIT_BYTES).clamp(UNITS_MIN, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Admission {
            units: Arc::new(Semaphore::new(units_max)),
            units_max,
        }
    }

    /// Waits for its turn; publishers are served first come, first served.
    pub(crate) async fn admit(&self, event: &Event) -> OwnedSemaphorePermit {
        self.units
            .clone()
            .acquire_many_owned(self.units_of(event))
            .await
            .expect("the admission semaphore is never closed")
    }

    /// `None` when it is not the event's turn at once.
    pub(crate) fn try_admit(&self, event: &Event) -> Option<OwnedSemaphorePermit> {
        let units = self.units.clone();
        units.try_acquire_many_owned(self.units_of(event)).ok()
    }

    fn units_of(&self, event: &Event) -> u32 {
        (event.weight_bytes() / UNIT_BYTES).clamp(UNITS_MIN, self.units_max) as u32
    }
}
