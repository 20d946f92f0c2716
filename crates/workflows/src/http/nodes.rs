//! Nodes of executions and how they stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidings_store::{ExecutionId, Node, NodeId, NodeOutcome, NodeReport, NodeStatus};
use tidings_transport::{JsonBody, Problem};

use super::caller::Backend;
use super::path::Ids;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates;

#[derive(Deserialize)]
pub(super) struct Report {
    #[serde(deserialize_with = "field::parsed")]
    status: NodeStatus,
    #[serde(default)]
    node_execution_id: Option<String>,
    #[serde(default)]
    node_name: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl From<Report> for NodeReport {
    fn from(report: Report) -> NodeReport {
        NodeReport {
            status: report.status,
            node_execution_id: report.node_execution_id,
            node_name: report.node_name,
            message: report.message,
        }
    }
}

pub(super) async fn report(
    State(workflows): State<Workflows>,
    _: Backend,
    Ids(id, node_id): Ids<ExecutionId, NodeId>,
    JsonBody(body): JsonBody<Report>,
) -> Result<Json<Node>, Problem> {
    let work = |gateway: Arc<Inner>| async move {
        let _turn = gateway.execution_turns.of(&id).await;
        let reported = gateway.store.report_node_status(&id, &node_id, body.into()).await;
        match reported.map_err(refusal::of_store)? {
            NodeOutcome::Unchanged(node) => Ok(Json(node)),
            NodeOutcome::Changed {
                node,
                news,
                execution,
            } => {
                let now = gateway.now();
                gateway.tell(news, updates::node(&node, now)).await;
                if let Some((execution, news)) = execution {
                    gateway.tell(news, updates::execution(&execution, now)).await;
                }
                Ok(Json(node))
            }
        }
    };
    workflows.carry_through(work).await
}
