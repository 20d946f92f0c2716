//! Statements on tenant keys.

use tidings_wire::time::Timestamp;

use super::tenants;
use crate::database::{Row, Transaction, sql};
use crate::key::KeyState;
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

/// Lets a key end by itself at this time, unless it ends earlier.
pub(crate) async fn expire(
    transaction: &mut Transaction,
    id: KeyId,
    at: Timestamp,
) -> Result<(), StoreError> {
    sql("UPDATE tenant_key SET expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $1 END WHERE id = $2")
        .bind(at.as_millis())
        .bind(id.as_bytes())
        .execute(transaction)
        .await?;
    Ok(())
}

/// What decides whether these keys are good. Keys that there are not are left out.
pub(crate) async fn states(
    transaction: &mut Transaction,
    ids: &[KeyId],
) -> Result<Vec<(KeyId, KeyState)>, StoreError> {
    let mut query = sql("SELECT k.id, k.revoked_at, t.suspended, k.expires_at
         FROM tenant_key k JOIN tenant t ON t.id = k.tenant_id WHERE k.id IN (");
    // The last one again and again, up to a power of two: the database then knows a few statements, not one of each length.
    let padding = ids.len().next_power_of_two() - ids.len();
    let padded = ids
        .iter()
        .chain(std::iter::repeat_n(ids.last(), padding).flatten());
    query.push_list(padded.map(KeyId::as_bytes)).push(")");
    query
        .fetch_all(transaction)
        .await?
        .iter()
        .map(|row| {
            let time =
                |column| Ok::<_, StoreError>(row.get::<Option<i64>>(column)?.map(Timestamp::from_millis));
            let state = KeyState {
                is_revoked: time(1)?.is_some(),
                is_tenant_suspended: row.get(2)?,
                expires_at: time(3)?,
            };
            Ok((KeyId::stored(&row.get::<Vec<u8>>(0)?)?, state))
        })
        .collect()
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
