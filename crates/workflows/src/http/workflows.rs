//! Workflows: who owns them, and telling of their changes.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_access::UserId;
use tidings_store::{NewWorkflow, OwnerId, StoreError, Workflow, WorkflowId};
use tidings_transport::{JsonBody, Problem};

use super::caller::Backend;
use super::path::Id;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates::{self, WorkflowChange};

/// Executions looked at in one query.
const EXECUTIONS_AT_ONCE: u32 = 1_000;

#[derive(Deserialize)]
pub(super) struct Registration {
    #[serde(deserialize_with = "field::parsed")]
    owner_id: OwnerId,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

pub(super) async fn put(
    State(workflows): State<Workflows>,
    _: Backend,
    Id(id): Id<WorkflowId>,
    JsonBody(body): JsonBody<Registration>,
) -> Result<(StatusCode, Json<Workflow>), Problem> {
    let Registration { owner_id, name, data } = body;
    let work = |gateway: Arc<Inner>| async move {
        let _turn = gateway.workflow_turns.of(&id).await;
        let new = NewWorkflow {
            id: id.clone(),
            owner_id,
            name,
            data,
        };
        let put = gateway.store.put_workflow(new).await.map_err(refusal::of_store)?;
        // The owner before must not see what the new one puts.
        if let Some(previous) = &put.previous_owner {
            gateway.recheck(previous).await;
        }
        let (status, change) = if put.created {
            (StatusCode::CREATED, WorkflowChange::Created)
        } else {
            (StatusCode::OK, WorkflowChange::Updated)
        };
        let event = updates::workflow(&put.workflow, change, gateway.now());
        gateway.publish(event).await.map_err(refusal::of_bus)?;
        Ok((status, Json(put.workflow)))
    };
    workflows.carry_through(work).await
}

pub(super) async fn delete(
    State(workflows): State<Workflows>,
    _: Backend,
    Id(id): Id<WorkflowId>,
) -> Result<Json<Workflow>, Problem> {
    let work = |gateway: Arc<Inner>| async move {
        let _turn = gateway.workflow_turns.of(&id).await;
        let owners = gateway.connected_owners(&id).await.map_err(refusal::of_store)?;
        let deleted = gateway
            .store
            .delete_workflow(&id)
            .await
            .map_err(refusal::of_store)?;
        let workflow = deleted.ok_or_else(|| refusal::not_found("workflow"))?;
        let event = updates::workflow(&workflow, WorkflowChange::Deleted, gateway.now());
        let published = gateway.publish(event).await;
        // Nobody owns what is gone, and who registers the same id next is another owner.
        gateway.recheck(&workflow.owner_id).await;
        for owner in owners {
            gateway.recheck(&owner).await;
        }
        published.map_err(refusal::of_bus)?;
        Ok(Json(workflow))
    };
    workflows.carry_through(work).await
}

pub(super) async fn publish(
    State(workflows): State<Workflows>,
    _: Backend,
    Id(id): Id<WorkflowId>,
) -> Result<Json<Workflow>, Problem> {
    let work = |gateway: Arc<Inner>| async move {
        let _turn = gateway.workflow_turns.of(&id).await;
        let found = gateway.store.workflow(&id).await.map_err(refusal::of_store)?;
        let workflow = found.ok_or_else(|| refusal::not_found("workflow"))?;
        let event = updates::workflow(&workflow, WorkflowChange::Published, gateway.now());
        gateway.publish(event).await.map_err(refusal::of_bus)?;
        Ok(Json(workflow))
    };
    workflows.carry_through(work).await
}

impl Inner {
    /// Who, of those connected, owns an execution of the workflow in his own right.
    async fn connected_owners(&self, workflow: &WorkflowId) -> Result<HashSet<OwnerId>, StoreError> {
        let mut owners = HashSet::new();
        let mut after = None;
        loop {
            let page = self
                .store
                .workflow_executions(workflow, after.as_ref(), EXECUTIONS_AT_ONCE)
                .await?;
            for execution in page.iter().filter(|execution| !execution.inherits_owner) {
                if let Some(owner) = self.store.owner_of_execution(&execution.id).await?
                    && UserId::new(owner.as_str()).is_ok_and(|user| self.directory.connections_of(&user) > 0)
                {
                    owners.insert(owner);
                }
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last.id),
                None => return Ok(owners),
            }
        }
    }
}
