//! Deleting a tenant with everything that is its own.

use std::time::Duration;

use tokio::time::Instant;

use crate::database::Turn;
use crate::{Store, StoreError, TenantId, statements};

/// The most rows of a table that one transaction deletes.
const ROWS_MAX: u32 = 1_000;
/// A part that takes longer is followed by a smaller one, and one that takes less than half of it by a larger one.
const PART_TIME: Duration = Duration::from_millis(50);
/// The least time that other writers have between two parts.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// How far a tenant's deletion has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantDeletion {
    /// There is more to delete. The tenant is suspended.
    UnderWay {
        /// Leads that this part deleted.
        leads: u64,
    },
    /// The tenant is gone.
    Done {
        /// Leads that this part deleted.
        leads: u64,
    },
}

impl Store {
    /// Deletes a tenant and all that is its own, in parts, so that nobody else's write waits for long. The first part
    /// suspends the tenant. If it is given up in the middle, the tenant stays suspended, and calling it again goes on.
    /// `progress` is told how many leads each part deleted. An unknown tenant is [`StoreError::NotFound`].
    pub async fn delete_tenant(
        &self,
        id: &TenantId,
        mut progress: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let mut rows = ROWS_MAX / 8;
        loop {
            let start = Instant::now();
            match self.delete_tenant_part(id, rows).await? {
                TenantDeletion::Done { leads } => {
                    progress(leads);
                    return Ok(());
                }
                TenantDeletion::UnderWay { leads } => progress(leads),
            }
            let taken = start.elapsed();
            if taken > PART_TIME {
                rows = (rows / 2).max(1);
            } else if taken < PART_TIME / 2 {
                rows = (rows * 2).min(ROWS_MAX);
            }
            // Another process that waits for SQLite asks again now and then, and must find it free.
            tokio::time::sleep(taken.max(PAUSE_MIN)).await;
        }
    }

    /// Deletes a part of a tenant: up to `rows` of each table that may be large, and the tenant itself if that was all.
    /// One transaction.
    pub async fn delete_tenant_part(&self, id: &TenantId, rows: u32) -> Result<TenantDeletion, StoreError> {
        use statements::tenant_deletion as statements;

        let mut transaction = self.database.write(Turn::Tenant(id)).await?;
        if crate::statements::tenants::find(&mut transaction, id)
            .await?
            .is_none()
        {
            return Err(StoreError::NotFound { what: "tenant" });
        }
        statements::suspend(&mut transaction, id).await?;
        let leads = statements::leads(&mut transaction, id, rows).await?;
        let changes = statements::lead_changes(&mut transaction, id, rows).await?;
        let events = statements::outbox(&mut transaction, id, rows).await?;
        let metrics = statements::metrics(&mut transaction, id, rows).await?;
        let answers = statements::idempotency_keys(&mut transaction, id, rows).await?;
        let is_all = [leads, changes, events, metrics, answers]
            .iter()
            .all(|deleted| *deleted < u64::from(rows));
        if is_all {
            statements::tenant(&mut transaction, id).await?;
        }
        transaction.commit().await?;
        Ok(if is_all {
            TenantDeletion::Done { leads }
        } else {
            TenantDeletion::UnderWay { leads }
        })
    }
}
