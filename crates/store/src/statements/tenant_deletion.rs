//! Statements that delete a tenant in parts.
//!
//! What a tenant may have very much of is deleted here before the tenant is, some rows at a time. Everything else goes
//! with the tenant's row, by `ON DELETE CASCADE`: a new table needs that and nothing here, unless it grows without bound.

use crate::database::{Transaction, sql};
use crate::{StoreError, TenantId};

/// Columns of a tenant's (`$1`) oldest leads, so many (`$2`) of them.
macro_rules! oldest_leads {
    ($columns:literal) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM lead WHERE tenant_id = $1 ORDER BY created_at, id LIMIT $2)"
        )
    };
}

/// Shuts the tenant's keys out, if they are not.
pub(crate) async fn suspend(transaction: &mut Transaction, id: &TenantId) -> Result<(), StoreError> {
    sql("UPDATE tenant SET suspended = TRUE WHERE id = $1 AND NOT suspended")
        .bind(id.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Deletes the oldest leads, counts them out and tells how many.
pub(crate) async fn leads(
    transaction: &mut Transaction,
    id: &TenantId,
    rows: u32,
) -> Result<u64, StoreError> {
    let mut statements = vec![
        concat!(
            "INSERT INTO lead_total (tenant_id, status, source, count)
             SELECT tenant_id, status, source, -count(*) FROM ",
            oldest_leads!("tenant_id, status, source"),
            " AS part GROUP BY tenant_id, status, source
             ON CONFLICT (tenant_id, status, source) DO UPDATE SET count = lead_total.count + excluded.count"
        ),
        concat!(
            "INSERT INTO lead_hour (tenant_id, hour, status, count)
             SELECT tenant_id, hour, status, -count(*) FROM ",
            // The beginning of the hour, also before 1970.
            oldest_leads!(
                "tenant_id, created_at - (created_at % 3600000 + 3600000) % 3600000 AS hour, status"
            ),
            " AS part GROUP BY tenant_id, hour, status
             ON CONFLICT (tenant_id, hour, status) DO UPDATE SET count = lead_hour.count + excluded.count"
        ),
    ];
    if !transaction.is_postgres() {
        // The index is a table of SQLite's own kind, which has no foreign keys.
        statements.push(concat!(
            "DELETE FROM lead_search WHERE rowid IN ",
            oldest_leads!("number")
        ));
    }
    for statement in statements {
        sql(statement)
            .bind(id.as_str())
            .bind(rows)
            .execute(transaction)
            .await?;
    }
    sql(concat!(
        "DELETE FROM lead WHERE number IN ",
        oldest_leads!("number")
    ))
    .bind(id.as_str())
    .bind(rows)
    .execute(transaction)
    .await
}

/// Deletes what became of leads, those of long ago too.
pub(crate) async fn lead_changes(
    transaction: &mut Transaction,
    id: &TenantId,
    rows: u32,
) -> Result<u64, StoreError> {
    sql("DELETE FROM lead_change WHERE number IN
             (SELECT number FROM lead_change WHERE tenant_id = $1 ORDER BY lead_id, number LIMIT $2)")
    .bind(id.as_str())
    .bind(rows)
    .execute(transaction)
    .await
}

/// Deletes events that nobody came to publish.
pub(crate) async fn outbox(
    transaction: &mut Transaction,
    id: &TenantId,
    rows: u32,
) -> Result<u64, StoreError> {
    sql("DELETE FROM outbox WHERE number IN
             (SELECT number FROM outbox WHERE tenant_id = $1 ORDER BY number LIMIT $2)")
    .bind(id.as_str())
    .bind(rows)
    .execute(transaction)
    .await
}

pub(crate) async fn metrics(
    transaction: &mut Transaction,
    id: &TenantId,
    rows: u32,
) -> Result<u64, StoreError> {
    sql(
        "DELETE FROM metric_rollup WHERE tenant_id = $1 AND (metric, hour) IN
             (SELECT metric, hour FROM metric_rollup WHERE tenant_id = $1 ORDER BY metric, hour LIMIT $2)",
    )
    .bind(id.as_str())
    .bind(rows)
    .execute(transaction)
    .await
}

/// Deletes answers that were remembered for the tenant, which name it by their scope.
pub(crate) async fn idempotency_keys(
    transaction: &mut Transaction,
    id: &TenantId,
    rows: u32,
) -> Result<u64, StoreError> {
    sql("DELETE FROM idempotency_key WHERE scope = $1 AND key IN
             (SELECT key FROM idempotency_key WHERE scope = $1 ORDER BY key LIMIT $2)")
    .bind(format!("tenant:{id}"))
    .bind(rows)
    .execute(transaction)
    .await
}

/// Deletes the tenant with all that is left.
pub(crate) async fn tenant(transaction: &mut Transaction, id: &TenantId) -> Result<(), StoreError> {
    sql("DELETE FROM tenant WHERE id = $1")
        .bind(id.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}
