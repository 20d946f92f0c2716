//! All of a tenant as it was at one moment, to be read in pages while others write.

use tidings_wire::time::Timestamp;

use crate::database::Transaction;
use crate::{
    AuditEntry, AuditHead, Job, JobKind, KeyRecord, Lead, LeadChange, LeadCursor, LeadId, Store, StoreError,
    Tenant, TenantId, statements,
};

/// The most rows that one page of a snapshot holds.
pub const SNAPSHOT_PAGE_MAX: u32 = 500;

/// A moment in a tenant's life: what came before it is behind these places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotPoint {
    /// When it was.
    pub time: Timestamp,
    /// The number of the last entry in the history of any lead. It only rises, until the tenant is restored.
    pub lead_change: i64,
    /// The head of the audit log.
    pub audit: AuditHead,
}

/// A tenant at one moment. It holds a transaction open: what others write meanwhile is kept twice until it is dropped.
pub struct Snapshot {
    transaction: Transaction,
    tenant: Tenant,
    point: SnapshotPoint,
}

impl Store {
    /// The tenant as it is now. Unknown: [`StoreError::NotFound`].
    pub async fn snapshot(&self, id: &TenantId) -> Result<Snapshot, StoreError> {
        let mut transaction = self.database.read_snapshot(Some(id)).await?;
        let tenant = statements::tenants::find(&mut transaction, id).await?;
        let tenant = tenant.ok_or(StoreError::NotFound { what: "tenant" })?;
        let point = SnapshotPoint {
            time: self.now(),
            lead_change: statements::snapshot::last_change(&mut transaction, id).await?,
            audit: statements::audit::head(&mut transaction, id).await?,
        };
        Ok(Snapshot {
            transaction,
            tenant,
            point,
        })
    }
}

impl Snapshot {
    /// The tenant itself.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Which moment it is.
    pub fn point(&self) -> SnapshotPoint {
        self.point
    }

    /// The last time somebody began to restore it.
    pub async fn last_restore(&mut self) -> Result<Option<Job>, StoreError> {
        let jobs =
            statements::jobs::list(&mut self.transaction, &self.tenant.id, JobKind::Restore, 1).await?;
        Ok(jobs.into_iter().next())
    }

    /// Its keys, with their hashes.
    pub async fn keys(&mut self) -> Result<Vec<KeyRecord>, StoreError> {
        statements::keys::list(&mut self.transaction, &self.tenant.id).await
    }

    /// A page of its leads, oldest first, from the first one after `after`.
    pub async fn leads(&mut self, after: Option<&Lead>) -> Result<Vec<Lead>, StoreError> {
        let cursor = after.map(LeadCursor::of);
        statements::snapshot::leads(
            &mut self.transaction,
            &self.tenant.id,
            cursor.as_ref(),
            SNAPSHOT_PAGE_MAX,
        )
        .await
    }

    /// A page of the ids of leads that changed behind a [`SnapshotPoint::lead_change`], those that are gone too.
    pub async fn changed_leads(
        &mut self,
        since: i64,
        after: Option<LeadId>,
    ) -> Result<Vec<LeadId>, StoreError> {
        let tenant = &self.tenant.id;
        statements::snapshot::changed_leads(&mut self.transaction, tenant, since, after, SNAPSHOT_PAGE_MAX)
            .await
    }

    /// The leads of these ids, at most [`SNAPSHOT_PAGE_MAX`], without those that are gone.
    pub async fn leads_of(&mut self, ids: &[LeadId]) -> Result<Vec<Lead>, StoreError> {
        statements::snapshot::leads_of(&mut self.transaction, &self.tenant.id, ids).await
    }

    /// A page of the history of its leads behind a [`SnapshotPoint::lead_change`] (0 for all), lead by lead, each entry
    /// with its number, from the first one after `after`.
    pub async fn lead_changes(
        &mut self,
        since: i64,
        after: Option<(LeadId, i64)>,
    ) -> Result<Vec<(i64, LeadChange)>, StoreError> {
        let tenant = &self.tenant.id;
        statements::snapshot::changes(&mut self.transaction, tenant, since, after, SNAPSHOT_PAGE_MAX).await
    }

    /// A page of its audit log, from the first entry after `after`.
    pub async fn audit(&mut self, after: i64) -> Result<Vec<AuditEntry>, StoreError> {
        statements::audit::list(&mut self.transaction, &self.tenant.id, after, SNAPSHOT_PAGE_MAX).await
    }
}
