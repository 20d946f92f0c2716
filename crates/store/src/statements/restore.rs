//! Statements that put back what a backup holds.

use tidings_wire::time::Timestamp;

use crate::database::{Transaction, sql};
use crate::{KeyRecord, StoreError, TenantId};

/// Whether a tenant has no lead and no history of one.
pub(crate) async fn is_empty(transaction: &mut Transaction, tenant: &TenantId) -> Result<bool, StoreError> {
    sql("SELECT NOT EXISTS (SELECT 1 FROM lead WHERE tenant_id = $1)
             AND NOT EXISTS (SELECT 1 FROM lead_change WHERE tenant_id = $1)")
    .bind(tenant.as_str())
    .fetch_one(transaction)
    .await?
    .get(0)
}

/// Puts a key back, unless it is there.
pub(crate) async fn insert_key(
    transaction: &mut Transaction,
    tenant: &TenantId,
    key: &KeyRecord,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO tenant_key (id, tenant_id, hash, permissions, created_at, expires_at, revoked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(key.id.as_bytes())
    .bind(tenant.as_str())
    .bind(&key.hash[..])
    .bind(key.permissions.join(","))
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(Timestamp::as_millis))
    .bind(key.revoked_at.map(Timestamp::as_millis))
    .bind(key.last_used_at.map(Timestamp::as_millis))
    .execute(transaction)
    .await?;
    Ok(())
}
