//! What was accepted lately, so laid out that to ask for an event and to remember it touches one line of the processor's cache.

use super::Fingerprint;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Events of one line: as many of four bytes as a cache line has.
const LINE_EVENTS: usize = 16;
/// How exactly it is known when an event was accepted: at most so much later than it is taken for.
const TICK: Duration = Duration::from_millis(1);

/// Accepted events, found by fingerprint and forgotten by age.
///
/// Events have numbers in the order of their acceptance. A line has the numbers of the latest events whose fingerprints fall to
/// it, the newest first, each under a tag of its fingerprint; numbers of events that are forgotten stay until others push them
/// out. All memory is reserved at the start, and used as events come: nothing grows, and no event waits for that.
///
/// Invariant: the number of each remembered event is in its line or in `pushed_out`. Numbers there are shortened: what one that
/// is forgotten is taken for is told by the fingerprint.
pub(super) struct Accepted {
    lines: Vec<[u32; LINE_EVENTS]>,
    /// Of the remembered events that found their line full. There are a few in a window of millions.
    pushed_out: Vec<u32>,
    /// In the order of the numbers; the next one goes to `place`, behind the last one to the first.
    fingerprints: Vec<[u64; 2]>,
    place: usize,
    /// How many were accepted at a time, the oldest first.
    times: VecDeque<(Instant, usize)>,
    /// The number of the next event, of which lines have `number_bits`; the other bits there are the tag.
    next: u32,
    number_bits: u32,
    /// Events that are remembered: those with the numbers before `next`.
    len: usize,
}

impl Accepted {
    /// For so many events, 1 to 2^26.
    pub(super) fn new(events_max: usize) -> Accepted {
        // 6.4 events to a line at most, on average: one in some thousand has more than it can take.
        let lines = (events_max * 10).div_ceil(64).next_power_of_two();
        Accepted {
            lines: vec![[0; LINE_EVENTS]; lines],
            pushed_out: Vec::new(),
            fingerprints: vec![[0; 2]; events_max],
            place: 0,
            times: VecDeque::new(),
            // What a line is filled with at the start is the number of no event.
            next: 1,
            len: 0,
            // A line is all new after so many events, four times over.
            number_bits: (lines * LINE_EVENTS).ilog2() + 2,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, fingerprint: Fingerprint) -> bool {
        let tag = self.tag(fingerprint);
        let has_tag = |entry: &u32| entry >> self.number_bits == tag;
        let is_it = |entry: &u32| has_tag(entry) && self.fingerprint(*entry) == Some(fingerprint);
        let line = &self.lines[self.line(fingerprint)];
        // All of them, which takes no branch, before one is looked at.
        (line.iter().fold(false, |any, entry| any | has_tag(entry)) && line.iter().any(is_it))
            || self.pushed_out.iter().any(is_it)
    }

    /// Remembers an event that is not there, and forgets the oldest if there is no room.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint, now: Instant) {
        if self.len == self.fingerprints.len() {
            self.forget(1);
        }
        let line = self.line(fingerprint);
        let pushed_out = self.lines[line][LINE_EVENTS - 1];
        if self.age(pushed_out).is_some() {
            let mut others = std::mem::take(&mut self.pushed_out);
            others.retain(|entry| self.age(*entry).is_some());
            others.push(pushed_out);
            self.pushed_out = others;
        }
        let mut latest = [self.tag(fingerprint) << self.number_bits | self.shortened(self.next); LINE_EVENTS];
        latest[1..].copy_from_slice(&self.lines[line][..LINE_EVENTS - 1]);
        self.lines[line] = latest;
        self.fingerprints[self.place] = fingerprint.0;
        self.place = (self.place + 1) % self.fingerprints.len();
        self.next = self.next.wrapping_add(1);
        self.len += 1;
        match self.times.back_mut() {
            Some((time, count)) if now.duration_since(*time) < TICK => *count += 1,
            _ => self.times.push_back((now, 1)),
        }
    }

    pub(super) fn forget_older_than(&mut self, age_max: Duration, now: Instant) {
        while let Some((time, count)) = self.times.front().copied()
            && now.duration_since(time) >= age_max
        {
            self.forget(count);
        }
    }

    /// Forgets so many of the oldest, at most as many as there are of one time.
    fn forget(&mut self, events: usize) {
        self.len -= events;
        if let Some((_, count)) = self.times.front_mut() {
            *count -= events;
            if *count == 0 {
                self.times.pop_front();
            }
        }
    }

    /// The fingerprint of an entry's event, if it is remembered.
    fn fingerprint(&self, entry: u32) -> Option<Fingerprint> {
        let age = self.age(entry)?;
        let place = self.place.checked_sub(age);
        let place = place.unwrap_or_else(|| self.place + self.fingerprints.len() - age);
        Some(Fingerprint(self.fingerprints[place]))
    }

    /// How many events ago it was that an entry's event was accepted, if it is remembered.
    fn age(&self, entry: u32) -> Option<usize> {
        let age = self.shortened(self.next.wrapping_sub(entry)) as usize;
        (1..=self.len).contains(&age).then_some(age)
    }

    fn shortened(&self, number: u32) -> u32 {
        number & ((1 << self.number_bits) - 1)
    }

    fn line(&self, fingerprint: Fingerprint) -> usize {
        // As many lines as some power of two.
        fingerprint.0[0] as usize & (self.lines.len() - 1)
    }

    /// Of the other half, which says nothing about the line.
    fn tag(&self, fingerprint: Fingerprint) -> u32 {
        fingerprint.0[1] as u32 >> self.number_bits
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Fingerprint};
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    /// Fingerprints of one line each, with as many tags as there are.
    fn fingerprint(line: u64, number: u64) -> Fingerprint {
        Fingerprint([line, number.wrapping_mul(0x9E37_79B9_7F4A_7C15)])
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_remembers_its_latest_events_wherever_they_fall() {
        // 8 lines, whose numbers begin anew after 512 events.
        let mut accepted = Accepted::new(50);
        // Hundreds in a row to one line, then to all.
        let of = |number: u64| {
            let line = if (number / 300).is_multiple_of(2) {
                3
            } else {
                number
            };
            fingerprint(line, number)
        };
        for number in 0..5_000 {
            assert!(!accepted.contains(of(number)));
            accepted.insert(of(number), Instant::now());
            assert_eq!(accepted.len() as u64, (number + 1).min(50));
            for before in 0..100.min(number + 1) {
                assert_eq!(
                    accepted.contains(of(number - before)),
                    before < 50,
                    "{before} before {number}"
                );
            }
            // Those that a line had no place for are forgotten with the others.
            assert!(accepted.pushed_out.len() <= 50);
        }
        assert!(!accepted.pushed_out.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_by_age_makes_room() {
        let mut accepted = Accepted::new(50);
        for number in 0..40 {
            accepted.insert(fingerprint(3, number), Instant::now());
            advance(Duration::from_micros(300)).await;
        }
        // Of 12 ms; each event is taken for one of the first of its millisecond.
        accepted.forget_older_than(Duration::from_millis(6), Instant::now());
        assert_eq!(accepted.len(), 16);
        for number in 0..40 {
            assert_eq!(
                accepted.contains(fingerprint(3, number)),
                number >= 24,
                "{number}"
            );
        }
        accepted.forget_older_than(Duration::ZERO, Instant::now());
        assert_eq!((accepted.len(), accepted.times.len()), (0, 0));
        accepted.insert(fingerprint(3, 40), Instant::now());
        assert!(accepted.contains(fingerprint(3, 40)) && !accepted.contains(fingerprint(3, 39)));
    }

    #[test]
    fn every_size_has_lines_and_tags() {
        for events_max in [1, 2, 6, 7, 50, 100_000, 10_000_000] {
            let accepted = Accepted::new(events_max);
            let lines = accepted.lines.len();
            assert!(
                lines * 64 >= events_max * 10 && lines.is_power_of_two(),
                "{events_max}"
            );
            assert!(
                accepted.number_bits < 32 && events_max < 1 << accepted.number_bits,
                "{events_max}"
            );
        }
    }
}
