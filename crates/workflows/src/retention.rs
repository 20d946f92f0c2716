//! Executions that ended long ago are forgotten.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tidings_store::StoreError;
use tidings_wire::time::Timestamp;

use crate::gateway::Inner;

/// How often they are looked for.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Inner {
    /// Deletes what has been at its end for long enough, and takes the members out of its rooms. Some at a time: the next sweep
    /// deletes the next.
    pub(crate) async fn forget_ended(&self) {
        let Some(retention) = self.limits.ended_execution_retention else {
            return;
        };
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(self.now().as_millis().saturating_sub(retention_ms));
        if let Err(error) = self.forget_ended_before(before).await {
            tracing::warn!(%error, "executions that ended long ago are still there");
        }
    }

    async fn forget_ended_before(&self, before: Timestamp) -> Result<(), StoreError> {
        for (id, workflow) in self.store.ended_executions(before).await? {
            // Whoever changes the owner, or registers the id anew, waits until the room is empty.
            let _workflow_turn = self.workflow_turns.of(&workflow).await;
            let _turn = self.execution_turns.of(&id).await;
            if let Some(owner) = self.store.delete_ended_execution(&id, before).await? {
                self.executions_forgotten.fetch_add(1, Relaxed);
                self.recheck_owner_of_execution(&owner, &id).await;
            }
        }
        Ok(())
    }
}
