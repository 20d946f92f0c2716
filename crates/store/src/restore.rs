//! Putting back what a backup holds.
//!
//! A restore is a job like any other, so that it is seen; whoever restores begins it ([`Store::begin_restore`]), puts rows
//! back in parts and ends it. Meanwhile the tenant is suspended: its keys are refused, and nobody sees half of it. A
//! restore that was given up leaves it so, and the next one begins anew.
//!
//! Nothing is announced: no event tells of rows that come back.

use crate::audit::check_behind;
use crate::database::Turn;
use crate::{
    Actor, Attached, AuditEntry, Job, JobEnd, JobKind, JobPriority, KeyRecord, Lead, LeadChange, NewJob,
    Store, StoreError, Tenant, TenantId, statements,
};

/// The most rows that are put back in one transaction.
pub const RESTORE_PAGE_MAX: usize = 500;

/// A restore under way.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The job.
    pub job: Job,
    /// Whether the tenant was suspended before.
    pub was_suspended: bool,
}

impl Store {
    /// Begins to restore a tenant: makes it if there is none, and suspends it. One that has leads, or a history of some, is
    /// a [`StoreError::Conflict`], unless `replace` says that they are to go. An id or slug that another tenant has is a
    /// [`StoreError::Conflict`] too.
    pub async fn begin_restore(
        &self,
        tenant: &Tenant,
        replace: bool,
        new: NewJob,
        attach: impl FnOnce(&Job) -> Attached,
    ) -> Result<Restore, StoreError> {
        let id = &tenant.id;
        let mut transaction = self.database.write(Turn::Of("tenants", "")).await?;
        let found = statements::tenants::find(&mut transaction, id).await?;
        let was_suspended = if let Some(found) = found {
            let is_empty = statements::restore::is_empty(&mut transaction, id).await?;
            if !replace && !is_empty {
                return Err(StoreError::Conflict {
                    what: "the tenant has leads, or had some",
                });
            }
            // One that was given up has suspended it.
            let is_given_up =
                statements::jobs::count_unfinished(&mut transaction, id, JobKind::Restore).await? > 0;
            statements::tenants::set_suspended(&mut transaction, id, true).await?;
            found.suspended && !is_given_up
        } else {
            let suspended = Tenant {
                suspended: true,
                ..tenant.clone()
            };
            if statements::tenants::is_name_taken(&mut transaction, &suspended).await? {
                return Err(StoreError::Conflict {
                    what: "tenant id or slug is taken",
                });
            }
            statements::tenants::insert(&mut transaction, &suspended).await?;
            false
        };
        statements::jobs::give_up(&mut transaction, id, JobKind::Restore, self.now()).await?;
        transaction.commit().await?;
        let new = NewJob {
            kind: JobKind::Restore,
            priority: JobPriority::High,
            ..new
        };
        let written = self.begin_job(new, attach).await?;
        Ok(Restore {
            job: written.value,
            was_suspended,
        })
    }

    /// Removes a part of a tenant's leads and their history, at most so many of each, with nothing left of them. Returns
    /// whether that was all.
    pub async fn remove_for_restore(&self, tenant: &TenantId, rows: u32) -> Result<bool, StoreError> {
        use statements::tenant_deletion as deletion;

        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        let leads = deletion::leads(&mut transaction, tenant, rows).await?;
        let changes = deletion::lead_changes(&mut transaction, tenant, rows).await?;
        transaction.commit().await?;
        Ok(leads < u64::from(rows) && changes < u64::from(rows))
    }

    /// Puts leads back, at most [`RESTORE_PAGE_MAX`].
    pub async fn restore_leads(&self, tenant: &TenantId, leads: &[Lead]) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        statements::leads::insert_all(&mut transaction, tenant, leads).await?;
        transaction.commit().await
    }

    /// Puts history back, in its order, at most [`RESTORE_PAGE_MAX`] entries.
    pub async fn restore_lead_changes(
        &self,
        tenant: &TenantId,
        changes: &[LeadChange],
    ) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        statements::lead_changes::insert_all(&mut transaction, tenant, changes).await?;
        transaction.commit().await
    }

    /// Puts back the keys that are not there. One that is stays as it is: what was revoked since stays revoked.
    pub async fn restore_keys(&self, tenant: &TenantId, keys: &[KeyRecord]) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        for key in keys {
            statements::restore::insert_key(&mut transaction, tenant, key).await?;
        }
        transaction.commit().await
    }

    /// Puts back what the audit log lacks of these entries, which follow each other. Returns whether the log is theirs:
    /// one that has other entries in their places stays as it is.
    pub async fn restore_audit(&self, tenant: &TenantId, entries: &[AuditEntry]) -> Result<bool, StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        let mut head = statements::audit::head(&mut transaction, tenant).await?;
        let (known, missing) =
            entries.split_at(entries.partition_point(|entry| entry.sequence <= head.sequence));
        if let Some(first) = known.first() {
            let page = known.len() as u32;
            let present = statements::audit::list(&mut transaction, tenant, first.sequence - 1, page).await?;
            let is_same = present.len() == known.len()
                && present
                    .iter()
                    .zip(known)
                    .all(|(present, known)| present.hash == known.hash);
            if !is_same {
                return Ok(false);
            }
        }
        for entry in missing {
            let Some(next) = check_behind(head, tenant, entry) else {
                return Ok(false);
            };
            statements::audit::insert(&mut transaction, tenant, entry).await?;
            head = next;
        }
        if !missing.is_empty() {
            statements::audit::put_head(&mut transaction, tenant, head).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a restore and lets the tenant's keys in again, unless it `stays_suspended`.
    pub async fn end_restore(
        &self,
        restore: &Restore,
        end: JobEnd,
        stays_suspended: bool,
        attach: impl FnOnce(&Job) -> Attached,
    ) -> Result<(), StoreError> {
        self.finish_job(&restore.job, end, attach).await?;
        self.set_tenant_suspended(&restore.job.tenant, stays_suspended)
            .await?;
        Ok(())
    }
}

impl Actor {
    /// An actor as [`Actor::as_str`] gave it: a key's id or a word of this program's.
    pub fn parse(text: &str) -> Result<Actor, StoreError> {
        let is_plain = (1..=64).contains(&text.len()) && !text.chars().any(char::is_control);
        if !is_plain {
            return Err(StoreError::Invalid {
                what: "an actor is 1 to 64 bytes without control characters",
            });
        }
        Ok(Actor::stored(text.to_owned()))
    }
}
