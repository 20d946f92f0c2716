//! Statements on workflows.

use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use tidings_wire::time::Timestamp;

use crate::{OwnerId, StoreError, Workflow, WorkflowId};

/// Ids named in one statement; `SQLite` takes 32,766 parameters.
pub(super) const IDS_AT_ONCE: usize = 1_000;

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    id: &WorkflowId,
) -> Result<Option<Workflow>, StoreError> {
    sqlx::query("SELECT id, owner_id, name, data, created_at, updated_at FROM workflow WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

pub(crate) async fn put(connection: &mut SqliteConnection, workflow: &Workflow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO workflow (id, owner_id, name, data, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id, name = excluded.name,
             data = excluded.data, updated_at = excluded.updated_at",
    )
    .bind(workflow.id.as_str())
    .bind(workflow.owner_id.as_str())
    .bind(workflow.name.as_deref())
    .bind(workflow.data.as_deref().map(RawValue::get))
    .bind(workflow.created_at.as_millis())
    .bind(workflow.updated_at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &mut SqliteConnection, id: &WorkflowId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM workflow WHERE id = ?")
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn owner(
    connection: &mut SqliteConnection,
    id: &WorkflowId,
) -> Result<Option<OwnerId>, StoreError> {
    let owner: Option<String> = sqlx::query_scalar("SELECT owner_id FROM workflow WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(owner.map(OwnerId::stored))
}

pub(crate) async fn owned(
    connection: &mut SqliteConnection,
    owner: &OwnerId,
    among: &[WorkflowId],
) -> Result<Vec<WorkflowId>, StoreError> {
    let mut found = Vec::new();
    for chunk in among.chunks(IDS_AT_ONCE) {
        let mut query = QueryBuilder::new("SELECT id FROM workflow WHERE owner_id = ");
        query.push_bind(owner.as_str()).push(" AND id IN (");
        let mut ids = query.separated(", ");
        for id in chunk {
            ids.push_bind(id.as_str());
        }
        query.push(")");
        let rows: Vec<String> = query.build_query_scalar().fetch_all(&mut *connection).await?;
        found.extend(rows.into_iter().map(WorkflowId::stored));
    }
    Ok(found)
}

fn from_row(row: &SqliteRow) -> Result<Workflow, StoreError> {
    let data: Option<String> = row.try_get(3)?;
    Ok(Workflow {
        id: WorkflowId::stored(row.try_get(0)?),
        owner_id: OwnerId::stored(row.try_get(1)?),
        name: row.try_get(2)?,
        data: data
            .map(RawValue::from_string)
            .transpose()
            .map_err(|error| StoreError::Corrupt(error.into()))?,
        created_at: Timestamp::from_millis(row.try_get(4)?),
        updated_at: Timestamp::from_millis(row.try_get(5)?),
    })
}
