//! The outbox: events that are stored with the change they tell of, and published after it.
//!
//! Whoever makes a change has the event in hand and publishes it at once; the row is for the case that he does not come
//! to it. So an event is held for a while after it was stored. What nobody holds any more is taken by whoever drains the
//! outbox ([`Store::claim_outbox`]). An event leaves it only after it was published: it is published at least once, and
//! under one id.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::{NewAuditEntry, Store, StoreError, TenantId, statements};

/// The most events that are taken, or removed, at once.
pub const OUTBOX_BATCH_MAX: u32 = 1_000;

/// Where counting what waits ends.
pub const OUTBOX_LENGTH_MAX: u64 = 100_000;

/// How long an event is in the hands of whoever stored or claimed it. After a server has died, so long its clients have
/// to come back before what it left behind is published.
const HOLD_MS: i64 = 10_000;

/// An event to publish once the change that it is stored with is committed.
#[derive(Clone, Debug)]
pub struct NewOutboxEvent {
    /// Its id, under which it is published however often.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What it says, as its receivers see it.
    pub data: Box<RawValue>,
}

/// An event's place in the outbox. Later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxNumber(pub(crate) i64);

/// An event that waits to be published.
#[derive(Clone, Debug)]
pub struct OutboxEvent {
    /// Its place.
    pub number: OutboxNumber,
    /// Whom it is for.
    pub tenant: TenantId,
    /// The event.
    pub event: NewOutboxEvent,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// What is stored with a change, in its transaction.
#[derive(Debug, Default)]
pub struct Attached {
    /// What others are to be told.
    pub event: Option<NewOutboxEvent>,
    /// The answer to remember, where the change carries an idempotency key.
    pub response: Option<crate::StoredResponse>,
    /// What the audit log says of it.
    pub audit: Option<NewAuditEntry>,
}

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// What was changed.
    pub value: T,
    /// The event that was stored with it, to be published and then removed with [`Store::remove_from_outbox`].
    pub event: Option<OutboxEvent>,
}

impl Store {
    /// Stores an event that goes with no change. Nobody has it in hand.
    pub async fn put_in_outbox(&self, tenant: &TenantId, event: NewOutboxEvent) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        let now = self.now();
        statements::outbox::insert(&mut transaction, tenant, event, now, Timestamp::from_millis(0)).await?;
        transaction.commit().await
    }

    /// Takes the oldest events that are in nobody's hands, at most `limit` and [`OUTBOX_BATCH_MAX`] of them.
    pub async fn claim_outbox(&self, limit: usize) -> Result<Vec<OutboxEvent>, StoreError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).min(OUTBOX_BATCH_MAX);
        let now = self.now();
        // Mostly there is nothing, and looking costs no write.
        let mut transaction = self.database.read(None).await?;
        if limit == 0 || !statements::outbox::has_unheld(&mut transaction, now).await? {
            return Ok(Vec::new());
        }
        drop(transaction);
        let mut transaction = self.database.write(Turn::Of("outbox", "")).await?;
        let events = statements::outbox::claim(&mut transaction, now, held_until(now), limit).await?;
        transaction.commit().await?;
        Ok(events)
    }

    /// Removes events that have been published, at most [`OUTBOX_BATCH_MAX`] at once.
    pub async fn remove_from_outbox(&self, numbers: &[OutboxNumber]) -> Result<(), StoreError> {
        for numbers in numbers.chunks(OUTBOX_BATCH_MAX as usize) {
            let mut transaction = self.database.write(Turn::Of("outbox", "")).await?;
            statements::outbox::delete(&mut transaction, numbers).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Takes events out of the hands of whoever stored or claimed them: he did not get them published.
    pub async fn let_go_of_outbox(&self, numbers: &[OutboxNumber]) -> Result<(), StoreError> {
        for numbers in numbers.chunks(OUTBOX_BATCH_MAX as usize) {
            let mut transaction = self.database.write(Turn::Of("outbox", "")).await?;
            statements::outbox::let_go(&mut transaction, numbers).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// How many events wait, up to [`OUTBOX_LENGTH_MAX`].
    pub async fn outbox_length(&self) -> Result<u64, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::outbox::count(&mut transaction).await
    }
}

/// When an event that is taken up now falls from the hand.
pub(crate) fn held_until(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(HOLD_MS))
}
