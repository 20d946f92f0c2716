//! Coarse time for the hot path: 32 bits, a tenth of a millisecond each.

use std::time::Duration;
use tokio::time::Instant;

/// A moment in units of 100 microseconds since the hub's start. Wraps after 119 hours; only differences are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks(pub(crate) u32);

impl Ticks {
    /// Time from `earlier` to `self`, in ticks; 0 when `earlier` lies a little in the future.
    pub(crate) fn since(self, earlier: Ticks) -> u32 {
        let difference = self.0.wrapping_sub(earlier.0);
        if difference > u32::MAX / 2 { 0 } else { difference }
    }

    pub(crate) fn after(self, ticks: u32) -> Ticks {
        Ticks(self.0.wrapping_add(ticks))
    }
}

/// Ticks in a duration, rounded up, at most half the range so that differences stay meaningful.
pub(crate) fn ticks(duration: Duration) -> u32 {
    let ticks = duration.as_micros().div_ceil(100);
    u32::try_from(ticks).unwrap_or(u32::MAX).min(u32::MAX / 4)
}

/// The hub's clock. Follows tokio's time, so that tests can pause it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Ticks {
        // Truncation is the wrap that `Ticks` documents.
        Ticks((self.start.elapsed().as_micros() / 100) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_survive_the_wrap() {
        let before = Ticks(u32::MAX - 5);
        let after = before.after(10);
        assert_eq!(after.since(before), 10);
        assert_eq!(before.since(after), 0);
    }

    #[test]
    fn durations_round_up() {
        assert_eq!(ticks(Duration::from_micros(1)), 1);
        assert_eq!(ticks(Duration::from_secs(25)), 250_000);
    }
}
