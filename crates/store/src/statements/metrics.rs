//! Statements on metrics.

use std::collections::BTreeMap;

use crate::database::{Transaction, sql};
use crate::{MetricIncrement, StoreError, TenantId};

/// Adds to a tenant's count, if there is such a tenant.
pub(crate) async fn add(
    transaction: &mut Transaction,
    increment: &MetricIncrement,
    hour: i64,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO metric_rollup (tenant_id, metric, hour, count) SELECT id, $2, $3, $4 FROM tenant WHERE id = $1
         ON CONFLICT (tenant_id, metric, hour) DO UPDATE SET count = metric_rollup.count + excluded.count",
    )
    .bind(increment.tenant.as_str())
    .bind(increment.metric)
    .bind(hour)
    .bind(increment.count)
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn counts(
    transaction: &mut Transaction,
    tenant: &TenantId,
    since: i64,
) -> Result<BTreeMap<String, u64>, StoreError> {
    sql(
        "SELECT metric, CAST(sum(count) AS BIGINT) FROM metric_rollup WHERE tenant_id = $1 AND hour >= $2 GROUP BY metric",
    )
    .bind(tenant.as_str())
    .bind(since)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| Ok((row.get(0)?, row.number(1)?)))
    .collect()
}
