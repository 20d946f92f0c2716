//! From an event as received to its outcome.

use crate::dedupe::Fingerprint;
use crate::original::Kept;
use crate::payload;
use crate::route::{Routable, Routes};
use crate::{Admission, DropReason, IngestCounters, Original, Outcome, RetryReason, Window};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tidings_bus::{Bus, BusError};
use tidings_hub::{Event, EventId};
use tidings_store::{Clock, DeadLetter, NewDeadLetter, Store};
use tidings_wire::cloudevents::{CloudEvent, Data};
use tokio::task::coop::consume_budget;

/// How events are taken in.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// Where events go.
    pub routes: Routes,
    /// Events remembered against redelivery.
    pub dedupe_events_max: usize,
    /// How long an event is remembered.
    pub dedupe_age_max: Duration,
    /// How long the bus may take to take an event; then it goes back to its broker.
    pub publish_timeout: Duration,
}

impl Default for IngestSettings {
    fn default() -> IngestSettings {
        IngestSettings {
            routes: Routes::default(),
            dedupe_events_max: 100_000,
            dedupe_age_max: Duration::from_mins(10),
            publish_timeout: Duration::from_secs(5),
        }
    }
}

/// Takes events of all sources in: routes them, tells duplicates, publishes, buries.
pub struct Ingest {
    bus: Arc<dyn Bus>,
    store: Store,
    clock: Clock,
    routes: Routes,
    window: Window,
    publish_timeout: Duration,
    counters: IngestCounters,
}

/// One event as it came.
pub struct Delivery<'a> {
    /// The source, for the event and for its dead letter.
    pub source: &'static str,
    /// The topic that it came from.
    pub topic: Option<&'a str>,
    /// The event, as far as it could be read.
    pub received: Received<'a>,
    /// What a dead letter will hold.
    pub original: Original<'a>,
    /// Who keeps it if it is dropped.
    pub dead_letters: DeadLetters,
}

/// What the source could make of an event.
pub enum Received<'a> {
    /// A `CloudEvent`, told apart from others by its source and id.
    CloudEvent(CloudEvent<'a>),
    /// Data without an envelope. It has no id, so every delivery of it is new.
    Bare(Data<'a>),
    /// Nothing that can be delivered.
    Unreadable(DropReason),
}

impl<'a> Received<'a> {
    /// Takes the data out, as the object that clients get. Once: the envelope has none afterwards.
    pub(crate) fn take_data(&mut self) -> Result<Cow<'a, RawValue>, DropReason> {
        let data = match self {
            Received::CloudEvent(event) => &mut event.data,
            Received::Bare(data) => data,
            Received::Unreadable(reason) => return Err(*reason),
        };
        payload::object(std::mem::take(data))
    }

    /// The envelope, if it came in one.
    pub(crate) fn envelope(&self) -> Option<&CloudEvent<'a>> {
        match self {
            Received::CloudEvent(event) => Some(event),
            _ => None,
        }
    }
}

/// Who keeps what is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetters {
    /// Our store.
    Ours,
    /// The broker, told by the answer.
    Upstream,
}

impl Ingest {
    /// Events go to `bus`, dead letters to `store`.
    pub fn new(bus: Arc<dyn Bus>, store: Store, settings: IngestSettings) -> Ingest {
        Ingest {
            bus,
            store,
            clock: Clock::system(),
            routes: settings.routes,
            window: Window::new(settings.dedupe_events_max, settings.dedupe_age_max),
            publish_timeout: settings.publish_timeout,
            counters: IngestCounters::default(),
        }
    }

    /// What became of events so far.
    pub fn counters(&self) -> &IngestCounters {
        &self.counters
    }

    /// Whether events get through at this moment.
    pub fn health(&self) -> Result<(), BusError> {
        self.bus.health()
    }

    /// Takes one event in.
    pub async fn take(&self, delivery: Delivery<'_>) -> Outcome {
        let Delivery {
            source,
            topic,
            received,
            original,
            dead_letters,
        } = delivery;
        let outcome = self.attempt(source, topic, received).await;
        self.settle((source, topic), outcome, original, dead_letters)
            .await
    }

    /// Takes the event of a dead letter in once more. If it is dropped again, the letter stays where it is.
    pub(crate) async fn replay(&self, letter: &DeadLetter) -> Outcome {
        let kept = Kept::of(letter);
        let outcome = self
            .attempt(letter.source.clone(), letter.topic.as_deref(), kept.received())
            .await;
        self.count(outcome);
        outcome
    }

    /// Publishes an event if it can be. The outcome is not final before it is settled.
    pub(crate) async fn attempt(
        &self,
        source: impl Into<Cow<'static, str>>,
        topic: Option<&str>,
        received: Received<'_>,
    ) -> Outcome {
        // A request may bring a thousand, none of which has to wait.
        consume_budget().await;
        match self.read(source.into(), topic, received) {
            Ok(arrival) => match self.publish_at_once(arrival) {
                Ok(outcome) => outcome,
                Err(arrival) => self.publish(*arrival).await,
            },
            Err(reason) => Outcome::Dropped(reason),
        }
    }

    /// [`Self::attempt`] for whoever has a next event that need not wait. `None` if this one would have to.
    pub(crate) fn attempt_at_once(
        &self,
        source: &'static str,
        topic: Option<&str>,
        received: Received<'_>,
    ) -> Option<Outcome> {
        match self.read(Cow::Borrowed(source), topic, received) {
            Ok(arrival) => self.publish_at_once(arrival).ok(),
            Err(reason) => Some(Outcome::Dropped(reason)),
        }
    }

    /// Buries what is to be dropped, and counts what became of the event.
    pub(crate) async fn settle(
        &self,
        origin: (&str, Option<&str>),
        mut outcome: Outcome,
        original: Original<'_>,
        dead_letters: DeadLetters,
    ) -> Outcome {
        if let (Outcome::Dropped(reason), DeadLetters::Ours) = (outcome, dead_letters)
            && !self.bury(origin, reason, original).await
        {
            outcome = Outcome::Retry(RetryReason::StoreUnavailable);
        }
        self.count(outcome);
        outcome
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.counters.count(outcome);
    }

    /// Counts a delivery given back before it was read.
    pub(crate) fn give_back(&self, reason: RetryReason) -> Outcome {
        self.counters.count(Outcome::Retry(reason));
        Outcome::Retry(reason)
    }

    pub(crate) fn publish_timeout(&self) -> Duration {
        self.publish_timeout
    }

    fn read(
        &self,
        source: Cow<'static, str>,
        topic: Option<&str>,
        mut received: Received<'_>,
    ) -> Result<Arrival, DropReason> {
        let data = received.take_data()?;
        let envelope = received.envelope();
        let destination = self.routes.route(Routable {
            topic,
            envelope,
            data: &data,
        })?;
        let time = self.clock.now();
        let event = Event {
            id: EventId::generate_at(time),
            rooms: destination.rooms,
            kind: destination.kind.clone(),
            name: None,
            key: None,
            gateways: destination.gateways,
            data: data.into_owned(),
            time,
            exclude: Vec::new(),
            source,
        };
        let fingerprint = envelope.map(|envelope| {
            let (source, id) = envelope.identity();
            self.window.fingerprint(source, id)
        });
        Ok(Arrival { event, fingerprint })
    }

    /// Gives the event back if it has to wait, or if the bus does not take it.
    fn publish_at_once(&self, arrival: Arrival) -> Result<Outcome, Box<Arrival>> {
        let Arrival { event, fingerprint } = arrival;
        let reservation = match fingerprint.map(|fingerprint| self.window.try_admit(fingerprint)) {
            None => None,
            Some(Some(Admission::Fresh(reservation))) => Some(reservation),
            Some(Some(Admission::Duplicate)) => return Ok(Outcome::Duplicate),
            Some(None) => return Err(Box::new(Arrival { event, fingerprint })),
        };
        let id = event.id;
        match self.bus.try_publish(event) {
            Ok(()) => {
                if let Some(reservation) = reservation {
                    reservation.accept();
                }
                Ok(Outcome::Accepted(id))
            }
            Err(event) => Err(Box::new(Arrival {
                event: *event,
                fingerprint,
            })),
        }
    }

    async fn publish(&self, arrival: Arrival) -> Outcome {
        let publishing = self.publish_in_turn(arrival);
        match tokio::time::timeout(self.publish_timeout, publishing).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Retry(RetryReason::Overloaded),
        }
    }

    async fn publish_in_turn(&self, Arrival { event, fingerprint }: Arrival) -> Outcome {
        let reservation = match fingerprint {
            None => None,
            Some(fingerprint) => match self.window.admit(fingerprint).await {
                Admission::Fresh(reservation) => Some(reservation),
                Admission::Duplicate => return Outcome::Duplicate,
            },
        };
        let id = event.id;
        match self.bus.publish(event).await {
            Ok(()) => {
                if let Some(reservation) = reservation {
                    reservation.accept();
                }
                Outcome::Accepted(id)
            }
            Err(BusError::Overloaded) => Outcome::Retry(RetryReason::Overloaded),
            Err(_) => Outcome::Retry(RetryReason::BusUnavailable),
        }
    }

    /// Whether the event is kept as a dead letter now.
    pub(crate) async fn bury(
        &self,
        (source, topic): (&str, Option<&str>),
        reason: DropReason,
        original: Original<'_>,
    ) -> bool {
        let letter = NewDeadLetter {
            source,
            topic,
            reason: reason.as_str(),
            form: original.form.as_str(),
            headers: &original.headers.kept(),
            event: original.bytes,
        };
        match self.store.insert_dead_letter(letter).await {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, %reason, "a dead letter was not stored");
                false
            }
        }
    }
}

/// An event that can be published.
struct Arrival {
    event: Event,
    /// What tells a `CloudEvent` from others.
    fingerprint: Option<Fingerprint>,
}

#[cfg(test)]
mod tests;
