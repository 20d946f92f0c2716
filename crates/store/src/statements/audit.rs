//! Statements on the audit log.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::{Actor, AuditEntry, AuditHead, StoreError, TenantId};

/// The head of a tenant's chain; that of an empty one, if there is none.
pub(crate) async fn head(transaction: &mut Transaction, tenant: &TenantId) -> Result<AuditHead, StoreError> {
    let row = sql("SELECT sequence, hash FROM audit_head WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_optional(transaction)
        .await?;
    row.map_or(Ok(AuditHead::EMPTY), |row| {
        Ok(AuditHead {
            sequence: row.get(0)?,
            hash: hash(&row, 1)?,
        })
    })
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant: &TenantId,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO audit_entry (tenant_id, sequence, time, actor, action, outcome, detail, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant.as_str())
    .bind(entry.sequence)
    .bind(entry.time.as_millis())
    .bind(entry.actor.as_str())
    .bind(entry.action.as_str())
    .bind(entry.outcome.as_str())
    .bind(entry.detail.get())
    .bind(&entry.hash[..])
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn put_head(
    transaction: &mut Transaction,
    tenant: &TenantId,
    head: AuditHead,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO audit_head (tenant_id, sequence, hash) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
    )
    .bind(tenant.as_str())
    .bind(head.sequence)
    .bind(&head.hash[..])
    .execute(transaction)
    .await?;
    Ok(())
}

/// Entries in their order, from the first one after `after`.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant: &TenantId,
    after: i64,
    limit: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    sql(
        "SELECT sequence, time, actor, action, outcome, detail, hash FROM audit_entry
         WHERE tenant_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// What one actor did of one kind, in a part of the log.
pub(crate) struct ActionOfActor {
    pub(crate) actor: String,
    pub(crate) action: String,
    /// When it last had the outcome that was asked about.
    pub(crate) last_with_outcome_at: Option<Timestamp>,
    /// When it was last written down, whatever the outcome.
    pub(crate) last_entry_at: Timestamp,
}

/// The different actions of the entries after `after`, up to `last`.
pub(crate) async fn actions(
    transaction: &mut Transaction,
    tenant: &TenantId,
    outcome: &str,
    after: i64,
    last: i64,
) -> Result<Vec<ActionOfActor>, StoreError> {
    sql(
        "SELECT actor, action, max(CASE WHEN outcome = $2 THEN time END), max(time) FROM audit_entry
         WHERE tenant_id = $1 AND sequence > $3 AND sequence <= $4 GROUP BY actor, action",
    )
    .bind(tenant.as_str())
    .bind(outcome)
    .bind(after)
    .bind(last)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| {
        Ok(ActionOfActor {
            actor: row.get(0)?,
            action: row.get(1)?,
            last_with_outcome_at: row.get::<Option<i64>>(2)?.map(Timestamp::from_millis),
            last_entry_at: Timestamp::from_millis(row.get(3)?),
        })
    })
    .collect()
}

fn from_row(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        sequence: row.get(0)?,
        time: Timestamp::from_millis(row.get(1)?),
        actor: Actor::stored(row.get(2)?),
        action: row.get(3)?,
        outcome: row.get(4)?,
        detail: RawValue::from_string(row.get(5)?).map_err(|error| StoreError::Corrupt(error.into()))?,
        hash: hash(row, 6)?,
    })
}

fn hash(row: &Row, column: usize) -> Result<[u8; 32], StoreError> {
    row.get::<Vec<u8>>(column)?
        .try_into()
        .map_err(|_| StoreError::corrupt("a hash of the audit log is not 32 bytes long"))
}
