//! The registry of workflows and their owners.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

use crate::database::Turn;
use crate::text::{NAME_BYTES_MAX, check_length};
use crate::{News, OutboxNumber, OwnerId, Store, StoreError, WorkflowChange, WorkflowId, statements};

/// The longest `data` of a workflow, in bytes of JSON.
pub const DATA_BYTES_MAX: usize = 256 * 1024;

/// A registered workflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// Who may see it.
    pub owner_id: OwnerId,
    /// Its name.
    #[schema(required = true)]
    pub name: Option<String>,
    /// Whatever the application keeps with it.
    #[schema(value_type = Value, required = true)]
    pub data: Option<Box<RawValue>>,
    /// When it was first registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last put.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A workflow to register or replace.
#[derive(Clone, Debug)]
pub struct NewWorkflow {
    /// Its id.
    pub id: WorkflowId,
    /// Who may see it.
    pub owner_id: OwnerId,
    /// Its name.
    pub name: Option<String>,
    /// Whatever the application keeps with it.
    pub data: Option<Box<RawValue>>,
}

/// A workflow after it was put.
#[derive(Clone, Debug)]
pub struct PutWorkflow {
    /// As it is stored now.
    pub workflow: Workflow,
    /// Whether it is new.
    pub created: bool,
    /// Who owned it before, if that was somebody else: whoever is in its room by that right has to leave, and so in
    /// the rooms of the executions without an owner of their own.
    pub previous_owner: Option<OwnerId>,
    /// The [`News::Workflow`] that were stored with it.
    pub news: OutboxNumber,
}

/// A workflow that was deleted.
#[derive(Clone, Debug)]
pub struct DeletedWorkflow {
    /// As it was.
    pub workflow: Workflow,
    /// The [`News::WorkflowDeleted`] that were stored with its end.
    pub news: OutboxNumber,
}

impl Store {
    /// Registers a workflow or replaces what is registered; name and data that are not given are gone.
    pub async fn put_workflow(&self, new: NewWorkflow) -> Result<PutWorkflow, StoreError> {
        check_length(
            new.name.as_deref(),
            NAME_BYTES_MAX,
            "a workflow's name is at most 1024 bytes",
        )?;
        let data = new.data.as_deref().map(RawValue::get);
        check_length(data, DATA_BYTES_MAX, "a workflow's data is at most 256 KiB")?;
        let now = self.now();
        let mut transaction = self.database.write(Turn::Of("workflow", new.id.as_str())).await?;
        let before = statements::workflows::find(&mut transaction, &new.id).await?;
        let workflow = Workflow {
            id: new.id,
            owner_id: new.owner_id,
            name: new.name,
            data: new.data,
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
        };
        statements::workflows::put(&mut transaction, &workflow).await?;
        let change = if before.is_none() {
            WorkflowChange::Created
        } else {
            WorkflowChange::Updated
        };
        let id = workflow.id.clone();
        let news = self
            .store_news(&mut transaction, &News::Workflow { id, change })
            .await?;
        transaction.commit().await?;
        Ok(PutWorkflow {
            created: before.is_none(),
            previous_owner: before
                .map(|before| before.owner_id)
                .filter(|before| *before != workflow.owner_id),
            workflow,
            news,
        })
    }

    /// A workflow by its id.
    pub async fn workflow(&self, id: &WorkflowId) -> Result<Option<Workflow>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::workflows::find(&mut transaction, id).await
    }

    /// Deletes a workflow with its executions and their nodes, and returns it as it was. To empty the executions'
    /// rooms, ask for [`Store::own_owners_of_executions`] before.
    pub async fn delete_workflow(&self, id: &WorkflowId) -> Result<Option<DeletedWorkflow>, StoreError> {
        let mut transaction = self.database.write(Turn::Of("workflow", id.as_str())).await?;
        let Some(workflow) = statements::workflows::find(&mut transaction, id).await? else {
            return Ok(None);
        };
        statements::workflows::delete(&mut transaction, id).await?;
        let deleted = News::WorkflowDeleted {
            id: id.clone(),
            name: workflow.name.clone(),
            data: workflow.data.clone(),
        };
        let news = self.store_news(&mut transaction, &deleted).await?;
        transaction.commit().await?;
        Ok(Some(DeletedWorkflow { workflow, news }))
    }

    /// Who owns a workflow.
    pub async fn owner_of_workflow(&self, id: &WorkflowId) -> Result<Option<OwnerId>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::workflows::owner(&mut transaction, id).await
    }

    /// Those of these workflows that `owner` owns.
    pub async fn owned_workflows(
        &self,
        owner: &OwnerId,
        among: &[WorkflowId],
    ) -> Result<Vec<WorkflowId>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::workflows::owned(&mut transaction, owner, among).await
    }
}
