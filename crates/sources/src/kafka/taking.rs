//! What becomes of one record, as a future.

use super::burial::Burial;
use super::lanes::LaneId;
use super::{KafkaSettings, SOURCE, record};
use crate::{DropReason, Ingest, Outcome, RetryReason};
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What was in flight and has ended.
pub(super) enum Done<'c> {
    /// A record has its outcome; none if its lane left before that.
    Taken(LaneId, BorrowedMessage<'c>, Option<Outcome>),
    /// A dead letter is kept, or its lane left before that.
    Buried(LaneId, i64, bool),
}

/// Takes records in.
#[derive(Clone, Copy)]
pub(super) struct Taking<'c> {
    pub(super) ingest: &'c Ingest,
    pub(super) burial: &'c Burial,
    pub(super) settings: &'c KafkaSettings,
}

impl<'c> Taking<'c> {
    /// Tries until the record is taken in or can never be.
    pub(super) async fn take(
        self,
        lane: LaneId,
        is_leaving: Arc<AtomicBool>,
        record: BorrowedMessage<'c>,
    ) -> Done<'c> {
        let mut backoff = self.settings.retry_backoff_min;
        loop {
            let received = record::of(&record, self.settings.record_bytes_max);
            let outcome = self.ingest.attempt(SOURCE, Some(record.topic()), received).await;
            match outcome {
                Outcome::Retry(_) => self.ingest.count(outcome),
                Outcome::Dropped(_) => return Done::Taken(lane, record, Some(outcome)),
                Outcome::Accepted(_) | Outcome::Duplicate => {
                    self.ingest.count(outcome);
                    return Done::Taken(lane, record, Some(outcome));
                }
            }
            if self.wait(&mut backoff, &is_leaving).await.is_none() {
                return Done::Taken(lane, record, None);
            }
        }
    }

    /// Tries until the record is kept as a dead letter.
    pub(super) async fn bury(
        self,
        lane: LaneId,
        is_leaving: Arc<AtomicBool>,
        record: BorrowedMessage<'c>,
        reason: DropReason,
    ) -> Done<'c> {
        let mut backoff = self.settings.retry_backoff_min;
        while !self.burial.bury(self.ingest, &record, reason).await {
            self.ingest.count(Outcome::Retry(RetryReason::StoreUnavailable));
            if self.wait(&mut backoff, &is_leaving).await.is_none() {
                return Done::Buried(lane, record.offset(), false);
            }
        }
        self.ingest.count(Outcome::Dropped(reason));
        Done::Buried(lane, record.offset(), true)
    }

    /// Waits, longer each time; `None` if the lane leaves.
    async fn wait(self, backoff: &mut Duration, is_leaving: &AtomicBool) -> Option<()> {
        if !is_leaving.load(Ordering::Acquire) {
            tokio::time::sleep(*backoff).await;
            *backoff = (*backoff * 2).min(self.settings.retry_backoff_max);
        }
        (!is_leaving.load(Ordering::Acquire)).then_some(())
    }
}
