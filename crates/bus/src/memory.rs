//! The bus of a single node.

use crate::{BoxFuture, Bus, BusError};
use tidings_hub::{Event, Hub};

/// Hands events straight to this process's hub. What is published on other nodes does not arrive.
#[derive(Clone)]
pub struct MemoryBus {
    hub: Hub,
}

impl MemoryBus {
    /// A bus in front of `hub`.
    pub fn new(hub: Hub) -> MemoryBus {
        MemoryBus { hub }
    }
}

impl Bus for MemoryBus {
    fn publish(&self, event: Event) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            self.hub.publish(event).await;
            Ok(())
        })
    }

    fn try_publish(&self, event: Event) -> Result<(), Box<Event>> {
        self.hub.try_publish(event)
    }

    fn health(&self) -> Result<(), BusError> {
        Ok(())
    }
}
