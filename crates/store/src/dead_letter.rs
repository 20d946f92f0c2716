//! Dead letters: events that could not be delivered, kept with the reason. The newest are kept, the oldest dropped
//! and counted.

use std::time::Duration;

use serde::{Serialize, Serializer};
use tidings_wire::time::Timestamp;

use crate::database::{Transaction, Turn};
use crate::text::{NAME_BYTES_MAX, cut};
use crate::{Store, StoreError, statements};

/// How much of an event is kept, in bytes.
pub const DEAD_LETTER_BYTES_MAX: usize = 1024 * 1024;
/// How much of its headers is kept, in bytes; of more, none.
pub const DEAD_LETTER_HEADER_BYTES_MAX: usize = 16 * 1024;
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
    /// The topic that it came from, if it came from one.
    pub topic: Option<&'a str>,
    /// Why it could not be delivered.
    pub reason: &'a str,
    /// The form that it came in, by which it is read again.
    pub form: &'a str,
    /// The headers that are part of it. More than [`DEAD_LETTER_HEADER_BYTES_MAX`] are not kept.
    pub headers: &'a [(String, String)],
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
    /// The topic that it came from, if it came from one.
    pub topic: Option<String>,
    /// Why it could not be delivered.
    pub reason: String,
    /// The form that it came in.
    pub form: String,
    /// The headers that are part of it.
    pub headers: Vec<(String, String)>,
    /// The event as received, or its beginning.
    #[serde(serialize_with = "as_text")]
    pub event: Vec<u8>,
    /// How long the event was.
    pub event_bytes: u64,
    /// Whether it waits to be taken in once more.
    pub is_replaying: bool,
}

impl DeadLetter {
    /// Whether all of it is here, so that it can be taken in once more.
    pub fn is_whole(&self) -> bool {
        self.event.len() as u64 == self.event_bytes
    }
}

/// Which dead letters; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only the one of this number.
    pub id: Option<DeadLetterId>,
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
    /// Their events, in bytes.
    pub kept_bytes: u64,
    /// Dropped since the store was created.
    pub dropped: u64,
}

impl Store {
    /// Buries an event. Returns how many older ones were dropped for it.
    pub async fn insert_dead_letter(&self, letter: NewDeadLetter<'_>) -> Result<u64, StoreError> {
        let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
        let dropped = self.insert_letter(&mut transaction, letter, None).await?;
        transaction.commit().await?;
        Ok(dropped)
    }

    /// The same for several at once, each to be taken in once more.
    pub async fn insert_dead_letters_to_replay(
        &self,
        letters: &[NewDeadLetter<'_>],
    ) -> Result<u64, StoreError> {
        let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
        let mut dropped = 0;
        for letter in letters {
            dropped += self
                .insert_letter(&mut transaction, *letter, Some(self.now()))
                .await?;
        }
        transaction.commit().await?;
        Ok(dropped)
    }

    async fn insert_letter(
        &self,
        transaction: &mut Transaction,
        letter: NewDeadLetter<'_>,
        replay_at: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        let header_bytes: usize = letter
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let kept = NewDeadLetter {
            source: cut(letter.source, NAME_BYTES_MAX),
            topic: letter.topic.map(|topic| cut(topic, NAME_BYTES_MAX)),
            reason: cut(letter.reason, NAME_BYTES_MAX),
            form: cut(letter.form, NAME_BYTES_MAX),
            headers: if header_bytes > DEAD_LETTER_HEADER_BYTES_MAX {
                &[]
            } else {
                letter.headers
            },
            event: &letter.event[..letter.event.len().min(DEAD_LETTER_BYTES_MAX)],
        };
        // Of what is cut, another try would only hide the reason.
        let replay_at = replay_at.filter(|_| kept.event.len() == letter.event.len());
        statements::dead_letters::insert(transaction, &kept, letter.event.len(), self.now(), replay_at)
            .await?;
        let dropped = statements::dead_letters::drop_but_newest(transaction, self.dead_letters_max).await?;
        Ok(dropped + statements::dead_letters::drop_beyond(transaction, self.dead_letter_bytes_max).await?)
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

    /// Asks for dead letters to be taken in once more, and tells how many. Those of which only the beginning was kept cannot be.
    pub async fn replay_dead_letters(&self, filter: &DeadLetterFilter) -> Result<u64, StoreError> {
        let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
        let asked = statements::dead_letters::ask_replay(&mut transaction, filter, self.now()).await?;
        transaction.commit().await?;
        Ok(asked)
    }

    /// The oldest dead letters that are to be taken in once more. For so long nobody else gets them; after that they are to be
    /// taken in again, unless they have been removed or refused.
    pub async fn claim_dead_letters(
        &self,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let now = self.now();
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp::from_millis(now.as_millis().saturating_add(lease_ms));
        let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
        let mut letters = statements::dead_letters::claim(&mut transaction, now, until, limit).await?;
        transaction.commit().await?;
        letters.sort_by_key(|letter| letter.id);
        Ok(letters)
    }

    /// Removes a dead letter that has been delivered after all. It does not count as dropped.
    pub async fn remove_dead_letter(&self, id: DeadLetterId) -> Result<(), StoreError> {
        let filter = DeadLetterFilter {
            id: Some(id),
            ..DeadLetterFilter::default()
        };
        self.purge_dead_letters(&filter).await.map(|_| ())
    }

    /// A dead letter could not be delivered this time either: it stays, with the reason of this time.
    pub async fn refuse_dead_letter(&self, id: DeadLetterId, reason: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Of("dead_letters", "")).await?;
        statements::dead_letters::refuse(&mut transaction, id, cut(reason, NAME_BYTES_MAX)).await?;
        transaction.commit().await
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
