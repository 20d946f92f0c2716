//! Executions that ended long ago are forgotten.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tidings_wire::time::Timestamp;

use crate::gateway::Inner;

/// How often they are looked for.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Inner {
    /// Deletes what has been at its end for long enough, and takes the members out of its rooms. One batch: the next sweep
    /// deletes the next, so that others can write meanwhile.
    pub(crate) async fn forget_ended(&self) {
        let Some(retention) = self.limits.ended_execution_retention else {
            return;
        };
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(self.now().as_millis().saturating_sub(retention_ms));
        match self.store.delete_ended_executions(before).await {
            Ok(deleted) => {
                self.executions_forgotten.fetch_add(deleted.count as u64, Relaxed);
                for owner in &deleted.owners {
                    self.recheck_owner(owner).await;
                }
            }
            Err(error) => tracing::warn!(%error, "executions that ended long ago are still there"),
        }
    }
}
