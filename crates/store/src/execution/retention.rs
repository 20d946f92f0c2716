//! Executions that ended long ago.

use tidings_wire::time::Timestamp;

use super::NODES_PER_EXECUTION_MAX;
use crate::database::Turn;
use crate::{ExecutionId, OwnerId, Store, StoreError, statements};

/// The most executions that are deleted in one transaction; with more nodes, fewer.
pub const ENDED_EXECUTIONS_BATCH_MAX: u32 = 100;

/// Executions that were deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedExecutions {
    /// How many.
    pub count: usize,
    /// Their owners, each once: whoever is in an execution's room by that right has to leave.
    pub owners: Vec<OwnerId>,
}

/// An execution that may be deleted.
pub(crate) struct Ended {
    pub(crate) id: ExecutionId,
    pub(crate) owner_id: OwnerId,
    pub(crate) nodes: u32,
}

impl Store {
    /// Deletes the executions that have ended and were last touched before `before`, with their nodes: the oldest of them, up to
    /// [`ENDED_EXECUTIONS_BATCH_MAX`] and so many that they have no more nodes together than one may have.
    pub async fn delete_ended_executions(&self, before: Timestamp) -> Result<DeletedExecutions, StoreError> {
        // Mostly there are none, and looking costs no write.
        let mut transaction = self.database.read(None).await?;
        let found = statements::executions::ended(&mut transaction, before, 1).await?;
        drop(transaction);
        if found.is_empty() {
            return Ok(DeletedExecutions::default());
        }
        let mut transaction = self.database.write(Turn::Of("retention", "execution")).await?;
        let found =
            statements::executions::ended(&mut transaction, before, ENDED_EXECUTIONS_BATCH_MAX).await?;
        let mut nodes = 0_u32;
        let fits = found.iter().take_while(|ended| {
            nodes = nodes.saturating_add(ended.nodes);
            nodes <= NODES_PER_EXECUTION_MAX
        });
        let batch: Vec<&Ended> = fits.collect();
        let ids: Vec<&str> = batch.iter().map(|ended| ended.id.as_str()).collect();
        statements::executions::delete_ended(&mut transaction, before, &ids).await?;
        transaction.commit().await?;
        let mut owners: Vec<OwnerId> = batch.iter().map(|ended| ended.owner_id.clone()).collect();
        owners.sort_unstable();
        owners.dedup();
        Ok(DeletedExecutions {
            count: batch.len(),
            owners,
        })
    }
}
