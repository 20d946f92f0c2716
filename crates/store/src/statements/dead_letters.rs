//! Statements on dead letters.

use tidings_wire::time::Timestamp;

use crate::database::{Row, Statement, Transaction, sql};
use crate::{DeadLetter, DeadLetterAccount, DeadLetterFilter, DeadLetterId, NewDeadLetter, StoreError};

pub(crate) async fn insert(
    transaction: &mut Transaction,
    letter: &NewDeadLetter<'_>,
    event_bytes: usize,
    now: Timestamp,
) -> Result<i64, StoreError> {
    sql(
        "INSERT INTO dead_letter (received_at, source, reason, event, event_bytes) VALUES ($1, $2, $3, $4, $5)
         RETURNING number",
    )
    .bind(now.as_millis())
    .bind(letter.source)
    .bind(letter.reason)
    .bind(letter.event)
    .bind(i64::try_from(event_bytes).unwrap_or(i64::MAX))
    .fetch_one(transaction)
    .await?
    .get(0)
}

pub(crate) async fn drop_before(transaction: &mut Transaction, number: i64) -> Result<u64, StoreError> {
    let dropped = sql("DELETE FROM dead_letter WHERE number < $1")
        .bind(number)
        .execute(transaction)
        .await?;
    if dropped > 0 {
        sql("UPDATE dead_letter_account SET dropped = dropped + $1")
            .bind(i64::try_from(dropped).unwrap_or(i64::MAX))
            .execute(transaction)
            .await?;
    }
    Ok(dropped)
}

const COLUMNS: &str = "number, received_at, source, reason, event, event_bytes";

pub(crate) async fn list(
    transaction: &mut Transaction,
    filter: &DeadLetterFilter,
    before: i64,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut query = sql("SELECT ");
    query.push(COLUMNS).push(" FROM dead_letter WHERE number < ");
    query.push_bind(before);
    push_filter(&mut query, filter);
    query.push(" ORDER BY number DESC LIMIT ").push_bind(limit);
    query.fetch_all(transaction).await?.iter().map(from_row).collect()
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    id: DeadLetterId,
) -> Result<Option<DeadLetter>, StoreError> {
    let mut query = sql("SELECT ");
    query
        .push(COLUMNS)
        .push(" FROM dead_letter WHERE number = ")
        .push_bind(id.0);
    let row = query.fetch_optional(transaction).await?;
    row.as_ref().map(from_row).transpose()
}

/// Deletes the oldest, so many of them.
pub(crate) async fn purge(
    transaction: &mut Transaction,
    filter: &DeadLetterFilter,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut query = sql("DELETE FROM dead_letter WHERE number IN (SELECT number FROM dead_letter WHERE TRUE");
    push_filter(&mut query, filter);
    query.push(" ORDER BY number LIMIT ").push_bind(limit).push(")");
    query.execute(transaction).await
}

fn push_filter<'q>(query: &mut Statement<'q>, filter: &'q DeadLetterFilter) {
    if let Some(source) = &filter.source {
        query.push(" AND source = ").push_bind(source.as_str());
    }
    if let Some(reason) = &filter.reason {
        query.push(" AND reason = ").push_bind(reason.as_str());
    }
    if let Some(before) = filter.received_before {
        query.push(" AND received_at < ").push_bind(before.as_millis());
    }
}

fn from_row(row: &Row) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        id: DeadLetterId(row.get(0)?),
        received_at: Timestamp::from_millis(row.get(1)?),
        source: row.get(2)?,
        reason: row.get(3)?,
        event: row.get(4)?,
        event_bytes: row.number(5)?,
    })
}

pub(crate) async fn account(transaction: &mut Transaction) -> Result<DeadLetterAccount, StoreError> {
    let row = sql("SELECT (SELECT count(*) FROM dead_letter), dropped FROM dead_letter_account")
        .fetch_one(transaction)
        .await?;
    Ok(DeadLetterAccount {
        kept: row.number(0)?,
        dropped: row.number(1)?,
    })
}
