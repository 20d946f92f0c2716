//! The gateway's events in the outbox, and how they reach the bus.

use tidings_outbox::OutboxFigures;
use tidings_store::OutboxEvent;

use super::Flow;
use crate::envelope;

impl Flow {
    /// What became of the events that are stored with what they tell of.
    pub fn outbox_figures(&self) -> OutboxFigures {
        self.0.outbox.figures()
    }

    /// Publishes an event that was just stored. If that fails it is published later.
    pub(crate) async fn publish_stored(&self, event: Option<OutboxEvent>) {
        if let Some(event) = event {
            self.0.outbox.publish(event.number, self.hand_over(event)).await;
        }
    }

    /// Removes what was published and publishes what was left behind, as long as the server runs.
    pub(super) async fn drain_outbox(self) {
        let shutdown = self.transport().shutdown();
        let publish_late = |event| self.hand_over(event);
        self.0.outbox.run(shutdown, publish_late).await;
    }

    /// Whether there is no more to do about the event.
    async fn hand_over(&self, stored: OutboxEvent) -> bool {
        let tenant = stored.tenant.clone();
        match envelope::stored(stored) {
            Ok(event) => self.hand_to_bus(&tenant, event).await.is_ok(),
            Err(error) => {
                // Nobody but a hand in the database can have written it; it would be tried for ever.
                tracing::error!(%error, %tenant, "a stored event has no good id and is dropped");
                self.usage().count(&tenant, "lost_events");
                true
            }
        }
    }
}
