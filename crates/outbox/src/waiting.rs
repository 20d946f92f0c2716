//! What can wait in the outbox.

use std::collections::HashMap;

use tidings_store::{ExecutionId, News, NodeId, OutboxEvent, OutboxNumber, Store, StoreError, StoredNews};

/// An event that can be left behind in the outbox.
pub trait Waiting: Send + Sized {
    /// What several events are about, if the last of them tells all that they tell.
    type Subject: std::hash::Hash + Eq + Send;

    /// Takes the oldest that nobody holds.
    fn claim(store: &Store, limit: usize) -> impl Future<Output = Result<Vec<Self>, StoreError>> + Send;

    /// Its place.
    fn number(&self) -> OutboxNumber;

    /// What it is about, if it tells no more than how that stands.
    fn subject(&self) -> Option<Self::Subject>;
}

/// Of each subject the number of the last event.
pub(crate) fn last_of_each<Event: Waiting>(events: &[Event]) -> HashMap<Event::Subject, OutboxNumber> {
    let subjects = events
        .iter()
        .filter_map(|event| Some((event.subject()?, event.number())));
    subjects.collect()
}

/// Each event of a tenant tells of something else.
impl Waiting for OutboxEvent {
    type Subject = ();

    async fn claim(store: &Store, limit: usize) -> Result<Vec<OutboxEvent>, StoreError> {
        store.claim_outbox(limit).await
    }

    fn number(&self) -> OutboxNumber {
        self.number
    }

    fn subject(&self) -> Option<()> {
        None
    }
}

/// News of how an execution or a node stands are told as it stands then.
impl Waiting for StoredNews {
    type Subject = (ExecutionId, Option<NodeId>);

    async fn claim(store: &Store, limit: usize) -> Result<Vec<StoredNews>, StoreError> {
        store.claim_news(limit).await
    }

    fn number(&self) -> OutboxNumber {
        self.number
    }

    fn subject(&self) -> Option<Self::Subject> {
        match &self.news {
            News::Execution { id } => Some((id.clone(), None)),
            News::Node { execution_id, id } => Some((execution_id.clone(), Some(id.clone()))),
            _ => None,
        }
    }
}
