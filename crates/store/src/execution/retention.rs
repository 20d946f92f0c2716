//! Executions that ended long ago.

use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::{ExecutionId, OwnerId, Store, StoreError, statements};

/// The most ended executions that are found at once.
pub const ENDED_EXECUTIONS_MAX: u32 = 100;

impl Store {
    /// The executions that have ended and were last touched before `before`, with their owners: the oldest
    /// [`ENDED_EXECUTIONS_MAX`].
    pub async fn ended_executions(
        &self,
        before: Timestamp,
    ) -> Result<Vec<(ExecutionId, OwnerId)>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::ended(&mut transaction, before, ENDED_EXECUTIONS_MAX).await
    }

    /// Deletes an execution with its nodes, if it still is one of [`Store::ended_executions`]. Whether it was.
    pub async fn delete_ended_execution(
        &self,
        id: &ExecutionId,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.database.write(Turn::Of("execution", id.as_str())).await?;
        let is_deleted = statements::executions::delete_ended(&mut transaction, before, id).await?;
        transaction.commit().await?;
        Ok(is_deleted)
    }
}
