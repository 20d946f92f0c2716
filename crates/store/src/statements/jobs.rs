//! Statements on jobs.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::{Actor, Job, JobId, JobKind, JobPriority, JobStatus, StoreError, TenantId};

macro_rules! columns {
    () => {
        "id, tenant_id, kind, priority, parameters, actor, status, attempts, requested_at, started_at, finished_at, result"
    };
}

pub(crate) async fn insert(
    transaction: &mut Transaction,
    job: &Job,
    held_until: Timestamp,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO job (id, tenant_id, kind, priority, parameters, actor, status, attempts, held_until, requested_at,
                          started_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(job.id.as_bytes())
    .bind(job.tenant.as_str())
    .bind(job.kind.as_str())
    .bind(job.priority as i64)
    .bind(job.parameters.get())
    .bind(job.actor.as_str())
    .bind(job.status.as_str())
    .bind(job.attempts)
    .bind(held_until.as_millis())
    .bind(job.requested_at.as_millis())
    .bind(job.started_at.map(Timestamp::as_millis))
    .execute(transaction)
    .await?;
    Ok(())
}

/// How many of a tenant's jobs of this kind have not finished.
pub(crate) async fn count_unfinished(
    transaction: &mut Transaction,
    tenant: &TenantId,
    kind: JobKind,
) -> Result<u32, StoreError> {
    sql("SELECT count(*) FROM job WHERE tenant_id = $1 AND kind = $2 AND finished_at IS NULL")
        .bind(tenant.as_str())
        .bind(kind.as_str())
        .fetch_one(transaction)
        .await?
        .number(0)
}

/// Whether there is a job that nobody holds.
pub(crate) async fn has_unheld(
    transaction: &mut Transaction,
    kind: JobKind,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found =
        sql("SELECT id FROM job WHERE kind = $1 AND finished_at IS NULL AND held_until <= $2 LIMIT 1")
            .bind(kind.as_str())
            .bind(now.as_millis())
            .fetch_optional(transaction)
            .await?;
    Ok(found.is_some())
}

/// Takes the first job that nobody holds, and holds it.
pub(crate) async fn claim(
    transaction: &mut Transaction,
    kind: JobKind,
    now: Timestamp,
    held_until: Timestamp,
) -> Result<Option<Job>, StoreError> {
    sql(concat!(
        "UPDATE job SET status = 'running', attempts = attempts + 1, started_at = $1, held_until = $2
         WHERE id = (SELECT id FROM job WHERE kind = $3 AND finished_at IS NULL AND held_until <= $1
                     ORDER BY priority DESC, id LIMIT 1)
         RETURNING ",
        columns!()
    ))
    .bind(now.as_millis())
    .bind(held_until.as_millis())
    .bind(kind.as_str())
    .fetch_optional(transaction)
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

/// Holds a job for longer; whether it was still in the hands of whoever made this attempt.
pub(crate) async fn hold(
    transaction: &mut Transaction,
    job: &Job,
    held_until: Timestamp,
) -> Result<bool, StoreError> {
    let held = sql("UPDATE job SET held_until = $1
         WHERE id = $2 AND tenant_id = $3 AND attempts = $4 AND finished_at IS NULL")
    .bind(held_until.as_millis())
    .bind(job.id.as_bytes())
    .bind(job.tenant.as_str())
    .bind(job.attempts)
    .execute(transaction)
    .await?;
    Ok(held > 0)
}

/// Finishes a job; whether it was still in the hands of whoever made this attempt.
pub(crate) async fn finish(transaction: &mut Transaction, job: &Job) -> Result<bool, StoreError> {
    let finished = sql("UPDATE job SET status = $1, finished_at = $2, result = $3
         WHERE id = $4 AND tenant_id = $5 AND attempts = $6 AND finished_at IS NULL")
    .bind(job.status.as_str())
    .bind(job.finished_at.map(Timestamp::as_millis))
    .bind(job.result.as_deref().map(RawValue::get))
    .bind(job.id.as_bytes())
    .bind(job.tenant.as_str())
    .bind(job.attempts)
    .execute(transaction)
    .await?;
    Ok(finished > 0)
}

/// Ends a tenant's unfinished jobs of this kind as failed.
pub(crate) async fn give_up(
    transaction: &mut Transaction,
    tenant: &TenantId,
    kind: JobKind,
    now: Timestamp,
) -> Result<(), StoreError> {
    sql(
        "UPDATE job SET status = 'failed', finished_at = $1, result = '{\"error\":\"given up\"}'
         WHERE tenant_id = $2 AND kind = $3 AND finished_at IS NULL",
    )
    .bind(now.as_millis())
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .execute(transaction)
    .await?;
    Ok(())
}

/// Forgets a tenant's finished jobs of this kind but for the newest `keep`.
pub(crate) async fn trim(
    transaction: &mut Transaction,
    tenant: &TenantId,
    kind: JobKind,
    keep: u32,
) -> Result<(), StoreError> {
    sql(
        "DELETE FROM job WHERE tenant_id = $1 AND kind = $2 AND finished_at IS NOT NULL AND id NOT IN
             (SELECT id FROM job WHERE tenant_id = $1 AND kind = $2 AND finished_at IS NOT NULL
              ORDER BY id DESC LIMIT $3)",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(keep)
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant: &TenantId,
    id: JobId,
) -> Result<Option<Job>, StoreError> {
    sql(concat!(
        "SELECT ",
        columns!(),
        " FROM job WHERE tenant_id = $1 AND id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id.as_bytes())
    .fetch_optional(transaction)
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

/// A tenant's jobs of this kind, newest first.
pub(crate) async fn list(
    transaction: &mut Transaction,
    tenant: &TenantId,
    kind: JobKind,
    limit: u32,
) -> Result<Vec<Job>, StoreError> {
    sql(concat!(
        "SELECT ",
        columns!(),
        " FROM job WHERE tenant_id = $1 AND kind = $2 ORDER BY id DESC LIMIT $3"
    ))
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

fn from_row(row: &Row) -> Result<Job, StoreError> {
    let time = |column| {
        row.get::<Option<i64>>(column)
            .map(|time| time.map(Timestamp::from_millis))
    };
    let json = |text| RawValue::from_string(text).map_err(|error| StoreError::Corrupt(error.into()));
    Ok(Job {
        id: JobId::stored(&row.get::<Vec<u8>>(0)?)?,
        tenant: TenantId::stored(row.get(1)?),
        kind: JobKind::stored(&row.get::<String>(2)?)?,
        priority: JobPriority::stored(row.get(3)?)?,
        parameters: json(row.get(4)?)?,
        actor: Actor::stored(row.get(5)?),
        status: JobStatus::stored(&row.get::<String>(6)?)?,
        attempts: row.number(7)?,
        requested_at: Timestamp::from_millis(row.get(8)?),
        started_at: time(9)?,
        finished_at: time(10)?,
        result: row.get::<Option<String>>(11)?.map(json).transpose()?,
    })
}
