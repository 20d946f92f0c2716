//! News: what there is to tell of workflows, executions and users. They are stored with the change they tell of, and wait in
//! the outbox as the events of tenants do ([`crate::OutboxEvent`]).
//!
//! Most news only name what changed: who tells them late, after others have overtaken them, tells how it stands then.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;

use crate::database::{Transaction, Turn};
use crate::outbox::{OUTBOX_BATCH_MAX, held_until};
use crate::{ExecutionId, NodeId, OutboxNumber, OwnerId, Store, StoreError, WorkflowId, statements};

/// What there is to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// An execution's status, progress or node at work changed.
    Execution {
        /// Which execution.
        id: ExecutionId,
    },
    /// A node's status, name or message changed.
    Node {
        /// Whose node.
        execution_id: ExecutionId,
        /// Which node.
        id: NodeId,
    },
    /// An execution ended: its owner is to be notified.
    End {
        /// Which execution.
        id: ExecutionId,
    },
    /// A workflow was registered, replaced, or published.
    Workflow {
        /// Which workflow.
        id: WorkflowId,
        /// What happened to it.
        change: WorkflowChange,
    },
    /// A workflow was deleted. What it was is here, because it is nowhere else any more.
    WorkflowDeleted {
        /// Which workflow.
        id: WorkflowId,
        /// Its name.
        name: Option<String>,
        /// What the application kept with it.
        data: Option<Box<RawValue>>,
    },
    /// The application notifies a user.
    Notification {
        /// The event's id, as the application was told.
        id: String,
        /// Whom.
        user_id: OwnerId,
        /// The name of what happened.
        event: String,
        /// What there is to say about it.
        data: Box<RawValue>,
    },
}

/// What happened to a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowChange {
    /// It was registered.
    Created,
    /// It was replaced.
    Updated,
    /// The application published it.
    Published,
    /// It was deleted.
    Deleted,
}

impl WorkflowChange {
    /// All of them.
    pub const ALL: [WorkflowChange; 4] = [
        WorkflowChange::Created,
        WorkflowChange::Updated,
        WorkflowChange::Published,
        WorkflowChange::Deleted,
    ];

    /// As `wire.md` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            WorkflowChange::Created => "created",
            WorkflowChange::Updated => "updated",
            WorkflowChange::Published => "published",
            WorkflowChange::Deleted => "deleted",
        }
    }
}

/// News that wait to be told.
#[derive(Clone, Debug)]
pub struct StoredNews {
    /// Their place.
    pub number: OutboxNumber,
    /// The news.
    pub news: News,
    /// When they were stored.
    pub created_at: Timestamp,
}

impl News {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            News::Execution { .. } => "execution",
            News::Node { .. } => "node",
            News::End { .. } => "end",
            News::Workflow { .. } | News::WorkflowDeleted { .. } => "workflow",
            News::Notification { .. } => "notification",
        }
    }
}

impl Store {
    /// Stores news that go with no change. They are in the caller's hands, as those of a change are.
    pub async fn put_news(&self, news: News) -> Result<OutboxNumber, StoreError> {
        let mut transaction = self.database.write(Turn::Of("outbox", "")).await?;
        let number = self.store_news(&mut transaction, &news).await?;
        transaction.commit().await?;
        Ok(number)
    }

    /// Takes the oldest news that are in nobody's hands, at most `limit` and [`OUTBOX_BATCH_MAX`] of them.
    pub async fn claim_news(&self, limit: usize) -> Result<Vec<StoredNews>, StoreError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).min(OUTBOX_BATCH_MAX);
        let now = self.now();
        // Mostly there are none, and looking costs no write.
        let mut transaction = self.database.read(None).await?;
        if limit == 0 || !statements::outbox::has_unheld_news(&mut transaction, now).await? {
            return Ok(Vec::new());
        }
        drop(transaction);
        let mut transaction = self.database.write(Turn::Of("outbox", "")).await?;
        let news = statements::outbox::claim_news(&mut transaction, now, held_until(now), limit).await?;
        transaction.commit().await?;
        Ok(news)
    }

    pub(crate) async fn store_news(
        &self,
        transaction: &mut Transaction,
        news: &News,
    ) -> Result<OutboxNumber, StoreError> {
        let now = self.now();
        statements::outbox::insert_news(transaction, news, now, held_until(now)).await
    }
}
