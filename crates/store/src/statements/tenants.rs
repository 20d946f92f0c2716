//! Statements on tenants.

use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::{StoreError, Tenant, TenantId};

pub(crate) async fn is_name_taken(
    transaction: &mut Transaction,
    tenant: &Tenant,
) -> Result<bool, StoreError> {
    sql("SELECT EXISTS (SELECT 1 FROM tenant WHERE id IN ($1, $2))
             OR EXISTS (SELECT 1 FROM tenant WHERE slug IN ($1, $2))")
    .bind(tenant.id.as_str())
    .bind(tenant.slug.as_str())
    .fetch_one(transaction)
    .await?
    .get(0)
}

pub(crate) async fn insert(transaction: &mut Transaction, tenant: &Tenant) -> Result<(), StoreError> {
    sql("INSERT INTO tenant (id, slug, name, suspended, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.id.as_str())
        .bind(tenant.slug.as_str())
        .bind(tenant.name.as_str())
        .bind(tenant.suspended)
        .bind(tenant.created_at.as_millis())
        .execute(transaction)
        .await?;
    Ok(())
}

pub(crate) async fn find(transaction: &mut Transaction, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
    sql("SELECT id, slug, name, suspended, created_at FROM tenant WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(transaction)
        .await?
        .map(|row| from_row(&row, 0))
        .transpose()
}

pub(crate) async fn list(
    transaction: &mut Transaction,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, StoreError> {
    sql("SELECT id, slug, name, suspended, created_at FROM tenant WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after.map_or("", TenantId::as_str))
        .bind(limit)
        .fetch_all(transaction)
        .await?
        .iter()
        .map(|row| from_row(row, 0))
        .collect()
}

pub(crate) async fn set_suspended(
    transaction: &mut Transaction,
    id: &TenantId,
    suspended: bool,
) -> Result<(), StoreError> {
    sql("UPDATE tenant SET suspended = $1 WHERE id = $2")
        .bind(suspended)
        .bind(id.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

/// The number that stands before the tenant's search terms.
pub(crate) async fn number(transaction: &mut Transaction, id: &TenantId) -> Result<Option<i64>, StoreError> {
    sql("SELECT number FROM tenant WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(transaction)
        .await?
        .map(|row| row.get(0))
        .transpose()
}

/// Reads `id, slug, name, suspended, created_at` from the column `first` on.
pub(crate) fn from_row(row: &Row, first: usize) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: TenantId::stored(row.get(first)?),
        slug: TenantId::stored(row.get(first + 1)?),
        name: row.get(first + 2)?,
        suspended: row.get(first + 3)?,
        created_at: Timestamp::from_millis(row.get(first + 4)?),
    })
}
