//! What the sources counted, by outcome.

use crate::{DropReason, Outcome, RetryReason};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Events by what became of them, since the start.
#[derive(Debug, Default)]
pub struct IngestCounters {
    consumed: AtomicU64,
    duplicates: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    retried: [AtomicU64; RetryReason::ALL.len()],
}

impl IngestCounters {
    /// Events the bus has taken.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Relaxed)
    }

    /// Events that were here before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Relaxed)
    }

    /// Events that could never be delivered, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL
            .into_iter()
            .zip(self.dropped.iter().map(|count| count.load(Relaxed)))
    }

    /// Events given back to the broker, by reason.
    pub fn retried(&self) -> impl Iterator<Item = (RetryReason, u64)> {
        RetryReason::ALL
            .into_iter()
            .zip(self.retried.iter().map(|count| count.load(Relaxed)))
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Accepted(_) => &self.consumed,
            Outcome::Duplicate => &self.duplicates,
            Outcome::Dropped(reason) => &self.dropped[reason as usize],
            Outcome::Retry(reason) => &self.retried[reason as usize],
        };
        counter.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let counters = IngestCounters::default();
        for (times, reason) in DropReason::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| counters.count(Outcome::Dropped(reason)));
        }
        for (times, reason) in RetryReason::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| counters.count(Outcome::Retry(reason)));
        }
        counters.count(Outcome::Duplicate);
        assert_eq!(
            counters.dropped().map(|(_, count)| count).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(
            counters.retried().map(|(_, count)| count).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
        assert_eq!((counters.consumed(), counters.duplicates()), (0, 1));
    }
}
