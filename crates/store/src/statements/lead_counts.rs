//! Statements on the counters of leads.

use std::collections::BTreeMap;

use tidings_wire::time::Timestamp;

use crate::database::{Transaction, sql};
use crate::metric::hour_of;
use crate::{Lead, LeadStatus, StoreError, TenantId};

/// Counts a lead in (1) or out (-1), where its status and source belong.
pub(crate) async fn count(transaction: &mut Transaction, lead: &Lead, by: i64) -> Result<(), StoreError> {
    add_to_total(
        transaction,
        &lead.tenant_id,
        lead.status,
        lead.source.as_str(),
        by,
    )
    .await?;
    add_to_hour(
        transaction,
        &lead.tenant_id,
        hour_of(lead.created_at),
        lead.status,
        by,
    )
    .await
}

/// Counts many leads of one tenant in.
pub(super) async fn count_all(transaction: &mut Transaction, leads: &[Lead]) -> Result<(), StoreError> {
    let (mut totals, mut hours) = (BTreeMap::new(), BTreeMap::new());
    for lead in leads {
        *totals
            .entry((&lead.tenant_id, lead.status, lead.source.as_str()))
            .or_insert(0) += 1;
        *hours
            .entry((&lead.tenant_id, hour_of(lead.created_at), lead.status))
            .or_insert(0) += 1;
    }
    for ((tenant, status, source), count) in totals {
        add_to_total(transaction, tenant, status, source, count).await?;
    }
    for ((tenant, hour, status), count) in hours {
        add_to_hour(transaction, tenant, hour, status, count).await?;
    }
    Ok(())
}

async fn add_to_total(
    transaction: &mut Transaction,
    tenant: &TenantId,
    status: LeadStatus,
    source: &str,
    count: i64,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO lead_total (tenant_id, status, source, count) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, status, source) DO UPDATE SET count = lead_total.count + excluded.count",
    )
    .bind(tenant.as_str())
    .bind(status.as_str())
    .bind(source)
    .bind(count)
    .execute(transaction)
    .await?;
    Ok(())
}

async fn add_to_hour(
    transaction: &mut Transaction,
    tenant: &TenantId,
    hour: i64,
    status: LeadStatus,
    count: i64,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO lead_hour (tenant_id, hour, status, count) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, hour, status) DO UPDATE SET count = lead_hour.count + excluded.count",
    )
    .bind(tenant.as_str())
    .bind(hour)
    .bind(status.as_str())
    .bind(count)
    .execute(transaction)
    .await?;
    Ok(())
}

/// How many leads there are of a status and a source, where these are given.
pub(crate) async fn total(
    transaction: &mut Transaction,
    tenant: &TenantId,
    status: Option<LeadStatus>,
    source: Option<&str>,
) -> Result<u64, StoreError> {
    let mut query = sql("SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM lead_total WHERE tenant_id = ");
    query.push_bind(tenant.as_str());
    if let Some(status) = status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(source) = source {
        query.push(" AND source = ").push_bind(source);
    }
    query.fetch_one(transaction).await?.number(0)
}

/// Leads by status, of those created since the beginning of this hour.
pub(crate) async fn by_status(
    transaction: &mut Transaction,
    tenant: &TenantId,
    since: Option<Timestamp>,
) -> Result<Vec<(LeadStatus, u64)>, StoreError> {
    let query = match since {
        None => sql(
            "SELECT status, CAST(sum(count) AS BIGINT) FROM lead_total WHERE tenant_id = $1 GROUP BY status",
        )
        .bind(tenant.as_str()),
        Some(since) => sql("SELECT status, CAST(sum(count) AS BIGINT) FROM lead_hour
                            WHERE tenant_id = $1 AND hour >= $2 GROUP BY status")
        .bind(tenant.as_str())
        .bind(hour_of(since)),
    };
    let rows = query.fetch_all(transaction).await?;
    rows.iter()
        .map(|row| Ok((LeadStatus::stored(&row.get::<String>(0)?)?, row.number(1)?)))
        .collect()
}
