//! Executions of workflows and their nodes: who may see them and how far they are.

mod progress;
mod registry;
mod report;
mod retention;
mod status;

use serde::Serialize;
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

pub use registry::{NewExecution, PutExecution};
pub use report::{ExecutionOutcome, ExecutionReport, NodeOutcome, NodeReport};
pub use retention::ENDED_EXECUTIONS_MAX;
pub use status::{ExecutionStatus, NodeStatus};

use crate::{ExecutionId, NodeId, OwnerId, WorkflowId};

/// The most nodes one execution can have.
pub const NODES_PER_EXECUTION_MAX: u32 = 10_000;

/// An execution.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// What it executes.
    pub workflow_id: WorkflowId,
    /// Who may see it: its own owner or, without one, the workflow's.
    pub owner_id: OwnerId,
    /// How it stands.
    pub status: ExecutionStatus,
    /// 0 to 100; never falls.
    #[schema(minimum = 0, maximum = 100)]
    pub progress_percentage: f64,
    /// Nodes that have completed, as reported or counted, whichever is more. Skipped ones are not among them.
    #[schema(format = Int64)]
    pub completed_nodes: u32,
    /// How many nodes there are; 0 as long as nobody said.
    #[schema(format = Int64)]
    pub total_nodes: u32,
    /// The node that was last reported to run.
    #[schema(required = true)]
    pub current_node: Option<String>,
    /// What was said with the present status.
    #[schema(required = true)]
    pub message: Option<String>,
    /// When it was first put.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A node of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Node {
    /// Whose node it is.
    pub execution_id: ExecutionId,
    /// The id of this execution of the node.
    pub node_execution_id: String,
    /// Its id in the workflow.
    pub node_id: NodeId,
    /// Its name.
    pub node_name: String,
    /// How it stands.
    pub status: NodeStatus,
    /// What was said with the present status.
    #[schema(required = true)]
    pub message: Option<String>,
    /// When it was first reported.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// An execution with what only the store needs to know of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tracked {
    pub(crate) execution: Execution,
    /// Its own owner, not the workflow's.
    pub(crate) own_owner: Option<OwnerId>,
    pub(crate) counters: NodeCounters,
}

/// Counts over an execution's reported nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeCounters {
    pub(crate) known: u32,
    pub(crate) completed: u32,
    pub(crate) skipped: u32,
}
