//! A backup with all that it stands upon, fetched and checked.

use std::collections::HashSet;

use tidings_store::{JobId, LeadId, Tenant, TenantId};
use tokio::task::spawn_blocking;

use crate::BackupError;
use crate::archive::Archive;
use crate::manifest::{Manifest, RowCounts};
use crate::row::Row;
use crate::target::BackupTarget;

/// A backup and those before it, down to the full one: all there, whole, and fitting each other.
pub struct Chain {
    /// The full one first.
    pub(crate) links: Vec<Link>,
    pub(crate) tenant: Tenant,
    newest: Manifest,
}

/// A backup of a chain.
pub(crate) struct Link {
    pub(crate) archive: Archive,
    /// Leads of which this backup knows better than those before it: what they say of these does not count.
    pub(crate) changed: HashSet<LeadId>,
    /// Those of them that were gone: their history before is gone too.
    pub(crate) gone: HashSet<LeadId>,
}

/// Fetches and checks a tenant's backup, the newest if none is named, and all that it stands upon. Nothing is written.
pub async fn verify(
    target: &BackupTarget,
    tenant: &TenantId,
    id: Option<JobId>,
) -> Result<Chain, BackupError> {
    let mut manifest = match id {
        Some(id) => target.manifest(tenant, id).await?,
        None => target.newest(tenant).await?.ok_or_else(|| BackupError::None {
            tenant: tenant.clone(),
        })?,
    };
    let mut links = Vec::new();
    let mut newest = None;
    // Each stands one lower than the one before, so that there is an end.
    loop {
        let base = manifest.base.clone();
        let (id, sequence, point) = (manifest.id, manifest.sequence, manifest.point);
        let archive = Archive::fetch(target, manifest).await?;
        let (link, found) = spawn_blocking(move || check(archive))
            .await
            .map_err(BackupError::target)??;
        newest.get_or_insert_with(|| (link.archive.manifest().clone(), found));
        links.push(link);
        let Some(base) = base else { break };
        let below = target
            .manifest(tenant, base.id)
            .await
            .map_err(|error| match error {
                BackupError::NotFound { .. } => BackupError::damaged(
                    id,
                    format!("backup {}, upon which it stands, is missing", base.id),
                ),
                error => error,
            })?;
        let fits = below.data.sha256 == base.sha256
            && below.sequence + 1 == sequence
            && below.point.lead_change <= point.lead_change
            && below.point.audit_head.sequence <= point.audit_head.sequence;
        if !fits {
            let what = format!("backup {} is not the one upon which it stands", base.id);
            return Err(BackupError::damaged(id, what));
        }
        manifest = below;
    }
    links.reverse();
    let (newest, tenant) = newest.ok_or_else(|| BackupError::None {
        tenant: tenant.clone(),
    })?;
    Ok(Chain {
        links,
        tenant,
        newest,
    })
}

/// Reads a backup once, and remembers which leads it is about if it is incremental.
fn check(mut archive: Archive) -> Result<(Link, Tenant), BackupError> {
    let id = archive.manifest().id;
    let tenant_id = archive.manifest().tenant_id.clone();
    let is_incremental = archive.manifest().base.is_some();
    let (mut changed, mut gone, mut tenant) = (HashSet::new(), HashSet::new(), None);
    archive.read(|row| {
        match row {
            Row::Tenant(found) => tenant = Some(found),
            Row::Lead(lead) if is_incremental => {
                changed.insert(lead.id);
            }
            Row::LeadGone(lead) => {
                changed.insert(lead);
                gone.insert(lead);
            }
            _ => {}
        }
        Ok(())
    })?;
    let tenant = tenant
        .filter(|tenant: &Tenant| tenant.id == tenant_id)
        .ok_or_else(|| BackupError::damaged(id, "it does not hold its tenant"))?;
    let link = Link {
        archive,
        changed,
        gone,
    };
    Ok((link, tenant))
}

impl Chain {
    /// The backup that was asked for.
    pub fn newest(&self) -> &Manifest {
        &self.newest
    }

    /// All backups of the chain, the full one first.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.links.iter().map(|link| link.archive.manifest())
    }

    /// The rows of all of them.
    pub fn rows(&self) -> RowCounts {
        self.manifests()
            .fold(RowCounts::default(), |sum, manifest| RowCounts {
                tenants: sum.tenants + manifest.rows.tenants,
                keys: sum.keys + manifest.rows.keys,
                leads: sum.leads + manifest.rows.leads,
                leads_gone: sum.leads_gone + manifest.rows.leads_gone,
                lead_changes: sum.lead_changes + manifest.rows.lead_changes,
                audit_entries: sum.audit_entries + manifest.rows.audit_entries,
            })
    }
}
