//! Reports on executions and nodes, each applied in one transaction.

use crate::database::Turn;
use crate::execution::{Execution, ExecutionStatus, NODES_PER_EXECUTION_MAX, Node, NodeStatus};
use crate::text::{MESSAGE_BYTES_MAX, NAME_BYTES_MAX, check_length};
use crate::{ExecutionId, News, NodeId, OutboxNumber, Store, StoreError, statements};

/// A report on an execution. What is not given stays.
#[derive(Clone, Debug)]
pub struct ExecutionReport {
    /// How it stands.
    pub status: ExecutionStatus,
    /// How far it is, 0 to 100. Less than before is ignored: reports overtake each other.
    pub progress_percentage: Option<f64>,
    /// How many nodes have completed. Less than before is ignored.
    pub completed_nodes: Option<u32>,
    /// How many nodes there are.
    pub total_nodes: Option<u32>,
    /// The node at work.
    pub current_node: Option<String>,
    /// What there is to say about it.
    pub message: Option<String>,
}

impl ExecutionReport {
    /// A report of the status alone.
    pub fn new(status: ExecutionStatus) -> ExecutionReport {
        ExecutionReport {
            status,
            progress_percentage: None,
            completed_nodes: None,
            total_nodes: None,
            current_node: None,
            message: None,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self
            .progress_percentage
            .is_some_and(|progress| !(0.0..=100.0).contains(&progress))
        {
            return Err(StoreError::Invalid {
                what: "progress_percentage is a number from 0 to 100",
            });
        }
        check_length(
            self.current_node.as_deref(),
            NAME_BYTES_MAX,
            "current_node is at most 1024 bytes",
        )?;
        check_length(
            self.message.as_deref(),
            MESSAGE_BYTES_MAX,
            "a message is at most 16 KiB",
        )
    }
}

/// A report on a node.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// How it stands.
    pub status: NodeStatus,
    /// The id of this execution of the node; a UUID is made if none is ever given.
    pub node_execution_id: Option<String>,
    /// Its name; the node's id if none is ever given.
    pub node_name: Option<String>,
    /// What there is to say about it.
    pub message: Option<String>,
}

impl NodeReport {
    /// A report of the status alone.
    pub fn new(status: NodeStatus) -> NodeReport {
        NodeReport {
            status,
            node_execution_id: None,
            node_name: None,
            message: None,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        let id = self.node_execution_id.as_deref();
        check_length(id, NAME_BYTES_MAX, "node_execution_id is at most 1024 bytes")?;
        check_length(
            self.node_name.as_deref(),
            NAME_BYTES_MAX,
            "node_name is at most 1024 bytes",
        )?;
        check_length(
            self.message.as_deref(),
            MESSAGE_BYTES_MAX,
            "a message is at most 16 KiB",
        )
    }
}

/// What a report on an execution did.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionOutcome {
    /// Nothing that subscribers see: there is nothing to publish.
    Unchanged(Execution),
    /// Publish an `execution_update`.
    Changed {
        /// The execution after the report.
        execution: Execution,
        /// The [`News::Execution`] that were stored with it.
        news: OutboxNumber,
        /// The [`News::End`], if this report ended it: its owner is to be notified.
        ended: Option<OutboxNumber>,
    },
}

impl ExecutionOutcome {
    /// The execution after the report.
    pub fn execution(&self) -> &Execution {
        match self {
            ExecutionOutcome::Unchanged(execution) | ExecutionOutcome::Changed { execution, .. } => execution,
        }
    }
}

/// What a report on a node did.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeOutcome {
    /// Nothing: there is nothing to publish. This is the node.
    Unchanged(Node),
    /// Publish a `node_update`.
    Changed {
        /// The node after the report.
        node: Node,
        /// The [`News::Node`] that were stored with it.
        news: OutboxNumber,
        /// The execution after the report, if completed nodes, progress or current node changed, with the
        /// [`News::Execution`] of that: publish an `execution_update` then.
        execution: Option<(Execution, OutboxNumber)>,
    },
}

impl NodeOutcome {
    /// The node after the report.
    pub fn node(&self) -> &Node {
        match self {
            NodeOutcome::Unchanged(node) | NodeOutcome::Changed { node, .. } => node,
        }
    }
}

impl Store {
    /// Applies a report on an execution. An unknown execution is [`StoreError::NotFound`], a status that cannot
    /// follow [`StoreError::IllegalTransition`].
    pub async fn report_execution_status(
        &self,
        id: &ExecutionId,
        report: ExecutionReport,
    ) -> Result<ExecutionOutcome, StoreError> {
        report.check()?;
        let mut transaction = self.database.write(Turn::Of("execution", id.as_str())).await?;
        let Some(before) = statements::executions::find(&mut transaction, id).await? else {
            return Err(StoreError::NotFound { what: "execution" });
        };
        let mut tracked = before.clone();
        let is_visible = tracked.apply(report)?;
        if tracked != before {
            tracked.execution.updated_at = self.now();
            statements::executions::update(&mut transaction, &tracked).await?;
        }
        let execution = tracked.execution;
        let outcome = if is_visible {
            let id = id.clone();
            let news = self
                .store_news(&mut transaction, &News::Execution { id: id.clone() })
                .await?;
            let has_ended = execution.status.is_terminal() && !before.execution.status.is_terminal();
            let ended = if has_ended {
                Some(self.store_news(&mut transaction, &News::End { id }).await?)
            } else {
                None
            };
            ExecutionOutcome::Changed {
                execution,
                news,
                ended,
            }
        } else {
            ExecutionOutcome::Unchanged(execution)
        };
        transaction.commit().await?;
        Ok(outcome)
    }

    /// Applies a report on a node of an execution. An unknown execution is [`StoreError::NotFound`], a status that
    /// cannot follow [`StoreError::IllegalTransition`]. The first report on a node makes it known.
    pub async fn report_node_status(
        &self,
        id: &ExecutionId,
        node_id: &NodeId,
        report: NodeReport,
    ) -> Result<NodeOutcome, StoreError> {
        report.check()?;
        let mut transaction = self.database.write(Turn::Of("execution", id.as_str())).await?;
        let Some(before) = statements::executions::find(&mut transaction, id).await? else {
            return Err(StoreError::NotFound { what: "execution" });
        };
        let node_before = statements::executions::find_node(&mut transaction, id, node_id).await?;
        if node_before.is_none() && before.counters.known >= NODES_PER_EXECUTION_MAX {
            return Err(StoreError::Invalid {
                what: "an execution has at most 10,000 nodes",
            });
        }
        let now = self.now();
        let mut tracked = before.clone();
        let (node, is_visible) = tracked.apply_to_node(node_before.clone(), node_id, report, now)?;
        let node = match (node, node_before) {
            (Some(node), _) => node,
            (None, Some(node)) => return Ok(NodeOutcome::Unchanged(node)),
            (None, None) => return Err(StoreError::corrupt("a first report left no node")),
        };
        statements::executions::put_node(&mut transaction, &node).await?;
        if tracked != before {
            tracked.execution.updated_at = now;
            statements::executions::update(&mut transaction, &tracked).await?;
        }
        let of_node = News::Node {
            execution_id: id.clone(),
            id: node_id.clone(),
        };
        let news = self.store_news(&mut transaction, &of_node).await?;
        let execution = if is_visible {
            let of_execution = News::Execution { id: id.clone() };
            let news = self.store_news(&mut transaction, &of_execution).await?;
            Some((tracked.execution, news))
        } else {
            None
        };
        transaction.commit().await?;
        Ok(NodeOutcome::Changed {
            node,
            news,
            execution,
        })
    }

    /// A node of an execution.
    pub async fn node(&self, execution: &ExecutionId, id: &NodeId) -> Result<Option<Node>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::find_node(&mut transaction, execution, id).await
    }

    /// An execution's nodes by id, in pages: at most `limit`, from the first after `after`.
    pub async fn nodes(
        &self,
        id: &ExecutionId,
        after: Option<&NodeId>,
        limit: u32,
    ) -> Result<Vec<Node>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::nodes(&mut transaction, id, after, limit.min(NODES_PER_EXECUTION_MAX)).await
    }

    /// How many nodes an execution has behind the one with this id.
    pub async fn nodes_count(&self, id: &ExecutionId, after: Option<&NodeId>) -> Result<u64, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::executions::nodes_count(&mut transaction, id, after).await
    }
}
