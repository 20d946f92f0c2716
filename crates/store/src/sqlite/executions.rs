//! Statements on executions and their nodes.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use tidings_wire::time::Timestamp;

use super::workflows::IDS_AT_ONCE;
use crate::execution::{NodeCounters, Tracked};
use crate::{
    Execution, ExecutionId, ExecutionStatus, Node, NodeId, NodeStatus, OwnerId, StoreError, WorkflowId,
};

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    id: &ExecutionId,
) -> Result<Option<Tracked>, StoreError> {
    sqlx::query(
        "SELECT e.id, e.workflow_id, coalesce(e.owner_id, w.owner_id), e.status, e.progress, e.completed_nodes,
                e.total_nodes, e.current_node, e.message, e.created_at, e.updated_at,
                e.owner_id, e.nodes_known, e.nodes_completed, e.nodes_skipped
         FROM execution e JOIN workflow w ON w.id = e.workflow_id WHERE e.id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

pub(crate) async fn insert(connection: &mut SqliteConnection, tracked: &Tracked) -> Result<(), StoreError> {
    let execution = &tracked.execution;
    sqlx::query(
        "INSERT INTO execution (id, workflow_id, owner_id, status, progress, completed_nodes, total_nodes,
                                created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn update(connection: &mut SqliteConnection, tracked: &Tracked) -> Result<(), StoreError> {
    let execution = &tracked.execution;
    sqlx::query(
        "UPDATE execution SET owner_id = ?, status = ?, progress = ?, completed_nodes = ?, total_nodes = ?,
             current_node = ?, message = ?, nodes_known = ?, nodes_completed = ?, nodes_skipped = ?, updated_at = ?
         WHERE id = ?",
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
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn owner(
    connection: &mut SqliteConnection,
    id: &ExecutionId,
) -> Result<Option<OwnerId>, StoreError> {
    let owner: Option<String> = sqlx::query_scalar(
        "SELECT coalesce(e.owner_id, w.owner_id)
         FROM execution e JOIN workflow w ON w.id = e.workflow_id WHERE e.id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(owner.map(OwnerId::stored))
}

pub(crate) async fn owned(
    connection: &mut SqliteConnection,
    owner: &OwnerId,
    among: &[ExecutionId],
) -> Result<Vec<ExecutionId>, StoreError> {
    let mut found = Vec::new();
    for chunk in among.chunks(IDS_AT_ONCE) {
        let mut query = QueryBuilder::new(
            "SELECT e.id FROM execution e JOIN workflow w ON w.id = e.workflow_id
             WHERE coalesce(e.owner_id, w.owner_id) = ",
        );
        query.push_bind(owner.as_str()).push(" AND e.id IN (");
        let mut ids = query.separated(", ");
        for id in chunk {
            ids.push_bind(id.as_str());
        }
        query.push(")");
        let rows: Vec<String> = query.build_query_scalar().fetch_all(&mut *connection).await?;
        found.extend(rows.into_iter().map(ExecutionId::stored));
    }
    Ok(found)
}

pub(crate) async fn own_owners(
    connection: &mut SqliteConnection,
    workflow: &WorkflowId,
) -> Result<Vec<OwnerId>, StoreError> {
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT owner_id FROM execution WHERE workflow_id = ? AND owner_id IS NOT NULL",
    )
    .bind(workflow.as_str())
    .fetch_all(connection)
    .await?;
    Ok(owners.into_iter().map(OwnerId::stored).collect())
}

pub(crate) async fn find_node(
    connection: &mut SqliteConnection,
    execution: &ExecutionId,
    node: &NodeId,
) -> Result<Option<Node>, StoreError> {
    sqlx::query(
        "SELECT execution_id, node_execution_id, node_id, node_name, status, message, created_at, updated_at
         FROM execution_node WHERE execution_id = ? AND node_id = ?",
    )
    .bind(execution.as_str())
    .bind(node.as_str())
    .fetch_optional(connection)
    .await?
    .map(|row| node_from_row(&row))
    .transpose()
}

pub(crate) async fn put_node(connection: &mut SqliteConnection, node: &Node) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO execution_node (execution_id, node_id, node_execution_id, node_name, status, message,
                                     created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (execution_id, node_id) DO UPDATE SET node_execution_id = excluded.node_execution_id,
             node_name = excluded.node_name, status = excluded.status, message = excluded.message,
             updated_at = excluded.updated_at",
    )
    .bind(node.execution_id.as_str())
    .bind(node.node_id.as_str())
    .bind(&node.node_execution_id)
    .bind(&node.node_name)
    .bind(node.status.as_str())
    .bind(node.message.as_deref())
    .bind(node.created_at.as_millis())
    .bind(node.updated_at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn nodes(
    connection: &mut SqliteConnection,
    execution: &ExecutionId,
    after: Option<&NodeId>,
    limit: u32,
) -> Result<Vec<Node>, StoreError> {
    sqlx::query(
        "SELECT execution_id, node_execution_id, node_id, node_name, status, message, created_at, updated_at
         FROM execution_node WHERE execution_id = ? AND node_id > ? ORDER BY node_id LIMIT ?",
    )
    .bind(execution.as_str())
    .bind(after.map_or("", NodeId::as_str))
    .bind(limit)
    .fetch_all(connection)
    .await?
    .iter()
    .map(node_from_row)
    .collect()
}

fn from_row(row: &SqliteRow) -> Result<Tracked, StoreError> {
    let status: ExecutionStatus = row
        .try_get::<&str, _>(3)?
        .parse()
        .map_err(|_| StoreError::corrupt("an execution has an unknown status"))?;
    Ok(Tracked {
        execution: Execution {
            id: ExecutionId::stored(row.try_get(0)?),
            workflow_id: WorkflowId::stored(row.try_get(1)?),
            owner_id: OwnerId::stored(row.try_get(2)?),
            status,
            progress_percentage: row.try_get(4)?,
            completed_nodes: row.try_get(5)?,
            total_nodes: row.try_get(6)?,
            current_node: row.try_get(7)?,
            message: row.try_get(8)?,
            created_at: Timestamp::from_millis(row.try_get(9)?),
            updated_at: Timestamp::from_millis(row.try_get(10)?),
        },
        own_owner: row.try_get::<Option<String>, _>(11)?.map(OwnerId::stored),
        counters: NodeCounters {
            known: row.try_get(12)?,
            completed: row.try_get(13)?,
            skipped: row.try_get(14)?,
        },
    })
}

fn node_from_row(row: &SqliteRow) -> Result<Node, StoreError> {
    let status: NodeStatus = row
        .try_get::<&str, _>(4)?
        .parse()
        .map_err(|_| StoreError::corrupt("a node has an unknown status"))?;
    Ok(Node {
        execution_id: ExecutionId::stored(row.try_get(0)?),
        node_execution_id: row.try_get(1)?,
        node_id: NodeId::stored(row.try_get(2)?),
        node_name: row.try_get(3)?,
        status,
        message: row.try_get(5)?,
        created_at: Timestamp::from_millis(row.try_get(6)?),
        updated_at: Timestamp::from_millis(row.try_get(7)?),
    })
}
