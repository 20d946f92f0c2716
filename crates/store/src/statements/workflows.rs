//! Statements on workflows.

use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Row, Transaction, sql};
use crate::{OwnerId, StoreError, Workflow, WorkflowId};

/// Ids named in one statement; `SQLite` takes 32,766 parameters.
pub(super) const IDS_AT_ONCE: usize = 1_000;

pub(crate) async fn find(
    transaction: &mut Transaction,
    id: &WorkflowId,
) -> Result<Option<Workflow>, StoreError> {
    sql("SELECT id, owner_id, name, data, created_at, updated_at FROM workflow WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(transaction)
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

pub(crate) async fn put(transaction: &mut Transaction, workflow: &Workflow) -> Result<(), StoreError> {
    sql(
        "INSERT INTO workflow (id, owner_id, name, data, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET owner_id = excluded.owner_id, name = excluded.name,
             data = excluded.data, updated_at = excluded.updated_at",
    )
    .bind(workflow.id.as_str())
    .bind(workflow.owner_id.as_str())
    .bind(workflow.name.as_deref())
    .bind(workflow.data.as_deref().map(RawValue::get))
    .bind(workflow.created_at.as_millis())
    .bind(workflow.updated_at.as_millis())
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn delete(transaction: &mut Transaction, id: &WorkflowId) -> Result<(), StoreError> {
    sql("DELETE FROM workflow WHERE id = $1")
        .bind(id.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

pub(crate) async fn owner(
    transaction: &mut Transaction,
    id: &WorkflowId,
) -> Result<Option<OwnerId>, StoreError> {
    sql("SELECT owner_id FROM workflow WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(transaction)
        .await?
        .map(|row| Ok(OwnerId::stored(row.get(0)?)))
        .transpose()
}

pub(crate) async fn owned(
    transaction: &mut Transaction,
    owner: &OwnerId,
    among: &[WorkflowId],
) -> Result<Vec<WorkflowId>, StoreError> {
    let mut found = Vec::new();
    for chunk in among.chunks(IDS_AT_ONCE) {
        let mut query = sql("SELECT id FROM workflow WHERE owner_id = ");
        query.push_bind(owner.as_str()).push(" AND id IN (");
        query.push_list(chunk.iter().map(WorkflowId::as_str));
        query.push(")");
        for row in query.fetch_all(transaction).await? {
            found.push(WorkflowId::stored(row.get(0)?));
        }
    }
    Ok(found)
}

fn from_row(row: &Row) -> Result<Workflow, StoreError> {
    let data: Option<String> = row.get(3)?;
    Ok(Workflow {
        id: WorkflowId::stored(row.get(0)?),
        owner_id: OwnerId::stored(row.get(1)?),
        name: row.get(2)?,
        data: data
            .map(RawValue::from_string)
            .transpose()
            .map_err(|error| StoreError::Corrupt(error.into()))?,
        created_at: Timestamp::from_millis(row.get(4)?),
        updated_at: Timestamp::from_millis(row.get(5)?),
    })
}
