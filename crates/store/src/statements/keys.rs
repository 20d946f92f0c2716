//! Statements on tenant keys.

use tidings_wire::time::Timestamp;

use super::tenants;
use crate::database::{Row, Transaction, sql};
use crate::{KEYS_PER_TENANT_MAX, KeyId, KeyRecord, StoreError, Tenant, TenantId};

pub(crate) async fn count(transaction: &mut Transaction, tenant: &TenantId) -> Result<u32, StoreError> {
    sql("SELECT count(*) FROM tenant_key WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(transaction)
        .await?
        .number(0)
}

pub(crate) async fn insert(transaction: &mut Transaction, key: &KeyRecord) -> Result<(), StoreError> {
    sql(
        "INSERT INTO tenant_key (id, tenant_id, hash, permissions, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.id.as_bytes())
    .bind(key.tenant.as_str())
    .bind(&key.hash[..])
    .bind(key.permissions.join(","))
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(Timestamp::as_millis))
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn find_by_hash(
    transaction: &mut Transaction,
    hash: &[u8; 32],
) -> Result<Option<(KeyRecord, Tenant)>, StoreError> {
    sql(
        "SELECT k.id, k.tenant_id, k.hash, k.permissions, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
                t.id, t.slug, t.name, t.suspended, t.created_at
         FROM tenant_key k JOIN tenant t ON t.id = k.tenant_id WHERE k.hash = $1",
    )
    .bind(&hash[..])
    .fetch_optional(transaction)
    .await?
    .map(|row| Ok((from_row(&row)?, tenants::from_row(&row, 8)?)))
    .transpose()
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    id: KeyId,
) -> Result<Option<(KeyRecord, Tenant)>, StoreError> {
    sql(
        "SELECT k.id, k.tenant_id, k.hash, k.permissions, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
                t.id, t.slug, t.name, t.suspended, t.created_at
         FROM tenant_key k JOIN tenant t ON t.id = k.tenant_id WHERE k.id = $1",
    )
    .bind(id.as_bytes())
    .fetch_optional(transaction)
    .await?
    .map(|row| Ok((from_row(&row)?, tenants::from_row(&row, 8)?)))
    .transpose()
}

pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant: &TenantId,
) -> Result<Vec<KeyRecord>, StoreError> {
    sql(
        "SELECT id, tenant_id, hash, permissions, created_at, expires_at, revoked_at, last_used_at
         FROM tenant_key WHERE tenant_id = $1 ORDER BY created_at, id LIMIT $2",
    )
    .bind(tenant.as_str())
    .bind(KEYS_PER_TENANT_MAX)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

pub(crate) async fn revoke(
    transaction: &mut Transaction,
    id: KeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql("UPDATE tenant_key SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(id.as_bytes())
        .execute(transaction)
        .await?;
    Ok(())
}

pub(crate) async fn mark_used(
    transaction: &mut Transaction,
    id: KeyId,
    time: Timestamp,
) -> Result<(), StoreError> {
    sql("UPDATE tenant_key SET last_used_at = CASE WHEN last_used_at > $1 THEN last_used_at ELSE $1 END WHERE id = $2")
        .bind(time.as_millis())
        .bind(id.as_bytes())
        .execute(transaction)
        .await?;
    Ok(())
}

fn from_row(row: &Row) -> Result<KeyRecord, StoreError> {
    let time = |column| {
        row.get::<Option<i64>>(column)
            .map(|time| time.map(Timestamp::from_millis))
    };
    let permissions: String = row.get(3)?;
    Ok(KeyRecord {
        id: KeyId::stored(&row.get::<Vec<u8>>(0)?)?,
        tenant: TenantId::stored(row.get(1)?),
        hash: row
            .get::<Vec<u8>>(2)?
            .try_into()
            .map_err(|_| StoreError::corrupt("a key's hash is not 32 bytes long"))?,
        permissions: permissions.split(',').map(str::to_owned).collect(),
        created_at: Timestamp::from_millis(row.get(4)?),
        expires_at: time(5)?,
        revoked_at: time(6)?,
        last_used_at: time(7)?,
    })
}
