//! Brokers redeliver: a window over what was accepted, so that nothing is sent twice.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The events accepted lately, by source and id; bounded in number and in age.
///
/// Invariant: an id is remembered only once its event was accepted. While it is being published, others with the same
/// id wait for what becomes of it.
pub struct Window {
    events_max: usize,
    age_max: Duration,
    hashers: [RandomState; 2],
    events: Mutex<Events>,
    /// Told whenever an event in flight was accepted or given up.
    settled: Notify,
}

/// Source and id under two secret keys: 16 bytes, however long the texts are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint([u64; 2]);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

/// A fingerprint is a hash already, under a key that nobody knows.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "a fingerprint is one number");
    }
}

#[derive(Default)]
struct Events {
    standing: HashMap<Fingerprint, Standing, BuildHasherDefault<AsItIs>>,
    /// Accepted events by age, the oldest in front.
    ///
    /// Invariant: holds exactly the fingerprints whose standing is `Accepted`.
    accepted: VecDeque<(Instant, Fingerprint)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    InFlight,
    Accepted,
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
    /// A window over the last `events_max` events, none older than `age_max`.
    pub fn new(events_max: usize, age_max: Duration) -> Window {
        Window {
            events_max: events_max.max(1),
            age_max,
            hashers: [RandomState::new(), RandomState::new()],
            events: Mutex::default(),
            settled: Notify::new(),
        }
    }

    /// Asks for an event. Waits while another one with the same source and id is in flight. Cancel safe.
    pub async fn admit(&self, source: &str, id: &str) -> Admission<'_> {
        let fingerprint = Fingerprint(
            self.hashers
                .each_ref()
                .map(|hasher| hasher.hash_one((source, id))),
        );
        // Most need not wait, and so need not listen either.
        if let Some(admission) = self.look(fingerprint) {
            return admission;
        }
        loop {
            // Listen first, then look: what settles in between is not missed.
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            if let Some(admission) = self.look(fingerprint) {
                return admission;
            }
            settled.await;
        }
    }

    /// Accepted events that are remembered at this moment.
    pub fn remembered(&self) -> usize {
        self.events.lock().accepted.len()
    }

    fn look(&self, fingerprint: Fingerprint) -> Option<Admission<'_>> {
        let mut events = self.events.lock();
        events.forget_older_than(self.age_max);
        match events.standing.entry(fingerprint) {
            Entry::Occupied(entry) => (*entry.get() == Standing::Accepted).then_some(Admission::Duplicate),
            Entry::Vacant(entry) => {
                entry.insert(Standing::InFlight);
                Some(Admission::Fresh(Reservation {
                    window: self,
                    fingerprint,
                    is_accepted: false,
                }))
            }
        }
    }
}

impl Events {
    fn forget_older_than(&mut self, age_max: Duration) {
        let now = Instant::now();
        while self
            .accepted
            .front()
            .is_some_and(|(time, _)| now.duration_since(*time) >= age_max)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, fingerprint)) = self.accepted.pop_front() {
            self.standing.remove(&fingerprint);
        }
    }
}

impl Reservation<'_> {
    /// The bus has the event: remember it.
    pub fn accept(mut self) {
        self.is_accepted = true;
        let mut events = self.window.events.lock();
        if events.accepted.len() >= self.window.events_max {
            events.forget_oldest();
        }
        events.standing.insert(self.fingerprint, Standing::Accepted);
        events.accepted.push_back((Instant::now(), self.fingerprint));
        // Dropping `self` wakes those who wait.
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.is_accepted {
            self.window.events.lock().standing.remove(&self.fingerprint);
        }
        self.window.settled.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
