//! What was accepted lately, small enough to stay in the processor's cache.

use super::Fingerprint;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Accepted events, found by fingerprint and forgotten by age.
///
/// Invariant: `numbers` holds the number of each event in `events` and no other; the first one there has the number `first`, and
/// the others have those that follow.
#[derive(Default)]
pub(super) struct Accepted {
    /// Four bytes an event, whatever a fingerprint has: the table is read all over the place, the events in their order.
    numbers: HashTable<u32>,
    /// With the time of their acceptance, the oldest in front.
    events: VecDeque<(Instant, Fingerprint)>,
    first: u32,
}

impl Accepted {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn contains(&self, fingerprint: Fingerprint) -> bool {
        let is_it = |number: &u32| self.events[number.wrapping_sub(self.first) as usize].1 == fingerprint;
        self.numbers.find(fingerprint.hash(), is_it).is_some()
    }

    /// Remembers an event that is not there.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint, time: Instant) {
        let Accepted {
            numbers,
            events,
            first,
        } = self;
        // A window has fewer events than there are numbers.
        let number = first.wrapping_add(events.len() as u32);
        events.push_back((time, fingerprint));
        let hash = |number: &u32| events[number.wrapping_sub(*first) as usize].1.hash();
        numbers.insert_unique(fingerprint.hash(), number, hash);
    }

    pub(super) fn forget_oldest(&mut self) {
        let Some((_, fingerprint)) = self.events.pop_front() else {
            return;
        };
        let first = self.first;
        let is_first = |number: &u32| *number == first;
        if let Ok(entry) = self.numbers.find_entry(fingerprint.hash(), is_first) {
            entry.remove();
        }
        self.first = first.wrapping_add(1);
    }

    pub(super) fn forget_older_than(&mut self, age_max: Duration, now: Instant) {
        let is_old = |(time, _): &(Instant, Fingerprint)| now.duration_since(*time) >= age_max;
        while self.events.front().is_some_and(is_old) {
            self.forget_oldest();
        }
    }
}
