//! Telling what is stored: at once, by who made the change, or late, if that did not come about.
//!
//! Who tells late holds the turn of what he tells of, and tells how it stands: an update that others have overtaken would
//! take those back who have seen the later ones, in a snapshot too.

use tidings_access::UserId;
use tidings_hub::{Event, EventId};
use tidings_store::{News, OutboxNumber, StoreError, StoredNews, WorkflowChange};

use crate::gateway::Inner;
use crate::updates;

impl Inner {
    /// Tells news that were just stored; if the bus does not take the event it is told late. The caller holds the turn of what
    /// they are about.
    pub(crate) async fn tell(&self, news: OutboxNumber, event: Event) {
        self.outbox.publish(news, self.hand_over(event)).await;
    }

    /// Whether there is no more to do about news that were left behind.
    pub(crate) async fn tell_late(&self, stored: StoredNews) -> bool {
        match self.told_now(stored).await {
            Ok(is_told) => is_told,
            Err(error) => {
                tracing::warn!(%error, "news were left behind and come later");
                false
            }
        }
    }

    async fn told_now(&self, stored: StoredNews) -> Result<bool, StoreError> {
        let StoredNews { news, created_at, .. } = stored;
        let now = self.now();
        // What is not there any more has nobody who would hear of it.
        Ok(match news {
            News::Execution { id } => {
                let _turn = self.execution_turns.of(&id).await;
                match self.store.execution(&id).await? {
                    Some(execution) => self.hand_over(updates::execution(&execution, now)).await,
                    None => true,
                }
            }
            News::Node { execution_id, id } => {
                let _turn = self.execution_turns.of(&execution_id).await;
                match self.store.node(&execution_id, &id).await? {
                    Some(node) => self.hand_over(updates::node(&node, now)).await,
                    None => true,
                }
            }
            // It may be another execution by now.
            News::End { id } => match self.store.execution(&id).await? {
                Some(execution) if execution.status.is_terminal() => {
                    self.hand_over(updates::execution_end(&execution, now)).await
                }
                _ => true,
            },
            News::Workflow { id, change } => {
                let _turn = self.workflow_turns.of(&id).await;
                match self.store.workflow(&id).await? {
                    Some(workflow) => self.hand_over(updates::workflow(&workflow, change, now)).await,
                    None => true,
                }
            }
            News::WorkflowDeleted { id, name, data } => {
                let _turn = self.workflow_turns.of(&id).await;
                if self.store.workflow(&id).await?.is_some() {
                    // Somebody else's by now, perhaps.
                    return Ok(true);
                }
                let (name, data) = (name.as_deref(), data.as_deref());
                let event = updates::workflow_update(&id, name, data, WorkflowChange::Deleted, created_at);
                self.hand_over(event).await
            }
            News::Notification {
                id,
                user_id,
                event,
                data,
            } => {
                // Owners and users have ids of the same form.
                let Ok(user) = UserId::new(user_id.as_str()) else {
                    return Ok(true);
                };
                let id = id.parse().unwrap_or_else(|_| EventId::generate());
                let event = Event {
                    id,
                    ..updates::notification(&user, &event, data, created_at)
                };
                self.hand_over(event).await
            }
        })
    }

    /// Whether the bus took it.
    async fn hand_over(&self, event: Event) -> bool {
        let id = event.id;
        match self.bus.publish(event).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, event = %id, "the bus did not take an event, trying again");
                false
            }
        }
    }
}
