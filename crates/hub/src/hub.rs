//! The hub's handle: opening connections, publishing, asking.

use crate::clock::Clock;
use crate::command::Command;
use crate::counters::Figures;
use crate::encoding::Encodings;
use crate::publication::{Admission, Publication};
use crate::sequencer::{Sequencer, ShardSet};
use crate::shard::{self, ShardHandle};
use crate::{
    Connection, Encoding, EncodingId, Event, Gateway, HubLimits, Registration, RoomClasses, RoomName,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use thiserror::Error;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Deflater;
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

/// Collects what must be fixed before a hub starts.
pub struct HubBuilder {
    limits: HubLimits,
    shards: usize,
    classes: RoomClasses,
    encodings: Vec<(Gateway, Arc<dyn Encoding>)>,
}

/// A cheap handle on the hub.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    shards: Vec<Arc<ShardHandle>>,
    failed: Arc<Notify>,
    sequencer: Arc<Sequencer>,
    admission: Admission,
    encodings: Encodings,
    clock: Clock,
    connections: Arc<AtomicUsize>,
    connections_max: usize,
    turn: AtomicUsize,
    publishes: AtomicU64,
}

/// The hub holds as many connections as it may.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the server has as many connections as it may hold")]
pub struct Overloaded;

/// A room and how many connections of the asked gateway are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomCensus {
    /// The room.
    pub name: RoomName,
    /// Its members.
    pub members: usize,
}

impl HubBuilder {
    /// A hub of `shards` shards; one per core is right. At least 1, at most 64.
    pub fn new(limits: HubLimits, shards: usize) -> HubBuilder {
        HubBuilder {
            limits,
            shards: shards.clamp(1, ShardSet::SHARDS_MAX),
            classes: RoomClasses::default(),
            encodings: Vec::new(),
        }
    }

    /// Says which rooms are of which class. Without it, all are of [`crate::RoomClass::Close`].
    pub fn classes(&mut self, classes: RoomClasses) {
        self.classes = classes;
    }

    /// Registers a way to encode events for members that came through `gateway`. It is asked only for events that
    /// are for that gateway.
    ///
    /// # Panics
    /// With more than 256 encodings: their number is fixed by the program, not by input.
    pub fn encoding(&mut self, gateway: Gateway, encoding: Arc<dyn Encoding>) -> EncodingId {
        let id = u8::try_from(self.encodings.len()).expect("a program registers a handful of encodings");
        self.encodings.push((gateway, encoding));
        EncodingId(id)
    }

    /// Starts the shards on the current tokio runtime. They run until the runtime ends.
    pub fn start(self) -> Hub {
        let clock = Clock::start();
        let sequencer = Arc::new(Sequencer::new());
        let connections = Arc::new(AtomicUsize::new(0));
        let deflater = self
            .limits
            .compression
            .map(|deflation| Arc::new(Deflater::new(deflation)));
        let encodings = Encodings::new(self.encodings, deflater);
        let (shards, tasks): (_, Vec<_>) = (0..self.shards)
            .map(|number| {
                shard::start(
                    number,
                    &self.limits,
                    clock,
                    sequencer.clone(),
                    connections.clone(),
                    encodings.clone(),
                    self.classes.clone(),
                )
            })
            .unzip();
        let failed = Arc::new(Notify::new());
        for task in tasks {
            let failed = failed.clone();
            tokio::spawn(async move {
                if task.await.is_err() {
                    failed.notify_one();
                }
            });
        }
        Hub(Arc::new(Inner {
            shards,
            failed,
            sequencer,
            admission: Admission::new(self.limits.publish_bytes_in_flight_max),
            encodings,
            clock,
            connections,
            connections_max: self.limits.connections_max,
            turn: AtomicUsize::new(0),
            publishes: AtomicU64::new(0),
        }))
    }
}

impl Hub {
    /// Opens a connection on one of the shards.
    pub fn open(&self, registration: Registration) -> Result<Arc<Connection>, Overloaded> {
        let hub = &*self.0;
        if hub.connections.fetch_add(1, Relaxed) >= hub.connections_max {
            hub.connections.fetch_sub(1, Relaxed);
            return Err(Overloaded);
        }
        let shard = &hub.shards[hub.turn.fetch_add(1, Relaxed) % hub.shards.len()];
        let connection = Arc::new(Connection::new(registration, shard.clone(), hub.clock));
        shard.mailbox.push(Command::Open(connection.clone()));
        Ok(connection)
    }

    /// Publishes an event. Waits for admission while too much is in flight; returns when the event has its place in
    /// the order of its rooms and stands in the mailboxes of all shards with members. For a room without members it has
    /// to do neither.
    pub async fn publish(&self, event: Event) {
        let hub = &*self.0;
        hub.publishes.fetch_add(1, Relaxed);
        if hub.sequencer.may_have_members(&event.rooms) {
            let admission = hub.admission.admit(&event).await;
            self.hand_over(event, admission);
        }
    }

    /// [`Self::publish`] for whoever cannot wait. The event comes back if it would have to.
    pub fn try_publish(&self, event: Event) -> Result<(), Box<Event>> {
        let hub = &*self.0;
        if hub.sequencer.may_have_members(&event.rooms) {
            let Some(admission) = hub.admission.try_admit(&event) else {
                return Err(Box::new(event));
            };
            self.hand_over(event, admission);
        }
        hub.publishes.fetch_add(1, Relaxed);
        Ok(())
    }

    fn hand_over(&self, event: Event, admission: OwnedSemaphorePermit) {
        let hub = &*self.0;
        let publication = Arc::new(Publication::new(
            event,
            hub.encodings.clone(),
            hub.clock.now(),
            admission,
        ));
        hub.sequencer.in_order(publication.rooms(), |shards| {
            for shard in shards.iter() {
                hub.shards[shard]
                    .mailbox
                    .push(Command::Publish(publication.clone()));
            }
        });
    }

    /// Done when a shard has panicked. Its connections get nothing any more and are not told; a process that goes on
    /// would lose their events in silence. For one waiter.
    pub async fn failed(&self) {
        self.0.failed.notified().await;
    }

    /// Whether connections may agree on compressed frames; see [`HubLimits::compression`].
    pub fn compresses(&self) -> bool {
        self.0.encodings.deflater().is_some()
    }

    /// Connections at this moment.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Relaxed)
    }

    /// The rooms that have members of `gateway`, by name.
    pub async fn rooms(&self, gateway: Gateway) -> Vec<RoomCensus> {
        let mut answers = Vec::with_capacity(self.0.shards.len());
        for shard in &self.0.shards {
            let (answer, asked) = oneshot::channel();
            shard
                .mailbox
                .push_when_room(Command::Census(gateway, answer))
                .await;
            answers.push(asked);
        }
        let mut rooms: BTreeMap<RoomName, usize> = BTreeMap::new();
        for answer in answers {
            for room in answer.await.unwrap_or_default() {
                *rooms.entry(room.name).or_default() += room.members;
            }
        }
        rooms
            .into_iter()
            .map(|(name, members)| RoomCensus { name, members })
            .collect()
    }

    /// Closes every connection with `code`, evenly spread over `spread`.
    pub fn drain(&self, code: CloseCode, spread: Duration) {
        for shard in &self.0.shards {
            shard.mailbox.push(Command::Drain(code, spread));
        }
    }

    /// What the shards counted, added up.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures {
            publishes: self.0.publishes.load(Relaxed),
            rooms: self.0.sequencer.rooms() as u64,
            deflated: self
                .0
                .encodings
                .deflater()
                .map(|deflater| deflater.figures())
                .unwrap_or_default(),
            ..Figures::default()
        };
        for shard in &self.0.shards {
            figures.add(&shard.counters);
            figures.add_streams(&shard.streams);
        }
        figures
    }
}
