//! Executions: who owns them, and how far they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tidings_store::{
    Execution, ExecutionId, ExecutionOutcome, ExecutionReport, ExecutionStatus, NewExecution, OwnerId,
    WorkflowId,
};
use tidings_transport::{JsonBody, Problem};
use utoipa::ToSchema;

use super::caller::Backend;
use super::openapi::{ExecutionPut, ExecutionReported};
use super::path::Id;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates;

/// An execution to register.
#[derive(Deserialize, ToSchema)]
#[schema(as = ExecutionRegistration)]
pub(super) struct Registration {
    /// What it executes.
    #[serde(deserialize_with = "field::parsed")]
    workflow_id: WorkflowId,
    /// Who may see it; the workflow's owner as long as nobody is named.
    #[serde(default, deserialize_with = "field::parsed_if_given")]
    owner_id: Option<OwnerId>,
    /// How many nodes it has; 0 means unknown.
    #[serde(default, deserialize_with = "field::count_if_given")]
    #[schema(format = Int64, minimum = 0, maximum = 4_294_967_295_i64)]
    total_nodes: Option<u32>,
}

/// How an execution stands.
#[derive(Deserialize, ToSchema)]
#[schema(as = ExecutionReport)]
pub(super) struct Report {
    /// What it does.
    #[serde(deserialize_with = "field::parsed")]
    status: ExecutionStatus,
    /// 0 to 100; computed from the nodes where nobody says.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    progress_percentage: Option<f64>,
    /// Nodes that have completed.
    #[serde(default, deserialize_with = "field::count_if_given")]
    #[schema(format = Int64, minimum = 0, maximum = 4_294_967_295_i64)]
    completed_nodes: Option<u32>,
    /// How many nodes there are; 0 means unknown.
    #[serde(default, deserialize_with = "field::count_if_given")]
    #[schema(format = Int64, minimum = 0, maximum = 4_294_967_295_i64)]
    total_nodes: Option<u32>,
    /// The node that runs, at most 1,024 bytes of UTF-8.
    #[serde(default)]
    #[schema(max_length = 1024)]
    current_node: Option<String>,
    /// What there is to say, at most 16 KiB.
    #[serde(default)]
    #[schema(max_length = 16384)]
    message: Option<String>,
}

impl From<Report> for ExecutionReport {
    fn from(report: Report) -> ExecutionReport {
        ExecutionReport {
            status: report.status,
            progress_percentage: report.progress_percentage,
            completed_nodes: report.completed_nodes,
            total_nodes: report.total_nodes,
            current_node: report.current_node,
            message: report.message,
        }
    }
}

/// Registers an execution, or changes its owner and its nodes
///
/// The workflow must be registered, and an execution cannot change it. What is left out stays as it was.
#[utoipa::path(
    put, path = "/api/v1/executions/{id}", operation_id = "putExecution", tag = "reports",
    params(("id" = ExecutionId, Path)), request_body = Registration, responses(ExecutionPut)
)]
pub(super) async fn put(
    State(workflows): State<Workflows>,
    _: Backend,
    Id(id): Id<ExecutionId>,
    JsonBody(body): JsonBody<Registration>,
) -> Result<(StatusCode, Json<Execution>), Problem> {
    let Registration {
        workflow_id,
        owner_id,
        total_nodes,
    } = body;
    let work = |gateway: Arc<Inner>| async move {
        let _workflow_turn = gateway.workflow_turns.of(&workflow_id).await;
        let _turn = gateway.execution_turns.of(&id).await;
        let new = NewExecution {
            id: id.clone(),
            workflow_id: workflow_id.clone(),
            owner_id,
            total_nodes,
        };
        let put = gateway
            .store
            .put_execution(new)
            .await
            .map_err(refusal::of_store)?;
        // The owner before must not see what happens from now on.
        if let Some(previous) = &put.previous_owner {
            gateway.recheck_owner_of_execution(previous, &id).await;
        }
        if let Some(news) = put.news {
            let event = updates::execution(&put.execution, gateway.now());
            gateway.tell(news, event).await;
        }
        let status = if put.created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok((status, Json(put.execution)))
    };
    workflows.carry_through(work).await
}

/// Reports on an execution
///
/// A status may be skipped, and none may follow an end. Progress and completed nodes never fall: a lower value is passed
/// over. What subscribers see of it is published as `execution_update`; a report that repeats what is known is not.
#[utoipa::path(
    post, path = "/api/v1/executions/{id}/status", operation_id = "reportExecution", tag = "reports",
    params(("id" = ExecutionId, Path)), request_body = Report, responses(ExecutionReported)
)]
pub(super) async fn report(
    State(workflows): State<Workflows>,
    _: Backend,
    Id(id): Id<ExecutionId>,
    JsonBody(body): JsonBody<Report>,
) -> Result<Json<Execution>, Problem> {
    let work = |gateway: Arc<Inner>| async move {
        let _turn = gateway.execution_turns.of(&id).await;
        let outcome = gateway
            .store
            .report_execution_status(&id, body.into())
            .await
            .map_err(refusal::of_store)?;
        match outcome {
            ExecutionOutcome::Unchanged(execution) => Ok(Json(execution)),
            ExecutionOutcome::Changed {
                execution,
                news,
                ended,
            } => {
                let now = gateway.now();
                gateway.tell(news, updates::execution(&execution, now)).await;
                if let Some(news) = ended {
                    gateway.tell(news, updates::execution_end(&execution, now)).await;
                }
                Ok(Json(execution))
            }
        }
    };
    workflows.carry_through(work).await
}
