//! Making a backup.

use std::time::Instant;

use tidings_store::{JobId, LeadChange, Snapshot, Store, TenantId};

use crate::archive::ArchiveWriter;
use crate::manifest::{Base, FORMAT, Manifest};
use crate::row::Row;
use crate::target::BackupTarget;
use crate::{BackupError, BackupLimits, BackupType, retention};

/// Which backup to make.
#[derive(Clone, Debug)]
pub struct BackupRequest {
    /// Whose.
    pub tenant: TenantId,
    /// The job that makes it; the backup's id.
    pub id: JobId,
    /// How much of the tenant. An incremental one becomes a full one where there is none that it could stand upon.
    pub backup_type: BackupType,
}

/// Backs a tenant up as it is at this moment, while others write, and removes what there is too much of. The backup is
/// there when this returns; given up before, it is not.
pub async fn create(
    store: &Store,
    target: &BackupTarget,
    request: &BackupRequest,
    limits: BackupLimits,
) -> Result<Manifest, BackupError> {
    let start = Instant::now();
    let mut snapshot = store.snapshot(&request.tenant).await?;
    let below = match request.backup_type {
        BackupType::Full => None,
        BackupType::Incremental => base(target, &mut snapshot, limits).await?,
    };
    let mut output = ArchiveWriter::new(target, &request.tenant, request.id);
    let tenant = snapshot.tenant().clone();
    let mut first = vec![Row::Tenant(tenant.clone())];
    first.extend(snapshot.keys().await?.into_iter().map(Row::Key));
    output = output.write(first).await?;
    let (lead_change, audit) = below.as_ref().map_or((0, 0), |below| {
        (below.point.lead_change, below.point.audit_head.sequence)
    });
    output = if below.is_some() {
        changed_leads(&mut snapshot, output, lead_change).await?
    } else {
        all_leads(&mut snapshot, output).await?
    };
    output = history(&mut snapshot, output, lead_change).await?;
    output = audit_log(&mut snapshot, output, audit).await?;
    let point = snapshot.point().into();
    // Before the upload's end, which may take a while.
    drop(snapshot);
    let (data, rows) = output.finish().await?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        id: request.id,
        tenant_id: request.tenant.clone(),
        tenant_created_at: tenant.created_at,
        backup_type: if below.is_some() {
            BackupType::Incremental
        } else {
            BackupType::Full
        },
        sequence: below.as_ref().map_or(0, |below| below.sequence + 1),
        base: below.map(|below| Base {
            id: below.id,
            sha256: below.data.sha256,
        }),
        point,
        rows,
        data,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    target.put_manifest(&manifest).await?;
    // The backup is made, whatever becomes of older ones.
    if let Err(error) = retention::apply(target, &request.tenant, limits).await {
        tracing::warn!(%error, tenant = %request.tenant, "old backups were not removed");
    }
    Ok(manifest)
}

/// The backup that an incremental one can stand upon: the newest, if all since is known by its history.
async fn base(
    target: &BackupTarget,
    snapshot: &mut Snapshot,
    limits: BackupLimits,
) -> Result<Option<Manifest>, BackupError> {
    let restored = snapshot.last_restore().await?;
    let tenant = snapshot.tenant();
    let newest = match target.newest(&tenant.id).await {
        // Nothing stands upon what is damaged.
        Err(BackupError::Damaged { .. } | BackupError::UnknownFormat { .. }) => return Ok(None),
        newest => newest?,
    };
    let Some(newest) = newest else { return Ok(None) };
    let is_restored_since =
        restored.is_some_and(|job| job.finished_at.unwrap_or(job.requested_at) >= newest.point.time);
    let point = snapshot.point();
    let fits = newest.tenant_created_at == tenant.created_at
        && newest.sequence < limits.incrementals_max
        && newest.point.lead_change <= point.lead_change
        && newest.point.audit_head.sequence <= point.audit.sequence
        && !is_restored_since;
    Ok(fits.then_some(newest))
}

async fn all_leads(snapshot: &mut Snapshot, mut output: ArchiveWriter) -> Result<ArchiveWriter, BackupError> {
    let mut last = None;
    loop {
        let leads = snapshot.leads(last.as_ref()).await?;
        let Some(lead) = leads.last() else {
            return Ok(output);
        };
        last = Some(lead.clone());
        output = output.write(leads.into_iter().map(Row::Lead).collect()).await?;
    }
}

async fn changed_leads(
    snapshot: &mut Snapshot,
    mut output: ArchiveWriter,
    since: i64,
) -> Result<ArchiveWriter, BackupError> {
    let mut last = None;
    loop {
        let mut ids = snapshot.changed_leads(since, last).await?;
        if ids.is_empty() {
            return Ok(output);
        }
        last = ids.last().copied();
        let leads = snapshot.leads_of(&ids).await?;
        let there: std::collections::HashSet<_> = leads.iter().map(|lead| lead.id).collect();
        ids.retain(|id| !there.contains(id));
        let rows = leads
            .into_iter()
            .map(Row::Lead)
            .chain(ids.into_iter().map(Row::LeadGone));
        output = output.write(rows.collect()).await?;
    }
}

async fn history(
    snapshot: &mut Snapshot,
    mut output: ArchiveWriter,
    since: i64,
) -> Result<ArchiveWriter, BackupError> {
    let mut last = None;
    loop {
        let changes = snapshot.lead_changes(since, last).await?;
        let Some((number, LeadChange { lead_id, .. })) = changes.last() else {
            return Ok(output);
        };
        last = Some((*lead_id, *number));
        let rows = changes.into_iter().map(|(_, change)| Row::LeadChange(change));
        output = output.write(rows.collect()).await?;
    }
}

async fn audit_log(
    snapshot: &mut Snapshot,
    mut output: ArchiveWriter,
    since: i64,
) -> Result<ArchiveWriter, BackupError> {
    let mut last = since;
    loop {
        let entries = snapshot.audit(last).await?;
        let Some(entry) = entries.last() else {
            return Ok(output);
        };
        last = entry.sequence;
        output = output
            .write(entries.into_iter().map(Row::AuditEntry).collect())
            .await?;
    }
}
