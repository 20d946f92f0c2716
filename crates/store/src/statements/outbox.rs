//! Statements on events that wait to be published.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::{
    NewOutboxEvent, News, OUTBOX_LENGTH_MAX, OutboxEvent, OutboxNumber, StoreError, StoredNews, TenantId,
};

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

/// Puts news in somebody's hands until `held_until`.
pub(crate) async fn insert_news(
    transaction: &mut Transaction,
    news: &News,
    now: Timestamp,
    held_until: Timestamp,
) -> Result<OutboxNumber, StoreError> {
    let data = serde_json::to_string(news).map_err(|error| StoreError::Corrupt(error.into()))?;
    let row = sql(
        "INSERT INTO outbox (tenant_id, event_id, kind, data, created_at, held_until)
                   VALUES (NULL, '', $1, $2, $3, $4) RETURNING number",
    )
    .bind(news.kind())
    .bind(data)
    .bind(now.as_millis())
    .bind(held_until.as_millis())
    .fetch_one(transaction)
    .await?;
    Ok(OutboxNumber(row.get(0)?))
}

/// Takes the oldest news that nobody holds, and holds them.
pub(crate) async fn claim_news(
    transaction: &mut Transaction,
    now: Timestamp,
    held_until: Timestamp,
    limit: u32,
) -> Result<Vec<StoredNews>, StoreError> {
    let rows = sql("UPDATE outbox SET held_until = $1
         WHERE number IN (SELECT number FROM outbox WHERE held_until <= $2 AND tenant_id IS NULL ORDER BY number LIMIT $3)
         RETURNING number, data, created_at")
    .bind(held_until.as_millis())
    .bind(now.as_millis())
    .bind(limit)
    .fetch_all(transaction)
    .await?;
    let mut news = Vec::with_capacity(rows.len());
    for row in &rows {
        match news_from_row(row) {
            Ok(read) => news.push(read),
            // Of another version, or from a hand in the database: it must not stand in the way of the others.
            Err(error) => tracing::error!(%error, "news in the outbox cannot be read and stay there"),
        }
    }
    // The database returns them as it came by them.
    news.sort_unstable_by_key(|news| news.number);
    Ok(news)
}

/// Takes the oldest events of tenants that nobody holds, and holds them.
pub(crate) async fn claim(
    transaction: &mut Transaction,
    now: Timestamp,
    held_until: Timestamp,
    limit: u32,
) -> Result<Vec<OutboxEvent>, StoreError> {
    let rows = sql("UPDATE outbox SET held_until = $1
         WHERE number IN (SELECT number FROM outbox WHERE held_until <= $2 AND tenant_id IS NOT NULL ORDER BY number LIMIT $3)
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

/// Whether there is an event of a tenant that nobody holds.
pub(crate) async fn has_unheld(transaction: &mut Transaction, now: Timestamp) -> Result<bool, StoreError> {
    let statement = "SELECT number FROM outbox WHERE held_until <= $1 AND tenant_id IS NOT NULL LIMIT 1";
    let found = sql(statement)
        .bind(now.as_millis())
        .fetch_optional(transaction)
        .await?;
    Ok(found.is_some())
}

/// Whether there are news that nobody holds.
pub(crate) async fn has_unheld_news(
    transaction: &mut Transaction,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let statement = "SELECT number FROM outbox WHERE held_until <= $1 AND tenant_id IS NULL LIMIT 1";
    let found = sql(statement)
        .bind(now.as_millis())
        .fetch_optional(transaction)
        .await?;
    Ok(found.is_some())
}

/// How many wait, up to [`crate::OUTBOX_LENGTH_MAX`].
pub(crate) async fn count(transaction: &mut Transaction) -> Result<u64, StoreError> {
    sql("SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT $1) AS counted")
        .bind(i64::try_from(OUTBOX_LENGTH_MAX).unwrap_or(i64::MAX))
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

fn news_from_row(row: &Row) -> Result<StoredNews, StoreError> {
    Ok(StoredNews {
        number: OutboxNumber(row.get(0)?),
        news: serde_json::from_str(&row.get::<String>(1)?)
            .map_err(|error| StoreError::Corrupt(error.into()))?,
        created_at: Timestamp::from_millis(row.get(2)?),
    })
}
