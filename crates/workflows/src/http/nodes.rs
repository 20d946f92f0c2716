//! Nodes of executions and how they stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidings_store::{ExecutionId, Node, NodeId, NodeOutcome, NodeReport, NodeStatus};
use tidings_transport::{JsonBody, Problem};
use utoipa::ToSchema;

use super::caller::Backend;
use super::openapi::NodeReported;
use super::path::Ids;
use super::{field, refusal};
use crate::Workflows;
use crate::gateway::Inner;
use crate::updates;

/// How a node stands.
#[derive(Deserialize, ToSchema)]
#[schema(as = NodeReport)]
pub(super) struct Report {
    /// What it does.
    #[serde(deserialize_with = "field::parsed")]
    status: NodeStatus,
    /// The id of this execution of the node, at most 1,024 bytes of UTF-8; a UUID if nobody names one.
    #[serde(default)]
    #[schema(max_length = 1024)]
    node_execution_id: Option<String>,
    /// Its name, at most 1,024 bytes of UTF-8; the node's id if nobody names one.
    #[serde(default)]
    #[schema(max_length = 1024)]
    node_name: Option<String>,
    /// What there is to say, at most 16 KiB.
    #[serde(default)]
    #[schema(max_length = 16384)]
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

/// Reports on a node of an execution
///
/// The first report makes the node known; at most 10,000 nodes. It is published as `node_update`, and what it changes of the
/// execution as `execution_update`; a report that repeats what is known is not.
#[utoipa::path(
    post, path = "/api/v1/executions/{id}/nodes/{node_id}/status", operation_id = "reportNode", tag = "reports",
    params(("id" = ExecutionId, Path), ("node_id" = NodeId, Path)), request_body = Report, responses(NodeReported)
)]
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
