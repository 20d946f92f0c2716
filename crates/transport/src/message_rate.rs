//! How fast a connection may send: GCRA, eight bytes a connection.

use std::time::{Duration, Instant};

/// The rate all connections share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageRate {
    start: Instant,
    interval_ns: u64,
    tolerance_ns: u64,
}

/// What one connection has left of its rate: when its next message is due by the rate alone, in nanoseconds since the
/// start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance(u64);

impl Allowance {
    /// Whether the whole burst is left at `now`, by the rate's clock.
    pub(crate) fn is_whole(self, now: Duration) -> bool {
        u128::from(self.0) <= now.as_nanos()
    }
}

impl MessageRate {
    pub(crate) fn new(messages_per_second: u32, burst: u32) -> Self {
        let interval_ns = 1_000_000_000 / u64::from(messages_per_second.max(1));
        let tolerance_ns = interval_ns * u64::from(burst.max(1) - 1);
        Self {
            start: Instant::now(),
            interval_ns,
            tolerance_ns,
        }
    }

    /// A rate of `count` in each `window`, all of which may come at once.
    pub(crate) fn in_window(count: u32, window: Duration) -> Self {
        let window_ns = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let interval_ns = window_ns / u64::from(count.max(1));
        Self {
            start: Instant::now(),
            interval_ns,
            tolerance_ns: interval_ns * u64::from(count.max(1) - 1),
        }
    }

    /// An allowance with a tenth of the burst left, and that at least once.
    pub(crate) fn tenth(&self) -> Allowance {
        self.tenth_at(self.now())
    }

    fn tenth_at(&self, now: Duration) -> Allowance {
        let mut allowance = Allowance::default();
        let burst = self.tolerance_ns / self.interval_ns + 1;
        self.admit_at(&mut allowance, burst - burst.div_ceil(10), now);
        allowance
    }

    /// The time by this rate's clock.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Takes `messages` that came just now; whether all of them are within the rate.
    pub(crate) fn admit(&self, allowance: &mut Allowance, messages: u64) -> bool {
        self.admit_at(allowance, messages, self.now())
    }

    /// Like [`Self::admit`], but what is over the rate takes nothing.
    pub(crate) fn take(&self, allowance: &mut Allowance, messages: u64) -> bool {
        self.take_at(allowance, messages, self.now())
    }

    pub(crate) fn take_at(&self, allowance: &mut Allowance, messages: u64, now: Duration) -> bool {
        let mut after = *allowance;
        let is_within = self.admit_at(&mut after, messages, now);
        if is_within {
            *allowance = after;
        }
        is_within
    }

    fn admit_at(&self, allowance: &mut Allowance, messages: u64, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let last_due = allowance
            .0
            .max(now)
            .saturating_add(self.interval_ns.saturating_mul(messages));
        let is_within = last_due
            <= now
                .saturating_add(self.tolerance_ns)
                .saturating_add(self.interval_ns);
        allowance.0 = last_due;
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, MessageRate};
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_refills_with_time() {
        let rate = MessageRate::new(100, 200);
        let mut allowance = Allowance::default();
        let now = Duration::from_secs(7);
        for message in 0..200 {
            assert!(rate.admit_at(&mut allowance, 1, now), "{message}");
        }
        let mut over = allowance;
        assert!(!rate.admit_at(&mut over, 1, now));
        assert!(!rate.admit_at(&mut { allowance }, 11, now + Duration::from_millis(100)));
        assert!(rate.admit_at(&mut allowance, 10, now + Duration::from_millis(100)));
    }

    #[test]
    fn a_tenth_of_the_burst_is_at_least_one_message() {
        let now = Duration::from_secs(7);
        for (burst, left) in [(200, 20), (11, 2), (5, 1), (1, 1)] {
            let rate = MessageRate::new(100, burst);
            let mut allowance = rate.tenth_at(now);
            let admitted = (0..burst).take_while(|_| rate.admit_at(&mut allowance, 1, now));
            assert_eq!(admitted.count(), left, "of {burst}");
        }
    }

    #[test]
    fn a_batch_counts_like_its_messages() {
        let rate = MessageRate::new(10, 5);
        assert!(rate.admit_at(&mut Allowance::default(), 5, Duration::ZERO));
        assert!(!rate.admit_at(&mut Allowance::default(), 6, Duration::ZERO));
        assert!(!rate.admit_at(&mut Allowance::default(), u64::MAX, Duration::ZERO));
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let rate = MessageRate::in_window(2, Duration::from_secs(10));
        let (mut allowance, now) = (Allowance::default(), Duration::from_secs(7));
        assert!(rate.take_at(&mut allowance, 2, now));
        for _ in 0..100 {
            assert!(!rate.take_at(&mut allowance, 1, now));
        }
        assert!(!allowance.is_whole(now) && allowance.is_whole(now + Duration::from_secs(10)));
        assert!(rate.take_at(&mut allowance, 1, now + Duration::from_secs(5)));
    }

    #[test]
    fn the_steady_rate_passes_for_ever() {
        let rate = MessageRate::new(100, 1);
        let mut allowance = Allowance::default();
        for message in 0..10_000 {
            assert!(
                rate.admit_at(&mut allowance, 1, Duration::from_millis(10 * message)),
                "{message}"
            );
        }
    }
}
