//! Statements on executions and their nodes.

use tidings_wire::time::Timestamp;

use super::workflows::IDS_AT_ONCE;
use crate::database::{Row, Transaction, sql};
use crate::execution::{NodeCounters, Tracked};
use crate::{
    Execution, ExecutionId, ExecutionStatus, Node, NodeId, NodeStatus, OwnerId, StoreError, WorkflowId,
};

pub(crate) async fn find(
    transaction: &mut Transaction,
    id: &ExecutionId,
) -> Result<Option<Tracked>, StoreError> {
    sql(
        "SELECT e.id, e.workflow_id, coalesce(e.owner_id, w.owner_id), e.status, e.progress, e.completed_nodes,
                e.total_nodes, e.current_node, e.message, e.created_at, e.updated_at,
                e.owner_id, e.nodes_known, e.nodes_completed, e.nodes_skipped
         FROM execution e JOIN workflow w ON w.id = e.workflow_id WHERE e.id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(transaction)
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

pub(crate) async fn insert(transaction: &mut Transaction, tracked: &Tracked) -> Result<(), StoreError> {
    let execution = &tracked.execution;
    sql(
        "INSERT INTO execution (id, workflow_id, owner_id, status, progress, completed_nodes, total_nodes,
                                created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(execution.id.as_str())
    .bind(execution.workflow_id.as_str())
    .bind(tracked.own_owner.as_ref().map(OwnerId::as_str))
    .bind(execution.status.as_str())
    .bind(execution.progress_percentage)
    .bind(execution.completed_nodes)
    .bind(execution.total_nodes)
    .bind(execution.created_at.as_millis())
    .bind(execution.updated_at.as_millis())
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn update(transaction: &mut Transaction, tracked: &Tracked) -> Result<(), StoreError> {
    let execution = &tracked.execution;
    sql(
        "UPDATE execution SET owner_id = $1, status = $2, progress = $3, completed_nodes = $4, total_nodes = $5,
             current_node = $6, message = $7, nodes_known = $8, nodes_completed = $9, nodes_skipped = $10, updated_at = $11
         WHERE id = $12",
    )
    .bind(tracked.own_owner.as_ref().map(OwnerId::as_str))
    .bind(execution.status.as_str())
    .bind(execution.progress_percentage)
    .bind(execution.completed_nodes)
    .bind(execution.total_nodes)
    .bind(execution.current_node.as_deref())
    .bind(execution.message.as_deref())
    .bind(tracked.counters.known)
    .bind(tracked.counters.completed)
    .bind(tracked.counters.skipped)
    .bind(execution.updated_at.as_millis())
    .bind(execution.id.as_str())
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn owner(
    transaction: &mut Transaction,
    id: &ExecutionId,
) -> Result<Option<OwnerId>, StoreError> {
    sql("SELECT coalesce(e.owner_id, w.owner_id)
         FROM execution e JOIN workflow w ON w.id = e.workflow_id WHERE e.id = $1")
    .bind(id.as_str())
    .fetch_optional(transaction)
    .await?
    .map(|row| Ok(OwnerId::stored(row.get(0)?)))
    .transpose()
}

pub(crate) async fn owned(
    transaction: &mut Transaction,
    owner: &OwnerId,
    among: &[ExecutionId],
) -> Result<Vec<ExecutionId>, StoreError> {
    let mut found = Vec::new();
    for chunk in among.chunks(IDS_AT_ONCE) {
        let mut query = sql(
            "SELECT e.id FROM execution e JOIN workflow w ON w.id = e.workflow_id
             WHERE coalesce(e.owner_id, w.owner_id) = ",
        );
        query.push_bind(owner.as_str()).push(" AND e.id IN (");
        query.push_list(chunk.iter().map(ExecutionId::as_str));
        query.push(")");
        for row in query.fetch_all(transaction).await? {
            found.push(ExecutionId::stored(row.get(0)?));
        }
    }
    Ok(found)
}

pub(crate) async fn own_owners(
    transaction: &mut Transaction,
    workflow: &WorkflowId,
) -> Result<Vec<OwnerId>, StoreError> {
    sql("SELECT DISTINCT owner_id FROM execution WHERE workflow_id = $1 AND owner_id IS NOT NULL")
        .bind(workflow.as_str())
        .fetch_all(transaction)
        .await?
        .iter()
        .map(|row| Ok(OwnerId::stored(row.get(0)?)))
        .collect()
}

/// Those that have ended and were last touched before `before`, the oldest first.
pub(crate) async fn ended(
    transaction: &mut Transaction,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<(ExecutionId, WorkflowId)>, StoreError> {
    sql("SELECT id, workflow_id FROM execution
         WHERE status IN ('completed', 'failed', 'cancelled') AND updated_at < $1 ORDER BY updated_at LIMIT $2")
    .bind(before.as_millis())
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| Ok((ExecutionId::stored(row.get(0)?), WorkflowId::stored(row.get(1)?))))
    .collect()
}

pub(crate) async fn delete(transaction: &mut Transaction, id: &ExecutionId) -> Result<(), StoreError> {
    sql("DELETE FROM execution WHERE id = $1")
        .bind(id.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

pub(crate) async fn find_node(
    transaction: &mut Transaction,
    execution: &ExecutionId,
    node: &NodeId,
) -> Result<Option<Node>, StoreError> {
    sql(
        "SELECT execution_id, node_execution_id, node_id, node_name, status, message, created_at, updated_at
         FROM execution_node WHERE execution_id = $1 AND node_id = $2",
    )
    .bind(execution.as_str())
    .bind(node.as_str())
    .fetch_optional(transaction)
    .await?
    .map(|row| node_from_row(&row))
    .transpose()
}

pub(crate) async fn put_node(transaction: &mut Transaction, node: &Node) -> Result<(), StoreError> {
    sql(
        "INSERT INTO execution_node (execution_id, node_id, node_execution_id, node_name, status, message,
                                     created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (execution_id, node_id) DO UPDATE SET node_execution_id = excluded.node_execution_id,
             node_name = excluded.node_name, status = excluded.status, message = excluded.message,
             updated_at = excluded.updated_at",
    )
    .bind(node.execution_id.as_str())
    .bind(node.node_id.as_str())
    .bind(node.node_execution_id.as_str())
    .bind(node.node_name.as_str())
    .bind(node.status.as_str())
    .bind(node.message.as_deref())
    .bind(node.created_at.as_millis())
    .bind(node.updated_at.as_millis())
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn nodes(
    transaction: &mut Transaction,
    execution: &ExecutionId,
    after: Option<&NodeId>,
    limit: u32,
) -> Result<Vec<Node>, StoreError> {
    sql(
        "SELECT execution_id, node_execution_id, node_id, node_name, status, message, created_at, updated_at
         FROM execution_node WHERE execution_id = $1 AND node_id > $2 ORDER BY node_id LIMIT $3",
    )
    .bind(execution.as_str())
    .bind(after.map_or("", NodeId::as_str))
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(node_from_row)
    .collect()
}

pub(crate) async fn nodes_count(
    transaction: &mut Transaction,
    execution: &ExecutionId,
    after: Option<&NodeId>,
) -> Result<u64, StoreError> {
    sql("SELECT count(*) FROM execution_node WHERE execution_id = $1 AND node_id > $2")
        .bind(execution.as_str())
        .bind(after.map_or("", NodeId::as_str))
        .fetch_one(transaction)
        .await?
        .number(0)
}

fn from_row(row: &Row) -> Result<Tracked, StoreError> {
    let status: ExecutionStatus = row
        .get::<String>(3)?
        .parse()
        .map_err(|_| StoreError::corrupt("an execution has an unknown status"))?;
    Ok(Tracked {
        execution: Execution {
            id: ExecutionId::stored(row.get(0)?),
            workflow_id: WorkflowId::stored(row.get(1)?),
            owner_id: OwnerId::stored(row.get(2)?),
            status,
            progress_percentage: row.get(4)?,
            completed_nodes: row.number(5)?,
            total_nodes: row.number(6)?,
            current_node: row.get(7)?,
            message: row.get(8)?,
            created_at: Timestamp::from_millis(row.get(9)?),
            updated_at: Timestamp::from_millis(row.get(10)?),
        },
        own_owner: row.get::<Option<String>>(11)?.map(OwnerId::stored),
        counters: NodeCounters {
            known: row.number(12)?,
            completed: row.number(13)?,
            skipped: row.number(14)?,
        },
    })
}

fn node_from_row(row: &Row) -> Result<Node, StoreError> {
    let status: NodeStatus = row
        .get::<String>(4)?
        .parse()
        .map_err(|_| StoreError::corrupt("a node has an unknown status"))?;
    Ok(Node {
        execution_id: ExecutionId::stored(row.get(0)?),
        node_execution_id: row.get(1)?,
        node_id: NodeId::stored(row.get(2)?),
        node_name: row.get(3)?,
        status,
        message: row.get(5)?,
        created_at: Timestamp::from_millis(row.get(6)?),
        updated_at: Timestamp::from_millis(row.get(7)?),
    })
}
