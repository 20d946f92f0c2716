//! Carries events from whoever publishes them to the hub of every node.
//!
//! Gateways and sources hold an `Arc<dyn Bus>` and never the hub itself for publishing: with more than one node the
//! hub of this node is only one of the receivers. The bus moves events; it routes, filters and stores none.
//!
//! Invariant: when [`Bus::publish`] or [`Bus::try_publish`] has answered `Ok`, the bus answers for the event; a source may acknowledge it
//! upstream.

mod memory;

use thiserror::Error;
use tidings_hub::Event;

pub use futures_util::future::BoxFuture;
pub use memory::MemoryBus;

/// Where events are published.
pub trait Bus: Send + Sync + 'static {
    /// Hands an event over. The future waits while the bus has too much in flight. If it is dropped before its end,
    /// it is open whether the event was published.
    fn publish(&self, event: Event) -> BoxFuture<'_, Result<(), BusError>>;

    /// Hands an event over if that needs no waiting; gives it back otherwise, for [`Self::publish`]. A bus that has to wait for
    /// every event gives back all of them.
    fn try_publish(&self, event: Event) -> Result<(), Box<Event>> {
        Err(Box::new(event))
    }

    /// Whether events get through at this moment.
    fn health(&self) -> Result<(), BusError>;
}

/// Why the bus did not take an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BusError {
    /// The connection to the broker is down, or the bus has been shut down.
    #[error("the bus is closed")]
    Closed,
    /// The bus has more in flight than it may hold.
    #[error("the bus is overloaded")]
    Overloaded,
}
