//! Brokers redeliver: a window over what was accepted, so that nothing is sent twice.

mod accepted;

use accepted::Accepted;
use parking_lot::Mutex;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Events that a window may be over.
const EVENTS_MAX: usize = 1 << 26;
const AGE_MIN: Duration = Duration::from_millis(1);
const AGE_MAX: Duration = Duration::from_hours(24 * 24);

/// The events accepted lately, by source and id; bounded in number and in age.
///
/// Invariant: an id is remembered only once its event was accepted. While it is being published, others with the same
/// id wait for what becomes of it.
pub struct Window {
    age_max: Duration,
    hasher: RandomState,
    events: Mutex<Events>,
    /// Told when an event in flight was accepted or given up and somebody waits for that.
    settled: Notify,
}

/// Source and id under a secret key: 16 bytes, however long the texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u64; 2]);

struct Events {
    /// Those being published. Few: as many as there are publishers.
    in_flight: Vec<Fingerprint>,
    accepted: Accepted,
    /// Whether somebody waits for one in flight.
    has_waiters: bool,
}

/// What the window says to an event.
pub enum Admission<'a> {
    /// Not seen before: publish it, then [`Reservation::accept`].
    Fresh(Reservation<'a>),
    /// Accepted before.
    Duplicate,
}

/// The place of an event that is being published. Dropped without [`Reservation::accept`], the event was never here.
pub struct Reservation<'a> {
    window: &'a Window,
    fingerprint: Fingerprint,
    is_accepted: bool,
}

impl Window {
    /// A window over the last `events_max` events, 1 to 2^26, none as old as `age_max`, 1 ms to 24 days.
    pub fn new(events_max: usize, age_max: Duration) -> Window {
        let events = Events {
            in_flight: Vec::new(),
            accepted: Accepted::new(events_max.clamp(1, EVENTS_MAX)),
            has_waiters: false,
        };
        Window {
            age_max: age_max.clamp(AGE_MIN, AGE_MAX),
            hasher: RandomState::new(),
            events: Mutex::new(events),
            settled: Notify::new(),
        }
    }

    /// What stands for an event in this window.
    pub fn fingerprint(&self, source: &str, id: &str) -> Fingerprint {
        let mut hasher = self.hasher.build_hasher();
        (source, id).hash(&mut hasher);
        let half = hasher.finish();
        // One byte more makes another hash of the same texts.
        hasher.write_u8(0);
        Fingerprint([half, hasher.finish()])
    }

    /// Asks for an event. Waits while another one with the same source and id is in flight. Cancel safe.
    pub async fn admit(&self, fingerprint: Fingerprint) -> Admission<'_> {
        loop {
            // Listen first, then look: what settles in between is not missed.
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            if let Some(admission) = self.look(fingerprint, true) {
                return admission;
            }
            settled.await;
        }
    }

    /// [`Self::admit`] for whoever cannot wait; `None` if it would have to.
    pub fn try_admit(&self, fingerprint: Fingerprint) -> Option<Admission<'_>> {
        self.look(fingerprint, false)
    }

    /// Accepted events that are remembered at this moment. Those past their age go when the next one is accepted.
    pub fn remembered(&self) -> usize {
        self.events.lock().accepted.len()
    }

    fn look(&self, fingerprint: Fingerprint, waits: bool) -> Option<Admission<'_>> {
        let mut events = self.events.lock();
        if events.accepted.contains(fingerprint) {
            events.accepted.forget_older_than(self.age_max, Instant::now());
            if events.accepted.contains(fingerprint) {
                return Some(Admission::Duplicate);
            }
        }
        if !events.in_flight.contains(&fingerprint) {
            events.in_flight.push(fingerprint);
            return Some(Admission::Fresh(Reservation {
                window: self,
                fingerprint,
                is_accepted: false,
            }));
        }
        events.has_waiters |= waits;
        None
    }
}

impl Reservation<'_> {
    /// The bus has the event: remember it.
    pub fn accept(mut self) {
        self.is_accepted = true;
        // Dropping `self` does it.
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut events = self.window.events.lock();
        events.in_flight.retain(|other| *other != self.fingerprint);
        if self.is_accepted {
            let now = Instant::now();
            events.accepted.forget_older_than(self.window.age_max, now);
            events.accepted.insert(self.fingerprint, now);
        }
        let has_waiters = std::mem::take(&mut events.has_waiters);
        drop(events);
        if has_waiters {
            self.window.settled.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
