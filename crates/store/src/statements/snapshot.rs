//! Statements that read all of a tenant, page by page, each by an index in its order.

use super::leads::{COLUMNS, from_row as lead_from_row};
use super::{lead_changes, leads};
use crate::database::{Transaction, sql};
use crate::{Lead, LeadChange, LeadCursor, LeadId, StoreError, TenantId};

/// The number of the last entry in the history of any of a tenant's leads; 0 if there is none.
pub(crate) async fn last_change(transaction: &mut Transaction, tenant: &TenantId) -> Result<i64, StoreError> {
    sql("SELECT coalesce(max(number), 0) FROM lead_change WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(transaction)
        .await?
        .get(0)
}

/// Leads, oldest first, from the first one after the cursor.
pub(crate) async fn leads(
    transaction: &mut Transaction,
    tenant: &TenantId,
    after: Option<&LeadCursor>,
    limit: u32,
) -> Result<Vec<Lead>, StoreError> {
    let mut query = sql("SELECT ");
    query
        .push(COLUMNS)
        .push(" FROM lead l WHERE l.tenant_id = ")
        .push_bind(tenant.as_str());
    if let Some(cursor) = after {
        query
            .push(" AND (l.created_at, l.id) > (")
            .push_bind(cursor.created_at.as_millis());
        query.push(", ").push_bind(cursor.id.as_bytes()).push(")");
    }
    query.push(" ORDER BY l.created_at, l.id LIMIT ").push_bind(limit);
    query
        .fetch_all(transaction)
        .await?
        .iter()
        .map(lead_from_row)
        .collect()
}

/// The leads of these ids that there are.
pub(crate) async fn leads_of(
    transaction: &mut Transaction,
    tenant: &TenantId,
    ids: &[LeadId],
) -> Result<Vec<Lead>, StoreError> {
    let mut query = sql("SELECT ");
    query
        .push(COLUMNS)
        .push(" FROM lead l WHERE l.tenant_id = ")
        .push_bind(tenant.as_str());
    query.push(" AND l.id IN (");
    query.push_list(ids.iter().map(LeadId::as_bytes)).push(")");
    query
        .fetch_all(transaction)
        .await?
        .iter()
        .map(leads::from_row)
        .collect()
}

/// Which leads have history entries behind a number, by their ids, from the first one after `after`.
pub(crate) async fn changed_leads(
    transaction: &mut Transaction,
    tenant: &TenantId,
    since: i64,
    after: Option<LeadId>,
    limit: u32,
) -> Result<Vec<LeadId>, StoreError> {
    let first: &[u8] = &[];
    let after = after.as_ref().map_or(first, LeadId::as_bytes);
    sql(
        "SELECT DISTINCT lead_id FROM lead_change WHERE tenant_id = $1 AND lead_id > $2 AND number > $3
         ORDER BY lead_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(since)
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| LeadId::stored(&row.get::<Vec<u8>>(0)?))
    .collect()
}

/// History entries behind a number, lead by lead, each with its number, from the first one after `after`.
pub(crate) async fn changes(
    transaction: &mut Transaction,
    tenant: &TenantId,
    since: i64,
    after: Option<(LeadId, i64)>,
    limit: u32,
) -> Result<Vec<(i64, LeadChange)>, StoreError> {
    let first: &[u8] = &[];
    let (lead, number) = after
        .as_ref()
        .map_or((first, 0), |(lead, number)| (lead.as_bytes(), *number));
    sql(
        "SELECT lead_id, time, actor, kind, detail, number FROM lead_change
         WHERE tenant_id = $1 AND (lead_id, number) > ($2, $3) AND number > $4 ORDER BY lead_id, number LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(lead)
    .bind(number)
    .bind(since)
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| Ok((row.get(5)?, lead_changes::from_row(row)?)))
    .collect()
}
