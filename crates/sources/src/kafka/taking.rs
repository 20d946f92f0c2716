//! What becomes of one record: at once, or as a future.

use super::burial::Burial;
use super::lane::Leaving;
use super::lanes::LaneId;
use super::{KafkaSettings, SOURCE, record};
use crate::{DropReason, Ingest, Outcome, RetryReason};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, OwnedMessage};
use std::sync::Arc;
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
    /// What becomes of the record, if that can be told without waiting. What is to be dropped does not count yet.
    pub(super) fn take_at_once(self, topic: &str, record: &BorrowedMessage<'c>) -> Option<Outcome> {
        let received = record::of(record, self.settings.record_bytes_max);
        let outcome = self.ingest.attempt_at_once(SOURCE, Some(topic), received)?;
        if !matches!(outcome, Outcome::Dropped(_)) {
            self.ingest.count(outcome);
        }
        Some(outcome)
    }

    /// Tries until the record is taken in or can never be.
    pub(super) async fn take(
        self,
        lane: LaneId,
        leaving: Arc<Leaving>,
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
            if self.wait(&mut backoff, &leaving).await.is_none() {
                return Done::Taken(lane, record, None);
            }
        }
    }

    /// Tries until the record is kept as a dead letter. Of its own: as it was read it would hold on to all that was fetched with it.
    pub(super) async fn bury(
        self,
        lane: LaneId,
        leaving: Arc<Leaving>,
        record: OwnedMessage,
        reason: DropReason,
    ) -> Done<'c> {
        let mut backoff = self.settings.retry_backoff_min;
        while !self.burial.bury(self.ingest, &record, reason).await {
            self.ingest.count(Outcome::Retry(RetryReason::StoreUnavailable));
            if self.wait(&mut backoff, &leaving).await.is_none() {
                return Done::Buried(lane, record.offset(), false);
            }
        }
        self.ingest.count(Outcome::Dropped(reason));
        Done::Buried(lane, record.offset(), true)
    }

    /// Waits, longer each time; `None` if the lane leaves.
    async fn wait(self, backoff: &mut Duration, leaving: &Leaving) -> Option<()> {
        leaving.or_after(*backoff).await?;
        *backoff = (*backoff * 2).min(self.settings.retry_backoff_max);
        Some(())
    }
}
