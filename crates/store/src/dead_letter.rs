//! Dead letters: events that could not be delivered, kept with the reason. The newest are kept, the oldest dropped
//! and counted.

use serde::{Serialize, Serializer};
use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::text::{NAME_BYTES_MAX, cut};
use crate::{Store, StoreError, statements};

/// How much of an event is kept, in bytes.
pub const DEAD_LETTER_BYTES_MAX: usize = 64 * 1024;
/// The most dead letters listed at once.
pub const DEAD_LETTERS_PAGE_MAX: u32 = 1_000;
/// As many are deleted in one transaction.
const PURGED_AT_ONCE: u32 = 1_000;

/// A dead letter's number; later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DeadLetterId(pub i64);

/// An event to bury.
#[derive(Clone, Copy, Debug)]
pub struct NewDeadLetter<'a> {
    /// Where it came from.
    pub source: &'a str,
    /// Why it could not be delivered.
    pub reason: &'a str,
    /// The event as received. Bytes beyond [`DEAD_LETTER_BYTES_MAX`] are not kept.
    pub event: &'a [u8],
}

/// A stored dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its number.
    pub id: DeadLetterId,
    /// When it was received.
    pub received_at: Timestamp,
    /// Where it came from.
    pub source: String,
    /// Why it could not be delivered.
    pub reason: String,
    /// The event as received, or its beginning.
    #[serde(serialize_with = "as_text")]
    pub event: Vec<u8>,
    /// How long the event was.
    pub event_bytes: u64,
}

/// Which dead letters; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only those from this source.
    pub source: Option<String>,
    /// Only those with this reason.
    pub reason: Option<String>,
    /// Only those that were received before this.
    pub received_before: Option<Timestamp>,
}

/// How many dead letters there are and were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetterAccount {
    /// Kept now.
    pub kept: u64,
    /// Dropped since the store was created.
    pub dropped: u64,
}

impl Store {
    /// Buries an event. Returns how many older ones were dropped for it.
    pub async fn insert_dead_letter(&self, letter: NewDeadLetter<'_>) -> Result<u64, StoreError> {
        let kept = NewDeadLetter {
            source: cut(letter.source, NAME_BYTES_MAX),
            reason: cut(letter.reason, NAME_BYTES_MAX),
            event: &letter.event[..letter.event.len().min(DEAD_LETTER_BYTES_MAX)],
        };
        let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
        let number =
            statements::dead_letters::insert(&mut transaction, &kept, letter.event.len(), self.now()).await?;
        let oldest_kept = number
            .saturating_sub(i64::from(self.dead_letters_max))
            .saturating_add(1);
        let dropped = statements::dead_letters::drop_before(&mut transaction, oldest_kept).await?;
        transaction.commit().await?;
        Ok(dropped)
    }

    /// Dead letters, newest first, from the first one older than `before`.
    pub async fn list_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        before: Option<DeadLetterId>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let before = before.map_or(i64::MAX, |id| id.0);
        let mut transaction = self.database.read(None).await?;
        let limit = limit.min(DEAD_LETTERS_PAGE_MAX);
        statements::dead_letters::list(&mut transaction, filter, before, limit).await
    }

    /// A dead letter.
    pub async fn dead_letter(&self, id: DeadLetterId) -> Result<Option<DeadLetter>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::dead_letters::find(&mut transaction, id).await
    }

    /// Deletes dead letters, for good, and tells how many. They do not count as dropped.
    pub async fn purge_dead_letters(&self, filter: &DeadLetterFilter) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
            let part = statements::dead_letters::purge(&mut transaction, filter, PURGED_AT_ONCE).await?;
            transaction.commit().await?;
            purged += part;
            if part < u64::from(PURGED_AT_ONCE) {
                return Ok(purged);
            }
        }
    }

    /// How many dead letters there are and were.
    pub async fn dead_letter_account(&self) -> Result<DeadLetterAccount, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::dead_letters::account(&mut transaction).await
    }
}

fn as_text<S: Serializer>(event: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(event))
}
