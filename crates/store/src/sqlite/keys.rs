//! Statements on tenant keys.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tidings_wire::time::Timestamp;

use super::tenants;
use crate::{KEYS_PER_TENANT_MAX, KeyId, KeyRecord, StoreError, Tenant, TenantId};

pub(crate) async fn count(connection: &mut SqliteConnection, tenant: &TenantId) -> Result<u32, StoreError> {
    let count = sqlx::query_scalar("SELECT count(*) FROM tenant_key WHERE tenant_id = ?")
        .bind(tenant.as_str())
        .fetch_one(connection)
        .await?;
    Ok(count)
}

pub(crate) async fn insert(connection: &mut SqliteConnection, key: &KeyRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tenant_key (id, tenant_id, hash, permissions, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(key.id.as_bytes())
    .bind(key.tenant.as_str())
    .bind(&key.hash[..])
    .bind(key.permissions.join(","))
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(Timestamp::as_millis))
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn find_by_hash(
    connection: &mut SqliteConnection,
    hash: &[u8; 32],
) -> Result<Option<(KeyRecord, Tenant)>, StoreError> {
    sqlx::query(
        "SELECT k.id, k.tenant_id, k.hash, k.permissions, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
                t.id, t.slug, t.name, t.suspended, t.created_at
         FROM tenant_key k JOIN tenant t ON t.id = k.tenant_id WHERE k.hash = ?",
    )
    .bind(&hash[..])
    .fetch_optional(connection)
    .await?
    .map(|row| Ok((from_row(&row)?, tenants::from_row(&row, 8)?)))
    .transpose()
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    id: KeyId,
) -> Result<Option<(KeyRecord, Tenant)>, StoreError> {
    sqlx::query(
        "SELECT k.id, k.tenant_id, k.hash, k.permissions, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
                t.id, t.slug, t.name, t.suspended, t.created_at
         FROM tenant_key k JOIN tenant t ON t.id = k.tenant_id WHERE k.id = ?",
    )
    .bind(id.as_bytes())
    .fetch_optional(connection)
    .await?
    .map(|row| Ok((from_row(&row)?, tenants::from_row(&row, 8)?)))
    .transpose()
}

pub(crate) async fn list(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<KeyRecord>, StoreError> {
    sqlx::query(
        "SELECT id, tenant_id, hash, permissions, created_at, expires_at, revoked_at, last_used_at
         FROM tenant_key WHERE tenant_id = ? ORDER BY created_at, id LIMIT ?",
    )
    .bind(tenant.as_str())
    .bind(KEYS_PER_TENANT_MAX)
    .fetch_all(connection)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

pub(crate) async fn revoke(
    connection: &mut SqliteConnection,
    id: KeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE tenant_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
        .bind(now.as_millis())
        .bind(id.as_bytes())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn mark_used(
    connection: &mut SqliteConnection,
    id: KeyId,
    time: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE tenant_key SET last_used_at = max(coalesce(last_used_at, ?1), ?1) WHERE id = ?2")
        .bind(time.as_millis())
        .bind(id.as_bytes())
        .execute(connection)
        .await?;
    Ok(())
}

fn from_row(row: &SqliteRow) -> Result<KeyRecord, StoreError> {
    let time = |column| {
        row.try_get::<Option<i64>, _>(column)
            .map(|time| time.map(Timestamp::from_millis))
    };
    let permissions: &str = row.try_get(3)?;
    Ok(KeyRecord {
        id: KeyId::stored(row.try_get(0)?)?,
        tenant: TenantId::stored(row.try_get(1)?),
        hash: row
            .try_get::<&[u8], _>(2)?
            .try_into()
            .map_err(|_| StoreError::corrupt("a key's hash is not 32 bytes long"))?,
        permissions: permissions.split(',').map(str::to_owned).collect(),
        created_at: Timestamp::from_millis(row.try_get(4)?),
        expires_at: time(5)?,
        revoked_at: time(6)?,
        last_used_at: time(7)?,
    })
}
