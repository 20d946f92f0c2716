//! Statements on the history of leads.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::lead::change::created;
use crate::{Actor, Lead, LeadChange, LeadChangeKind, LeadId, StoreError, TenantId};

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant: &TenantId,
    change: &LeadChange,
) -> Result<(), StoreError> {
    sql("INSERT INTO lead_change (tenant_id, lead_id, time, actor, kind, detail) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(tenant.as_str())
        .bind(change.lead_id.as_bytes())
        .bind(change.time.as_millis())
        .bind(change.actor.as_str())
        .bind(change.kind.as_str())
        .bind(change.detail.get())
        .execute(transaction)
        .await?;
    Ok(())
}

/// The first entry of many leads.
pub(crate) async fn insert_created(
    transaction: &mut Transaction,
    tenant: &TenantId,
    leads: &[Lead],
    actor: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changes: Vec<_> = leads
        .iter()
        .map(|lead| created(lead, actor, now))
        .collect::<Result<_, _>>()?;
    insert_all(transaction, tenant, &changes).await
}

/// Entries in their order.
pub(crate) async fn insert_all(
    transaction: &mut Transaction,
    tenant: &TenantId,
    changes: &[LeadChange],
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut query = sql("INSERT INTO lead_change (tenant_id, lead_id, time, actor, kind, detail) VALUES ");
    for (position, change) in changes.iter().enumerate() {
        query
            .push(if position == 0 { "(" } else { ", (" })
            .push_bind(tenant.as_str());
        query.push(", ").push_bind(change.lead_id.as_bytes());
        query.push(", ").push_bind(change.time.as_millis());
        query.push(", ").push_bind(change.actor.as_str());
        query.push(", ").push_bind(change.kind.as_str());
        query.push(", ").push_bind(change.detail.get()).push(")");
    }
    query.execute(transaction).await?;
    Ok(())
}

/// A lead's history, oldest first, at most `limit` entries.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant: &TenantId,
    lead: LeadId,
    limit: u32,
) -> Result<Vec<LeadChange>, StoreError> {
    sql("SELECT lead_id, time, actor, kind, detail FROM lead_change
         WHERE tenant_id = $1 AND lead_id = $2 ORDER BY number LIMIT $3")
    .bind(tenant.as_str())
    .bind(lead.as_bytes())
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Forgets what a lead was: its history holds personal data.
pub(crate) async fn delete(
    transaction: &mut Transaction,
    tenant: &TenantId,
    lead: LeadId,
) -> Result<(), StoreError> {
    sql("DELETE FROM lead_change WHERE tenant_id = $1 AND lead_id = $2")
        .bind(tenant.as_str())
        .bind(lead.as_bytes())
        .execute(transaction)
        .await?;
    Ok(())
}

pub(super) fn from_row(row: &Row) -> Result<LeadChange, StoreError> {
    Ok(LeadChange {
        lead_id: LeadId::stored(&row.get::<Vec<u8>>(0)?)?,
        time: Timestamp::from_millis(row.get(1)?),
        actor: Actor::stored(row.get(2)?),
        kind: LeadChangeKind::stored(&row.get::<String>(3)?)?,
        detail: RawValue::from_string(row.get(4)?).map_err(|error| StoreError::Corrupt(error.into()))?,
    })
}
