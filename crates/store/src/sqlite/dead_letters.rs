//! Statements on dead letters.

use sqlx::{Row, SqliteConnection};
use tidings_wire::time::Timestamp;

use crate::{DeadLetter, DeadLetterAccount, DeadLetterId, NewDeadLetter, StoreError};

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    letter: &NewDeadLetter<'_>,
    event_bytes: usize,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let result = sqlx::query(
        "INSERT INTO dead_letter (received_at, source, reason, event, event_bytes) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(now.as_millis())
    .bind(letter.source)
    .bind(letter.reason)
    .bind(letter.event)
    .bind(i64::try_from(event_bytes).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(result.last_insert_rowid())
}

pub(crate) async fn drop_before(connection: &mut SqliteConnection, number: i64) -> Result<u64, StoreError> {
    let dropped = sqlx::query("DELETE FROM dead_letter WHERE number < ?")
        .bind(number)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if dropped > 0 {
        sqlx::query("UPDATE dead_letter_account SET dropped = dropped + ?")
            .bind(i64::try_from(dropped).unwrap_or(i64::MAX))
            .execute(connection)
            .await?;
    }
    Ok(dropped)
}

pub(crate) async fn list(
    connection: &mut SqliteConnection,
    before: i64,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    sqlx::query(
        "SELECT number, received_at, source, reason, event, event_bytes
         FROM dead_letter WHERE number < ? ORDER BY number DESC LIMIT ?",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        Ok(DeadLetter {
            id: DeadLetterId(row.try_get(0)?),
            received_at: Timestamp::from_millis(row.try_get(1)?),
            source: row.try_get(2)?,
            reason: row.try_get(3)?,
            event: row.try_get(4)?,
            event_bytes: row.try_get::<i64, _>(5)?.unsigned_abs(),
        })
    })
    .collect()
}

pub(crate) async fn account(connection: &mut SqliteConnection) -> Result<DeadLetterAccount, StoreError> {
    let row = sqlx::query("SELECT (SELECT count(*) FROM dead_letter), dropped FROM dead_letter_account")
        .fetch_one(connection)
        .await?;
    Ok(DeadLetterAccount {
        kept: row.try_get::<i64, _>(0)?.unsigned_abs(),
        dropped: row.try_get::<i64, _>(1)?.unsigned_abs(),
    })
}
