//! Statements on idempotency keys.

use sqlx::{Row, SqliteConnection};
use tidings_wire::time::Timestamp;

use crate::idempotency::{StoredRequest, expiry};
use crate::{IdempotentRequest, StoreError, StoredResponse};

/// Expired keys removed with each new one: more than one, so that they die out, and few, so that no write pays
/// for a quiet night's worth.
const PURGED_AT_ONCE: i64 = 16;

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    request: &IdempotentRequest,
    now: Timestamp,
) -> Result<Option<StoredRequest>, StoreError> {
    sqlx::query(
        "SELECT fingerprint, status, body FROM idempotency_key WHERE scope = ? AND key = ? AND expires_at > ?",
    )
    .bind(&request.scope)
    .bind(&request.key)
    .bind(now.as_millis())
    .fetch_optional(connection)
    .await?
    .map(|row| {
        let response = StoredResponse { status: row.try_get(1)?, body: row.try_get(2)? };
        Ok(StoredRequest { fingerprint: row.try_get(0)?, response })
    })
    .transpose()
}

/// Remembers a response under a key that is unused or expired.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    request: &IdempotentRequest,
    response: &StoredResponse,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM idempotency_key WHERE (scope, key) IN
             (SELECT scope, key FROM idempotency_key WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
    )
    .bind(now.as_millis())
    .bind(PURGED_AT_ONCE)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO idempotency_key (scope, key, fingerprint, status, body, expires_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&request.scope)
    .bind(&request.key)
    .bind(&request.fingerprint[..])
    .bind(response.status)
    .bind(&response.body)
    .bind(expiry(now).as_millis())
    .execute(connection)
    .await?;
    Ok(())
}
