//! Statements on dead letters.

use tidings_wire::time::Timestamp;

use crate::database::{Transaction, sql};
use crate::{DeadLetter, DeadLetterAccount, DeadLetterId, NewDeadLetter, StoreError};

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

pub(crate) async fn list(
    transaction: &mut Transaction,
    before: i64,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    sql("SELECT number, received_at, source, reason, event, event_bytes
         FROM dead_letter WHERE number < $1 ORDER BY number DESC LIMIT $2")
    .bind(before)
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| {
        Ok(DeadLetter {
            id: DeadLetterId(row.get(0)?),
            received_at: Timestamp::from_millis(row.get(1)?),
            source: row.get(2)?,
            reason: row.get(3)?,
            event: row.get(4)?,
            event_bytes: row.number(5)?,
        })
    })
    .collect()
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
