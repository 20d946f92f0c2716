//! Statements on metrics.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use crate::{MetricIncrement, StoreError, TenantId};

pub(crate) async fn add(
    connection: &mut SqliteConnection,
    increment: &MetricIncrement,
    hour: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO metric_rollup (tenant_id, metric, hour, count) VALUES (?, ?, ?, ?)
         ON CONFLICT (tenant_id, metric, hour) DO UPDATE SET count = count + excluded.count",
    )
    .bind(increment.tenant.as_str())
    .bind(increment.metric)
    .bind(hour)
    .bind(increment.count)
    .execute(connection)
    .await
    .map_err(|error| match StoreError::from(error) {
        StoreError::NotFound { .. } => StoreError::NotFound { what: "tenant" },
        other => other,
    })?;
    Ok(())
}

pub(crate) async fn counts(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    since: i64,
) -> Result<BTreeMap<String, u64>, StoreError> {
    sqlx::query(
        "SELECT metric, sum(count) FROM metric_rollup WHERE tenant_id = ? AND hour >= ? GROUP BY metric",
    )
    .bind(tenant.as_str())
    .bind(since)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.unsigned_abs())))
    .collect()
}
