//! What was accepted lately, so laid out that to ask for an event and to remember it touches one line of the processor's cache.

use super::Fingerprint;
use std::time::Duration;
use tokio::time::Instant;

/// Events of one line: as many of four bytes as a cache line has. `vec!` reserves arrays of up to sixteen without writing them.
const LINE_EVENTS: usize = 16;

/// Accepted events, found by fingerprint and forgotten by age.
///
/// Events have numbers in the order of their acceptance. A line has the numbers of the latest events whose fingerprints fall to
/// it, the newest first, each under a tag of its fingerprint; numbers of events that are forgotten stay until others push them
/// out. The memory is reserved at the start: no event waits for a table to grow.
///
/// Invariant: the number of each remembered event is in its line or, if sixteen newer ones have pushed it out, in `pushed_out`; then
/// the line is full of remembered ones. A shortened number may be that of a forgotten event and of a remembered one: the fingerprint
/// decides, so a stale entry is looked at in vain at worst.
pub(super) struct Accepted {
    lines: Vec<[u32; LINE_EVENTS]>,
    /// Of one event in some ten thousand.
    pushed_out: Vec<u32>,
    /// In the order of the numbers; the next one goes to `place`, behind the last one to the first.
    fingerprints: Vec<[u64; 2]>,
    /// When each was accepted, beside its fingerprint: milliseconds since the first moment, as far as they fit.
    times: Vec<u32>,
    place: usize,
    /// When the newest was accepted, in whole.
    newest: u64,
    epoch: Instant,
    /// The number of the next event, of which lines have `number_bits`; the other bits there are the tag.
    next: u32,
    number_bits: u32,
    /// Events that are remembered: those with the numbers before `next`.
    len: usize,
}

impl Accepted {
    /// For so many events, 1 to 2^26.
    pub(super) fn new(events_max: usize) -> Accepted {
        let (lines, number_bits) = layout(events_max);
        Accepted {
            lines: vec![[0; LINE_EVENTS]; lines],
            pushed_out: Vec::new(),
            fingerprints: vec![[0; 2]; events_max],
            times: vec![0; events_max],
            place: 0,
            newest: 0,
            epoch: Instant::now(),
            // What lines are filled with at the start is a forgotten number.
            next: 1,
            number_bits,
            len: 0,
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
            || (self.age(line[LINE_EVENTS - 1]).is_some() && self.pushed_out.iter().any(is_it))
    }

    /// Remembers an event that is not there, and forgets the oldest if there is no room.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint, now: Instant) {
        self.len = self.len.min(self.fingerprints.len() - 1);
        let line = self.line(fingerprint);
        let pushed_out = self.lines[line][LINE_EVENTS - 1];
        if self.age(pushed_out).is_some() {
            let mut others = std::mem::take(&mut self.pushed_out);
            others.retain(|entry| self.age(*entry).is_some());
            others.push(pushed_out);
            self.pushed_out = others;
        }
        let entry = self.tag(fingerprint) << self.number_bits | self.shortened(self.next);
        let mut latest = [entry; LINE_EVENTS];
        latest[1..].copy_from_slice(&self.lines[line][..LINE_EVENTS - 1]);
        self.lines[line] = latest;
        self.newest = self.millis(now);
        self.fingerprints[self.place] = fingerprint.0;
        self.times[self.place] = self.newest as u32;
        self.place = (self.place + 1) % self.fingerprints.len();
        self.next = self.next.wrapping_add(1);
        self.len += 1;
    }

    /// Forgets what was accepted so long ago, at most 2^31 ms, to the millisecond.
    pub(super) fn forget_older_than(&mut self, age_max: Duration, now: Instant) {
        let (now, age_max) = (self.millis(now), age_max.as_millis() as u32);
        // Of the others, when the newest came, none was older than that: their times tell all.
        if now.saturating_sub(self.newest) >= u64::from(age_max) {
            self.len = 0;
        }
        while self.len > 0 && (now as u32).wrapping_sub(self.times[self.place_of(self.len)]) >= age_max {
            self.len -= 1;
        }
    }

    fn millis(&self, time: Instant) -> u64 {
        time.duration_since(self.epoch).as_millis() as u64
    }

    /// The fingerprint of an entry's event, if it is remembered.
    fn fingerprint(&self, entry: u32) -> Option<Fingerprint> {
        let age = self.age(entry)?;
        Some(Fingerprint(self.fingerprints[self.place_of(age)]))
    }

    /// How many events ago it was that an entry's event was accepted, if it is remembered.
    fn age(&self, entry: u32) -> Option<usize> {
        let age = self.shortened(self.next.wrapping_sub(entry)) as usize;
        (1..=self.len).contains(&age).then_some(age)
    }

    /// The place of the event that was accepted so many events ago.
    fn place_of(&self, age: usize) -> usize {
        let place = self.place.checked_sub(age);
        place.unwrap_or_else(|| self.place + self.fingerprints.len() - age)
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

/// Lines for so many events, and the bits of a number in them.
fn layout(events_max: usize) -> (usize, u32) {
    // 6.4 events to a line at most, on average: one line in some thousand has more than it can take.
    let lines = (events_max * 10).div_ceil(64).next_power_of_two();
    // More than events are remembered; and by the time a number comes again, its line is all new, so that few entries are stale.
    (lines, (lines * LINE_EVENTS).ilog2() + 2)
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Fingerprint, layout};
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    /// Fingerprints of one line each, with as many tags as there are.
    fn fingerprint(line: u64, number: u64) -> Fingerprint {
        Fingerprint([line, number.wrapping_mul(0x9E37_79B9_7F4A_7C15)])
    }

    /// The window against its definition, over `events` of them from a number on.
    fn check(events_max: u64, first: u32, events: u64) -> usize {
        let mut accepted = Accepted::new(events_max as usize);
        accepted.next = first;
        // Hundreds in a row to one line, then to all.
        let of = |number: u64| {
            let line = if (number / 300).is_multiple_of(2) {
                3
            } else {
                number
            };
            fingerprint(line, number)
        };
        let mut pushed_out = 0;
        for number in 0..events {
            assert!(!accepted.contains(of(number)));
            accepted.insert(of(number), Instant::now());
            assert_eq!(accepted.len() as u64, (number + 1).min(events_max));
            for before in 0..(2 * events_max).min(number + 1) {
                assert_eq!(
                    accepted.contains(of(number - before)),
                    before < events_max,
                    "{before} before {number}"
                );
            }
            pushed_out = pushed_out.max(accepted.pushed_out.len());
        }
        pushed_out
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_remembers_its_latest_events_wherever_they_fall() {
        // Of 50 events the numbers in 8 lines begin anew after 512.
        for events_max in [1, 2, 15, 16, 17, 50] {
            let pushed_out = check(events_max, 1, 3_000);
            check(events_max, u32::MAX - 700, 1_400);
            // All of one line but the sixteen in it, and none that is forgotten.
            assert_eq!(pushed_out as u64, events_max.saturating_sub(16), "{events_max}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_by_age_makes_room() {
        const AGE_MAX: Duration = Duration::from_millis(6);
        let mut accepted = Accepted::new(50);
        for number in 0..40 {
            accepted.insert(fingerprint(3, number), Instant::now());
            advance(Duration::from_micros(250)).await;
        }
        // At 10 ms, so but for those of 5 ms and later.
        accepted.forget_older_than(AGE_MAX, Instant::now());
        assert_eq!(accepted.len(), 20);
        for number in 0..40 {
            assert_eq!(
                accepted.contains(fingerprint(3, number)),
                number >= 20,
                "{number}"
            );
        }
        // Until the times begin anew, all but for 1 ms.
        advance(Duration::from_millis(1 << 32) - Duration::from_millis(1)).await;
        accepted.forget_older_than(AGE_MAX, Instant::now());
        assert_eq!(accepted.len(), 0);
        accepted.insert(fingerprint(3, 40), Instant::now());
        assert!(accepted.contains(fingerprint(3, 40)) && !accepted.contains(fingerprint(3, 39)));
        advance(Duration::from_millis(5)).await;
        accepted.forget_older_than(AGE_MAX, Instant::now());
        assert_eq!(accepted.len(), 1);
    }

    #[test]
    fn every_size_has_lines_and_tags() {
        for events_max in [
            1,
            2,
            6,
            7,
            50,
            100_000,
            6_710_886,
            6_710_887,
            10_000_000,
            53_687_091,
            1 << 26,
        ] {
            let (lines, number_bits) = layout(events_max);
            assert!(
                lines.is_power_of_two() && lines * 64 >= events_max * 10,
                "{events_max}"
            );
            assert!(events_max < 1 << number_bits && number_bits <= 30, "{events_max}");
        }
    }
}
