//! Statements on dead letters.

use tidings_wire::time::Timestamp;

use crate::database::{Row, Statement, Transaction, sql};
use crate::{DeadLetter, DeadLetterAccount, DeadLetterFilter, DeadLetterId, NewDeadLetter, StoreError};

pub(crate) async fn insert(
    transaction: &mut Transaction,
    letter: &NewDeadLetter<'_>,
    event_bytes: usize,
    now: Timestamp,
    replay_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let headers = serde_json::to_string(letter.headers).unwrap_or_default();
    sql(
        "INSERT INTO dead_letter (received_at, source, topic, reason, form, headers, event, event_bytes, replay_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(now.as_millis())
    .bind(letter.source)
    .bind(letter.topic)
    .bind(letter.reason)
    .bind(letter.form)
    .bind(headers)
    .bind(letter.event)
    .bind(i64::try_from(event_bytes).unwrap_or(i64::MAX))
    .bind(replay_at.map(Timestamp::as_millis))
    .execute(transaction)
    .await?;
    let bytes = i64::try_from(letter.event.len()).unwrap_or(i64::MAX);
    account_for(transaction, bytes, 0).await
}

/// Drops all but so many. By their rank and not by their numbers: some of those in between may be gone.
pub(crate) async fn drop_but_newest(
    transaction: &mut Transaction,
    letters_max: u32,
) -> Result<u64, StoreError> {
    let newest_dropped: Option<i64> =
        sql("SELECT number FROM dead_letter ORDER BY number DESC LIMIT 1 OFFSET $1")
            .bind(letters_max)
            .fetch_optional(transaction)
            .await?
            .map(|row| row.get(0))
            .transpose()?;
    match newest_dropped {
        Some(number) => drop_before(transaction, number + 1).await,
        None => Ok(0),
    }
}

async fn drop_before(transaction: &mut Transaction, number: i64) -> Result<u64, StoreError> {
    let row = sql(
        "SELECT count(*), CAST(coalesce(sum(length(event)), 0) AS BIGINT) FROM dead_letter WHERE number < $1",
    )
    .bind(number)
    .fetch_one(transaction)
    .await?;
    let (dropped, bytes): (u64, i64) = (row.number(0)?, row.get(1)?);
    if dropped > 0 {
        sql("DELETE FROM dead_letter WHERE number < $1")
            .bind(number)
            .execute(transaction)
            .await?;
        account_for(transaction, -bytes, dropped).await?;
    }
    Ok(dropped)
}

/// Drops the oldest until the rest has no more than so many bytes, or is one.
pub(crate) async fn drop_beyond(transaction: &mut Transaction, bytes_max: u64) -> Result<u64, StoreError> {
    let mut dropped = 0;
    loop {
        let kept: u64 = sql("SELECT kept_bytes FROM dead_letter_account")
            .fetch_one(transaction)
            .await?
            .number(0)?;
        if kept <= bytes_max {
            return Ok(dropped);
        }
        let oldest =
            sql("SELECT number, CAST(length(event) AS BIGINT) FROM dead_letter ORDER BY number LIMIT 101")
                .fetch_all(transaction)
                .await?;
        let mut excess = kept - bytes_max;
        let mut first_kept = None;
        for row in &oldest {
            first_kept = Some(row.get(0)?);
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(row.number(1)?);
        }
        let dropped_now = drop_before(transaction, first_kept.unwrap_or_default()).await?;
        dropped += dropped_now;
        if dropped_now == 0 {
            return Ok(dropped);
        }
    }
}

async fn account_for(transaction: &mut Transaction, bytes: i64, dropped: u64) -> Result<(), StoreError> {
    sql("UPDATE dead_letter_account SET kept_bytes = kept_bytes + $1, dropped = dropped + $2")
        .bind(bytes)
        .bind(i64::try_from(dropped).unwrap_or(i64::MAX))
        .execute(transaction)
        .await?;
    Ok(())
}

const COLUMNS: &str =
    "number, received_at, source, topic, reason, form, headers, event, event_bytes, replay_at IS NOT NULL";

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
    let mut query = sql("SELECT number, CAST(length(event) AS BIGINT) FROM dead_letter WHERE TRUE");
    push_filter(&mut query, filter);
    query.push(" ORDER BY number LIMIT ").push_bind(limit);
    let mut purged = 0;
    let mut bytes: i64 = 0;
    for row in query.fetch_all(transaction).await? {
        let (number, event_bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
        // Another node may have deleted it just now.
        let deleted = sql("DELETE FROM dead_letter WHERE number = $1")
            .bind(number)
            .execute(transaction)
            .await?;
        if deleted > 0 {
            purged += deleted;
            bytes += event_bytes;
        }
    }
    if purged > 0 {
        account_for(transaction, -bytes, 0).await?;
    }
    Ok(purged)
}

pub(crate) async fn ask_replay(
    transaction: &mut Transaction,
    filter: &DeadLetterFilter,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut query = sql("UPDATE dead_letter SET replay_at = ");
    query.push_bind(now.as_millis());
    query.push(" WHERE length(event) = event_bytes");
    push_filter(&mut query, filter);
    query.execute(transaction).await
}

pub(crate) async fn claim(
    transaction: &mut Transaction,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut query = sql("UPDATE dead_letter SET replay_at = ");
    query.push_bind(until.as_millis());
    // Asked twice: the second time after another node, which may have been first, has let go of the row.
    query.push(" WHERE replay_at <= ").push_bind(now.as_millis());
    query.push(" AND number IN (SELECT number FROM dead_letter WHERE replay_at <= ");
    query.push_bind(now.as_millis());
    query.push(" ORDER BY number LIMIT ").push_bind(limit);
    query.push(") RETURNING ").push(COLUMNS);
    query.fetch_all(transaction).await?.iter().map(from_row).collect()
}

pub(crate) async fn refuse(
    transaction: &mut Transaction,
    id: DeadLetterId,
    reason: &str,
) -> Result<(), StoreError> {
    sql("UPDATE dead_letter SET replay_at = NULL, reason = $1 WHERE number = $2")
        .bind(reason)
        .bind(id.0)
        .execute(transaction)
        .await?;
    Ok(())
}

fn push_filter<'q>(query: &mut Statement<'q>, filter: &'q DeadLetterFilter) {
    if let Some(id) = filter.id {
        query.push(" AND number = ").push_bind(id.0);
    }
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
        topic: row.get(3)?,
        reason: row.get(4)?,
        form: row.get(5)?,
        headers: serde_json::from_str(&row.get::<String>(6)?)
            .map_err(|_| StoreError::corrupt("the headers of a dead letter"))?,
        event: row.get(7)?,
        event_bytes: row.number(8)?,
        is_replaying: row.get(9)?,
    })
}

pub(crate) async fn account(transaction: &mut Transaction) -> Result<DeadLetterAccount, StoreError> {
    let row = sql("SELECT (SELECT count(*) FROM dead_letter), kept_bytes, dropped FROM dead_letter_account")
        .fetch_one(transaction)
        .await?;
    Ok(DeadLetterAccount {
        kept: row.number(0)?,
        kept_bytes: row.number(1)?,
        dropped: row.number(2)?,
    })
}
