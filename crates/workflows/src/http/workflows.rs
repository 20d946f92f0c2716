//! Workflows: who owns them, and telling of their changes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_store::{DeletedWorkflow, NewWorkflow, News, OwnerId, Workflow, WorkflowChange, WorkflowId};
use tidings_transport::{JsonBody, Problem};
use utoipa::ToSchema;

use super::caller::Backend;
use super::openapi::{WorkflowDeleted, WorkflowPublished, WorkflowPut};
use super::path::Id;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates;

/// A workflow to register.
#[derive(Deserialize, ToSchema)]
#[schema(as = WorkflowRegistration)]
pub(super) struct Registration {
    /// Who may see it.
    #[serde(deserialize_with = "field::parsed")]
    owner_id: OwnerId,
    /// Its name, at most 1,024 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 1024)]
    name: Option<String>,
    /// Whatever the application keeps with it, at most 256 KiB.
    #[serde(default)]
    #[schema(value_type = Value, required = false)]
    data: Option<Box<RawValue>>,
}

/// Registers a workflow, or replaces it
///
/// Name and data that are left out are gone. Its room is told `created`, later `updated`. A change of owner removes the
/// owner before from the rooms of the workflow and of its executions.
#[utoipa::path(
    put, path = "/api/v1/workflows/{id}", operation_id = "putWorkflow", tag = "reports",
    params(("id" = WorkflowId, Path)), request_body = Registration, responses(WorkflowPut)
)]
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

/// Deletes a workflow
///
/// Its executions go with it. Its room is told `deleted`, and all of these rooms are closed to their members.
#[utoipa::path(
    delete, path = "/api/v1/workflows/{id}", operation_id = "deleteWorkflow", tag = "reports",
    params(("id" = WorkflowId, Path)), responses(WorkflowDeleted)
)]
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

/// Tells that a workflow was published
///
/// Its room is told `published`.
#[utoipa::path(
    post, path = "/api/v1/workflows/{id}/publish", operation_id = "publishWorkflow", tag = "reports",
    params(("id" = WorkflowId, Path)), responses(WorkflowPublished)
)]
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
