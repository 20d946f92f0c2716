//! Executions that ended long ago.

use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::{ExecutionId, OwnerId, Store, StoreError, WorkflowId, statements};

/// The most ended executions that are found at once.
pub const ENDED_EXECUTIONS_MAX: u32 = 100;

impl Store {
    /// The executions that have ended and were last touched before `before`, each with its workflow: the oldest
    /// [`ENDED_EXECUTIONS_MAX`].
    pub async fn ended_executions(
        &self,
        before: Timestamp,
    ) -> Result<Vec<(ExecutionId, WorkflowId)>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::ended(&mut transaction, before, ENDED_EXECUTIONS_MAX).await
    }

    /// Deletes an execution with its nodes, if it still is one of [`Store::ended_executions`]. Who owned it, if it was.
    pub async fn delete_ended_execution(
        &self,
        id: &ExecutionId,
        before: Timestamp,
    ) -> Result<Option<OwnerId>, StoreError> {
        let mut transaction = self.database.write(Turn::Of("execution", id.as_str())).await?;
        let found = statements::executions::find(&mut transaction, id).await?;
        let ended = found
            .map(|tracked| tracked.execution)
            .filter(|execution| execution.status.is_terminal() && execution.updated_at < before);
        let Some(ended) = ended else { return Ok(None) };
        statements::executions::delete(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(Some(ended.owner_id))
    }
}
