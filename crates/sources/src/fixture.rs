//! What the tests of this crate share: a bus that records, and an ingest behind it.

use crate::{Ingest, IngestSettings};
use parking_lot::Mutex;
use std::sync::Arc;
use tidings_bus::{BoxFuture, Bus, BusError};
use tidings_hub::Event;
use tidings_store::{DeadLetterFilter, Store};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Records what is published, unless told to fail.
pub(crate) struct RecordingBus {
    events: Mutex<Vec<Event>>,
    failure: Mutex<Option<BusError>>,
    /// One permit lets one publish through, once the gate is in use.
    gate: Option<Semaphore>,
}

impl RecordingBus {
    pub(crate) fn new() -> Arc<RecordingBus> {
        Arc::new(RecordingBus {
            events: Mutex::default(),
            failure: Mutex::default(),
            gate: None,
        })
    }

    /// A bus where each publish waits to be let through.
    pub(crate) fn gated() -> Arc<RecordingBus> {
        let gate = Some(Semaphore::new(0));
        Arc::new(RecordingBus {
            events: Mutex::default(),
            failure: Mutex::default(),
            gate,
        })
    }

    pub(crate) fn fail(&self, failure: Option<BusError>) {
        *self.failure.lock() = failure;
    }

    pub(crate) fn let_through(&self, publishes: usize) {
        if let Some(gate) = &self.gate {
            gate.add_permits(publishes);
        }
    }

    /// Room and data of everything published, and forgets it.
    pub(crate) fn take(&self) -> Vec<(String, String)> {
        let events = std::mem::take(&mut *self.events.lock());
        events
            .into_iter()
            .map(|event| (event.rooms[0].to_string(), event.data.get().to_owned()))
            .collect()
    }

    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock())
    }
}

impl Bus for RecordingBus {
    fn publish(&self, event: Event) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.acquire().await.map_err(|_| BusError::Closed)?.forget();
            }
            self.health()?;
            self.events.lock().push(event);
            Ok(())
        })
    }

    fn try_publish(&self, event: Event) -> Result<(), Box<Event>> {
        let is_let_through = self.gate.as_ref().is_none_or(|gate| {
            let permit = gate.try_acquire();
            permit.map(SemaphorePermit::forget).is_ok()
        });
        if is_let_through && self.health().is_ok() {
            self.events.lock().push(event);
            return Ok(());
        }
        Err(Box::new(event))
    }

    fn health(&self) -> Result<(), BusError> {
        self.failure.lock().map_or(Ok(()), Err)
    }
}

pub(crate) async fn store() -> Store {
    Store::open("sqlite::memory:").await.unwrap()
}

pub(crate) async fn ingest(bus: Arc<dyn Bus>) -> (Arc<Ingest>, Store) {
    let store = store().await;
    (
        Arc::new(Ingest::new(bus, store.clone(), IngestSettings::default())),
        store,
    )
}

/// Reason and text of every dead letter, newest first.
pub(crate) async fn dead_letters(store: &Store) -> Vec<(String, String)> {
    let letters = store
        .list_dead_letters(&DeadLetterFilter::default(), None, 100)
        .await
        .unwrap();
    letters
        .into_iter()
        .map(|letter| (letter.reason, String::from_utf8_lossy(&letter.event).into_owned()))
        .collect()
}
