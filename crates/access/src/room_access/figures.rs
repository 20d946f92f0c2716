//! What a rule has answered, and how long it took.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::{RoomRule, RuleState, Verdict};

/// Upper bounds of the buckets of [`RuleFigures::durations`], in seconds; one more bucket takes the rest.
pub const RULE_BOUNDS_SECONDS: [f64; 10] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
const BUCKETS: usize = RULE_BOUNDS_SECONDS.len() + 1;

/// Counts of one rule.
#[derive(Debug, Default)]
pub(super) struct RuleCounters {
    allowed: AtomicU64,
    nothing: AtomicU64,
    failed: AtomicU64,
    durations: [AtomicU64; BUCKETS],
    duration_ns: AtomicU64,
}

/// How a rule is, and what it had answered at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFigures {
    /// Its name.
    pub name: &'static str,
    /// How often it let somebody in.
    pub allowed: u64,
    /// How often it did not.
    pub nothing: u64,
    /// How often nobody could be asked.
    pub failed: u64,
    /// Its answers by duration: how many fell into each bucket of [`RULE_BOUNDS_SECONDS`], and one more.
    pub durations: Vec<u64>,
    /// Sum of those durations, in seconds.
    pub durations_sum_seconds: f64,
    /// How it is.
    pub state: RuleState,
}

impl RuleCounters {
    pub(super) fn answered(&self, verdict: Verdict, duration: Duration) {
        let counter = match verdict {
            Verdict::Allow(_) => &self.allowed,
            Verdict::Nothing => &self.nothing,
            Verdict::Failed => &self.failed,
        };
        counter.fetch_add(1, Relaxed);
        let seconds = duration.as_secs_f64();
        let bucket = RULE_BOUNDS_SECONDS.iter().position(|&bound| seconds <= bound);
        self.durations[bucket.unwrap_or(BUCKETS - 1)].fetch_add(1, Relaxed);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.duration_ns.fetch_add(nanos, Relaxed);
    }

    pub(super) fn figures(&self, rule: &dyn RoomRule) -> RuleFigures {
        RuleFigures {
            name: rule.name(),
            allowed: self.allowed.load(Relaxed),
            nothing: self.nothing.load(Relaxed),
            failed: self.failed.load(Relaxed),
            durations: self.durations.iter().map(|count| count.load(Relaxed)).collect(),
            durations_sum_seconds: self.duration_ns.load(Relaxed) as f64 / 1e9,
            state: rule.state(),
        }
    }
}
