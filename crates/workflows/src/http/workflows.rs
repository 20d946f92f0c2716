//! Workflows: who owns them, and telling of their changes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_store::{DeletedWorkflow, NewWorkflow, News, OwnerId, Workflow, WorkflowChange, WorkflowId};
use tidings_transport::{JsonBody, Problem};

use super::caller::Backend;
use super::path::Id;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates;

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
            gateway.recheck_owner(previous).await;
        }
        let (status, change) = if put.created {
            (StatusCode::CREATED, WorkflowChange::Created)
        } else {
            (StatusCode::OK, WorkflowChange::Updated)
        };
        let event = updates::workflow(&put.workflow, change, gateway.now());
        gateway.tell(put.news, event).await;
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
        // All of them, connected or not: whoever connects before the commit still gets in.
        let owners = gateway
            .store
            .own_owners_of_executions(&id)
            .await
            .map_err(refusal::of_store)?;
        let deleted = gateway
            .store
            .delete_workflow(&id)
            .await
            .map_err(refusal::of_store)?;
        let DeletedWorkflow { workflow, news } = deleted.ok_or_else(|| refusal::not_found("workflow"))?;
        let event = updates::workflow(&workflow, WorkflowChange::Deleted, gateway.now());
        gateway.tell(news, event).await;
        // Nobody owns what is gone, and who registers the same id next is another owner.
        gateway.recheck_owner(&workflow.owner_id).await;
        for owner in owners {
            gateway.recheck_owner(&owner).await;
        }
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
        let change = WorkflowChange::Published;
        let news = News::Workflow { id, change };
        let number = gateway.store.put_news(news).await.map_err(refusal::of_store)?;
        let event = updates::workflow(&workflow, change, gateway.now());
        gateway.tell(number, event).await;
        Ok(Json(workflow))
    };
    workflows.carry_through(work).await
}
