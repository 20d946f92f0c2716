//! Statements on idempotency keys.

use tidings_wire::time::Timestamp;

use crate::database::{Transaction, sql};
use crate::idempotency::{StoredRequest, expiry};
use crate::{IdempotentRequest, StoreError, StoredResponse};

/// Expired keys removed with each new one: more than one, so that they die out, and few, so that no write pays
/// for a quiet night's worth.
const PURGED_AT_ONCE: i64 = 16;

pub(crate) async fn find(
    transaction: &mut Transaction,
    request: &IdempotentRequest,
    now: Timestamp,
) -> Result<Option<StoredRequest>, StoreError> {
    sql(
        "SELECT fingerprint, status, body FROM idempotency_key WHERE scope = $1 AND key = $2 AND expires_at > $3",
    )
    .bind(request.scope.as_str())
    .bind(request.key.as_str())
    .bind(now.as_millis())
    .fetch_optional(transaction)
    .await?
    .map(|row| {
        let response = StoredResponse { status: row.number(1)?, body: row.get(2)? };
        Ok(StoredRequest { fingerprint: row.get(0)?, response })
    })
    .transpose()
}

/// Remembers a response under a key that is unused or expired.
pub(crate) async fn put(
    transaction: &mut Transaction,
    request: &IdempotentRequest,
    response: &StoredResponse,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql("DELETE FROM idempotency_key WHERE (scope, key) IN
             (SELECT scope, key FROM idempotency_key WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)")
    .bind(now.as_millis())
    .bind(PURGED_AT_ONCE)
    .execute(transaction)
    .await?;
    sql(
        "INSERT INTO idempotency_key (scope, key, fingerprint, status, body, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,
             body = excluded.body, expires_at = excluded.expires_at",
    )
    .bind(request.scope.as_str())
    .bind(request.key.as_str())
    .bind(&request.fingerprint[..])
    .bind(response.status)
    .bind(response.body.as_slice())
    .bind(expiry(now).as_millis())
    .execute(transaction)
    .await?;
    Ok(())
}
