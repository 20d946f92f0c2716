//! The registry of executions and their owners.

use crate::database::Turn;
use crate::execution::{Execution, ExecutionStatus, NodeCounters, Tracked};
use crate::{ExecutionId, News, OutboxNumber, OwnerId, Store, StoreError, WorkflowId, statements};

/// An execution to register or to put anew.
#[derive(Clone, Debug)]
pub struct NewExecution {
    /// Its id.
    pub id: ExecutionId,
    /// What it executes.
    pub workflow_id: WorkflowId,
    /// Its own owner. Not given: as before; an execution that never had one is the workflow's owner's.
    pub owner_id: Option<OwnerId>,
    /// How many nodes there are. Not given: unknown or, if it was told before, as before.
    pub total_nodes: Option<u32>,
}

/// An execution after it was put.
#[derive(Clone, Debug, PartialEq)]
pub struct PutExecution {
    /// As it is stored now.
    pub execution: Execution,
    /// Whether it is new.
    pub created: bool,
    /// What is to be told of it: [`News::Execution`] if total or progress of one that was there changed.
    pub news: Option<OutboxNumber>,
    /// Who owned it before, if that was somebody else: whoever is in its room by that right has to leave.
    pub previous_owner: Option<OwnerId>,
}

impl Store {
    /// Registers an execution, or changes owner and total of one that is. An unknown workflow is
    /// [`StoreError::NotFound`]; an execution never changes its workflow, that is [`StoreError::Conflict`].
    pub async fn put_execution(&self, new: NewExecution) -> Result<PutExecution, StoreError> {
        let mut transaction = self
            .database
            .write(Turn::Of("execution", new.id.as_str()))
            .await?;
        let Some(workflow_owner) = statements::workflows::owner(&mut transaction, &new.workflow_id).await?
        else {
            return Err(StoreError::NotFound { what: "workflow" });
        };
        let put = match statements::executions::find(&mut transaction, &new.id).await? {
            None => {
                let owner_id = new.owner_id.clone().unwrap_or(workflow_owner);
                let tracked = self.first_state(new, owner_id);
                statements::executions::insert(&mut transaction, &tracked).await?;
                PutExecution {
                    execution: tracked.execution,
                    created: true,
                    news: None,
                    previous_owner: None,
                }
            }
            Some(before) if before.execution.workflow_id != new.workflow_id => {
                return Err(StoreError::Conflict {
                    what: "execution belongs to another workflow",
                });
            }
            Some(before) => {
                let mut tracked = before.clone();
                if let Some(owner_id) = new.owner_id {
                    tracked.execution.owner_id = owner_id.clone();
                    tracked.own_owner = Some(owner_id);
                }
                let progress_changed = new
                    .total_nodes
                    .is_some_and(|total_nodes| tracked.set_total_nodes(total_nodes));
                if tracked != before {
                    tracked.execution.updated_at = self.now();
                    statements::executions::update(&mut transaction, &tracked).await?;
                }
                let previous_owner = Some(before.execution.owner_id)
                    .filter(|previous| *previous != tracked.execution.owner_id);
                let news = if progress_changed {
                    let id = tracked.execution.id.clone();
                    Some(self.store_news(&mut transaction, &News::Execution { id }).await?)
                } else {
                    None
                };
                PutExecution {
                    execution: tracked.execution,
                    created: false,
                    news,
                    previous_owner,
                }
            }
        };
        transaction.commit().await?;
        Ok(put)
    }

    /// An execution by its id.
    pub async fn execution(&self, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        let tracked = statements::executions::find(&mut transaction, id).await?;
        Ok(tracked.map(|tracked| tracked.execution))
    }

    /// Who owns an execution: its own owner or, without one, the workflow's.
    pub async fn owner_of_execution(&self, id: &ExecutionId) -> Result<Option<OwnerId>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::owner(&mut transaction, id).await
    }

    /// Those of these executions that `owner` owns.
    pub async fn owned_executions(
        &self,
        owner: &OwnerId,
        among: &[ExecutionId],
    ) -> Result<Vec<ExecutionId>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::owned(&mut transaction, owner, among).await
    }

    /// Everybody who owns an execution of the workflow in his own right, each once and in no order.
    pub async fn own_owners_of_executions(&self, workflow: &WorkflowId) -> Result<Vec<OwnerId>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::own_owners(&mut transaction, workflow).await
    }

    fn first_state(&self, new: NewExecution, owner_id: OwnerId) -> Tracked {
        let now = self.now();
        Tracked {
            execution: Execution {
                id: new.id,
                workflow_id: new.workflow_id,
                owner_id,
                status: ExecutionStatus::Pending,
                progress_percentage: 0.0,
                completed_nodes: 0,
                total_nodes: new.total_nodes.unwrap_or(0),
                current_node: None,
                message: None,
                created_at: now,
                updated_at: now,
            },
            own_owner: new.owner_id,
            counters: NodeCounters::default(),
        }
    }
}
