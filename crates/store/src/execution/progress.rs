//! What a report does to an execution: pure rules, without a database.
//!
//! Reports come from several processes, late and twice. So everything that can be counted only ever grows: the view
//! that is left when all reports have come does not depend on their order.

use tidings_wire::time::Timestamp;

use super::{Execution, ExecutionReport, ExecutionStatus, Node, NodeReport, NodeStatus, Tracked};
use crate::{NodeId, StoreError};

/// The part of an execution that subscribers see.
#[derive(PartialEq)]
struct View {
    status: ExecutionStatus,
    progress_percentage: f64,
    completed_nodes: u32,
    total_nodes: u32,
    current_node: Option<String>,
}

impl View {
    fn of(execution: &Execution) -> View {
        View {
            status: execution.status,
            progress_percentage: execution.progress_percentage,
            completed_nodes: execution.completed_nodes,
            total_nodes: execution.total_nodes,
            current_node: execution.current_node.clone(),
        }
    }
}

impl Tracked {
    /// Applies a report on the execution. Returns whether subscribers see a difference.
    pub(super) fn apply(&mut self, report: ExecutionReport) -> Result<bool, StoreError> {
        let before = View::of(&self.execution);
        let execution = &mut self.execution;
        let advances = execution.status.advances_to(report.status)?;
        if !advances && execution.status.is_terminal() {
            return Ok(false);
        }
        if advances {
            execution.status = report.status;
            execution.message = report.message;
        } else if report.message.is_some() {
            execution.message = report.message;
        }
        if let Some(completed) = report.completed_nodes {
            execution.completed_nodes = execution.completed_nodes.max(completed);
        }
        if let Some(total) = report.total_nodes {
            execution.total_nodes = total;
        }
        if report.current_node.is_some() {
            execution.current_node = report.current_node;
        }
        self.advance_progress(report.progress_percentage);
        Ok(View::of(&self.execution) != before)
    }

    /// Applies a report on one of the execution's nodes. Returns the node as it is now, or `None` if the report
    /// says nothing new, and whether subscribers see a difference in the execution.
    pub(super) fn apply_to_node(
        &mut self,
        node: Option<Node>,
        node_id: &NodeId,
        report: NodeReport,
        now: Timestamp,
    ) -> Result<(Option<Node>, bool), StoreError> {
        let before = View::of(&self.execution);
        let status = report.status;
        let (node, has_status_changed) = match node {
            Some(node) => {
                let advances = node.status.advances_to(status)?;
                let Some(node) = update_node(node, report, advances, now) else {
                    return Ok((None, false));
                };
                (node, advances)
            }
            None => (self.first_report(node_id, report, now), true),
        };
        if has_status_changed {
            match status {
                NodeStatus::Completed => self.counters.completed += 1,
                NodeStatus::Skipped => self.counters.skipped += 1,
                // A late report that a node runs does not make it the current one of what has ended.
                NodeStatus::Running if !self.execution.status.is_terminal() => {
                    self.execution.current_node = Some(node_id.as_str().to_owned());
                }
                _ => {}
            }
        }
        let execution = &mut self.execution;
        execution.completed_nodes = execution.completed_nodes.max(self.counters.completed);
        self.advance_progress(None);
        Ok((Some(node), View::of(&self.execution) != before))
    }

    /// Sets the total where it was told outside a report. Returns whether subscribers see a difference.
    pub(super) fn set_total_nodes(&mut self, total: u32) -> bool {
        let before = View::of(&self.execution);
        self.execution.total_nodes = total;
        self.advance_progress(None);
        View::of(&self.execution) != before
    }

    fn first_report(&mut self, node_id: &NodeId, report: NodeReport, now: Timestamp) -> Node {
        self.counters.known += 1;
        Node {
            execution_id: self.execution.id.clone(),
            node_execution_id: report
                .node_execution_id
                .unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            node_id: node_id.clone(),
            node_name: report.node_name.unwrap_or_else(|| node_id.as_str().to_owned()),
            status: report.status,
            message: report.message,
            created_at: now,
            updated_at: now,
        }
    }

    /// The progress given or, without one, the part of the nodes that are done with; never less than before.
    fn advance_progress(&mut self, given: Option<f64>) {
        let execution = &mut self.execution;
        if execution.status == ExecutionStatus::Completed {
            execution.progress_percentage = 100.0;
            return;
        }
        let computed = || {
            let done = u64::from(execution.completed_nodes) + u64::from(self.counters.skipped);
            match execution.total_nodes {
                0 => 0.0,
                total => (done as f64 * 100.0 / f64::from(total)).min(100.0),
            }
        };
        execution.progress_percentage = execution.progress_percentage.max(given.unwrap_or_else(computed));
    }
}

/// The node after a report, or `None` if it stays as it is.
fn update_node(mut node: Node, report: NodeReport, advances: bool, now: Timestamp) -> Option<Node> {
    let before = node.clone();
    if advances {
        node.status = report.status;
        node.message = report.message;
    } else if node.status.is_terminal() {
        return None;
    } else if report.message.is_some() {
        node.message = report.message;
    }
    if let Some(id) = report.node_execution_id {
        node.node_execution_id = id;
    }
    if let Some(name) = report.node_name {
        node.node_name = name;
    }
    (node != before).then_some(Node {
        updated_at: now,
        ..node
    })
}
