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

use super::caller::Backend;
use super::path::Id;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates;

#[derive(Deserialize)]
pub(super) struct Registration {
    #[serde(deserialize_with = "field::parsed")]
    workflow_id: WorkflowId,
    #[serde(default, deserialize_with = "field::parsed_if_given")]
    owner_id: Option<OwnerId>,
    #[serde(default)]
    total_nodes: Option<u32>,
}

#[derive(Deserialize)]
pub(super) struct Report {
    #[serde(deserialize_with = "field::parsed")]
    status: ExecutionStatus,
    #[serde(default)]
    progress_percentage: Option<f64>,
    #[serde(default)]
    completed_nodes: Option<u32>,
    #[serde(default)]
    total_nodes: Option<u32>,
    #[serde(default)]
    current_node: Option<String>,
    #[serde(default)]
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
