//! A hashed timer wheel: deadlines of a shard's slots, to the tick.

use crate::clock::Ticks;

/// Buckets of the wheel. A deadline beyond the last one fires early and is set again by whoever handles it.
const BUCKETS: usize = 512;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Send a heartbeat, or find the peer silent for too long.
    Beat,
    /// The oldest frame of a blocked connection may have waited too long.
    Age,
    /// A closing connection had its time.
    Reset,
    /// The connection's turn in a drain.
    Drain,
}

/// A deadline of one slot. `epoch` tells whether the slot still belongs to the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) slot: u32,
    pub(crate) epoch: u16,
    pub(crate) purpose: Purpose,
}

pub(crate) struct Wheel {
    buckets: Vec<Vec<Deadline>>,
    /// Ticks of the clock in one bucket.
    width: u32,
    /// The start of the bucket `next`.
    time: Ticks,
    next: usize,
    pending: usize,
}

impl Wheel {
    pub(crate) fn new(width: u32, now: Ticks) -> Wheel {
        Wheel {
            buckets: vec![Vec::new(); BUCKETS],
            width: width.max(1),
            time: now,
            next: 0,
            pending: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// Sets a deadline `delay` ticks after `now`. It never fires early, but for delays beyond the wheel's horizon.
    pub(crate) fn set(&mut self, deadline: Deadline, now: Ticks, delay: u32) {
        let lag = now.since(self.time);
        let ahead = (lag.saturating_add(delay) / self.width).saturating_add(1) as usize;
        let bucket = (self.next + ahead.min(BUCKETS - 1)) % BUCKETS;
        self.buckets[bucket].push(deadline);
        self.pending += 1;
    }

    /// Ticks until the next bucket is due.
    pub(crate) fn until_next(&self, now: Ticks) -> u32 {
        self.width.saturating_sub(now.since(self.time))
    }

    /// Moves everything that is due into `due`.
    pub(crate) fn advance(&mut self, now: Ticks, due: &mut Vec<Deadline>) {
        let mut steps = now.since(self.time) / self.width;
        if self.pending == 0 {
            self.time = self.time.after(steps.saturating_mul(self.width));
            self.next = (self.next + steps as usize) % BUCKETS;
            return;
        }
        while steps > 0 {
            let bucket = &mut self.buckets[self.next];
            self.pending -= bucket.len();
            due.append(bucket);
            self.next = (self.next + 1) % BUCKETS;
            self.time = self.time.after(self.width);
            steps -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(slot: u32) -> Deadline {
        Deadline {
            slot,
            epoch: 0,
            purpose: Purpose::Beat,
        }
    }

    #[test]
    fn a_deadline_fires_in_time_and_never_early() {
        for delay in [0, 1, 9, 10, 11, 95, 250, 4_000] {
            let mut wheel = Wheel::new(10, Ticks(3));
            wheel.set(beat(1), Ticks(7), delay);
            let mut due = Vec::new();
            let mut now = 7;
            while due.is_empty() {
                now += 1;
                wheel.advance(Ticks(now), &mut due);
            }
            assert!(now >= 7 + delay, "fired {now}, due {}", 7 + delay);
            assert!(now <= 7 + delay + 20, "fired {now}, due {}", 7 + delay);
            assert!(wheel.is_empty());
        }
    }

    #[test]
    fn delays_beyond_the_horizon_fire_at_the_horizon() {
        let mut wheel = Wheel::new(10, Ticks(0));
        wheel.set(beat(1), Ticks(0), 1_000_000);
        let mut due = Vec::new();
        wheel.advance(Ticks(10 * BUCKETS as u32), &mut due);
        assert_eq!(due, [beat(1)]);
    }

    #[test]
    fn idle_time_is_skipped() {
        let mut wheel = Wheel::new(10, Ticks(0));
        let mut due = Vec::new();
        wheel.advance(Ticks(1_000_005), &mut due);
        wheel.set(beat(2), Ticks(1_000_005), 30);
        wheel.advance(Ticks(1_000_020), &mut due);
        assert!(due.is_empty());
        wheel.advance(Ticks(1_000_050), &mut due);
        assert_eq!(due, [beat(2)]);
    }
}
