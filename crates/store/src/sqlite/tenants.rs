//! Statements on tenants.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tidings_wire::time::Timestamp;

use crate::{StoreError, Tenant, TenantId};

pub(crate) async fn is_name_taken(
    connection: &mut SqliteConnection,
    tenant: &Tenant,
) -> Result<bool, StoreError> {
    let taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tenant WHERE id IN (?1, ?2))
             OR EXISTS (SELECT 1 FROM tenant WHERE slug IN (?1, ?2))",
    )
    .bind(tenant.id.as_str())
    .bind(tenant.slug.as_str())
    .fetch_one(connection)
    .await?;
    Ok(taken)
}

pub(crate) async fn insert(connection: &mut SqliteConnection, tenant: &Tenant) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO tenant (id, slug, name, suspended, created_at) VALUES (?, ?, ?, ?, ?)")
        .bind(tenant.id.as_str())
        .bind(tenant.slug.as_str())
        .bind(&tenant.name)
        .bind(tenant.suspended)
        .bind(tenant.created_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    id: &TenantId,
) -> Result<Option<Tenant>, StoreError> {
    sqlx::query("SELECT id, slug, name, suspended, created_at FROM tenant WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row, 0))
        .transpose()
}

pub(crate) async fn list(
    connection: &mut SqliteConnection,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, StoreError> {
    sqlx::query("SELECT id, slug, name, suspended, created_at FROM tenant WHERE id > ? ORDER BY id LIMIT ?")
        .bind(after.map_or("", TenantId::as_str))
        .bind(limit)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| from_row(row, 0))
        .collect()
}

pub(crate) async fn set_suspended(
    connection: &mut SqliteConnection,
    id: &TenantId,
    suspended: bool,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE tenant SET suspended = ? WHERE id = ?")
        .bind(suspended)
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// The number that stands before the tenant's search terms.
pub(crate) async fn number(
    connection: &mut SqliteConnection,
    id: &TenantId,
) -> Result<Option<i64>, StoreError> {
    let number = sqlx::query_scalar("SELECT number FROM tenant WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(number)
}

/// Reads `id, slug, name, suspended, created_at` from the column `first` on.
pub(crate) fn from_row(row: &SqliteRow, first: usize) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: TenantId::stored(row.try_get(first)?),
        slug: TenantId::stored(row.try_get(first + 1)?),
        name: row.try_get(first + 2)?,
        suspended: row.try_get(first + 3)?,
        created_at: Timestamp::from_millis(row.try_get(first + 4)?),
    })
}
