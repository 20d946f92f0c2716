//! Statements on events that wait to be published.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::{NewOutboxEvent, OutboxEvent, OutboxNumber, StoreError, TenantId};

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant: &TenantId,
    event: NewOutboxEvent,
    now: Timestamp,
    held_until: Timestamp,
) -> Result<OutboxEvent, StoreError> {
    let row = sql(
        "INSERT INTO outbox (tenant_id, event_id, kind, data, created_at, held_until)
                   VALUES ($1, $2, $3, $4, $5, $6) RETURNING number",
    )
    .bind(tenant.as_str())
    .bind(event.id.as_str())
    .bind(event.kind.as_str())
    .bind(event.data.get())
    .bind(now.as_millis())
    .bind(held_until.as_millis())
    .fetch_one(transaction)
    .await?;
    Ok(OutboxEvent {
        number: OutboxNumber(row.get(0)?),
        tenant: tenant.clone(),
        event,
        created_at: now,
    })
}

/// Takes the oldest events that nobody holds, and holds them.
pub(crate) async fn claim(
    transaction: &mut Transaction,
    now: Timestamp,
    held_until: Timestamp,
    limit: u32,
) -> Result<Vec<OutboxEvent>, StoreError> {
    let rows = sql("UPDATE outbox SET held_until = $1
         WHERE number IN (SELECT number FROM outbox WHERE held_until <= $2 ORDER BY number LIMIT $3)
         RETURNING number, tenant_id, event_id, kind, data, created_at")
    .bind(held_until.as_millis())
    .bind(now.as_millis())
    .bind(limit)
    .fetch_all(transaction)
    .await?;
    let mut events = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    // The database returns them as it came by them.
    events.sort_unstable_by_key(|event| event.number);
    Ok(events)
}

pub(crate) async fn delete(
    transaction: &mut Transaction,
    numbers: &[OutboxNumber],
) -> Result<(), StoreError> {
    let mut query = sql("DELETE FROM outbox WHERE number IN (");
    query.push_list(numbers.iter().map(|number| number.0)).push(")");
    query.execute(transaction).await?;
    Ok(())
}

pub(crate) async fn let_go(
    transaction: &mut Transaction,
    numbers: &[OutboxNumber],
) -> Result<(), StoreError> {
    let mut query = sql("UPDATE outbox SET held_until = 0 WHERE number IN (");
    query.push_list(numbers.iter().map(|number| number.0)).push(")");
    query.execute(transaction).await?;
    Ok(())
}

/// Whether there is an event that nobody holds.
pub(crate) async fn has_unheld(transaction: &mut Transaction, now: Timestamp) -> Result<bool, StoreError> {
    let found = sql("SELECT number FROM outbox WHERE held_until <= $1 LIMIT 1")
        .bind(now.as_millis())
        .fetch_optional(transaction)
        .await?;
    Ok(found.is_some())
}

/// How many wait, up to [`crate::OUTBOX_LENGTH_MAX`].
pub(crate) async fn count(transaction: &mut Transaction) -> Result<u64, StoreError> {
    sql("SELECT count(*) FROM outbox")
        .fetch_one(transaction)
        .await?
        .number(0)
}

fn from_row(row: &Row) -> Result<OutboxEvent, StoreError> {
    Ok(OutboxEvent {
        number: OutboxNumber(row.get(0)?),
        tenant: TenantId::stored(row.get(1)?),
        event: NewOutboxEvent {
            id: row.get(2)?,
            kind: row.get(3)?,
            data: RawValue::from_string(row.get(4)?).map_err(|error| StoreError::Corrupt(error.into()))?,
        },
        created_at: Timestamp::from_millis(row.get(5)?),
    })
}
