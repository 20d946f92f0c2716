//! A shard: the owner of some connections, and the only writer of their sockets.
//!
//! One lap takes the commands that have come, appends their frames to outboxes, flushes a *slice* of the sockets that
//! have something to write, yields, and begins again. The flush rolls: while sockets wait for their turn, new events
//! join their outboxes, and one write carries several frames. No timer is involved; an idle shard writes at once.

mod bundles;
mod closing;
mod delivery;
mod flush;
mod rooms;
mod slot;
mod slow;
mod timing;

use crate::backlog::Bounds;
use crate::clock::{Clock, Ticks, ticks};
use crate::command::Command;
use crate::counters::{ShardCounters, StreamCounters, Tally};
use crate::encoding::Encodings;
use crate::keys::Keys;
use crate::mailbox::Mailbox;
use crate::outbox::{Outbox, Spares};
use crate::publication::Publication;
use crate::relay::RelayLimits;
use crate::sequencer::Sequencer;
use crate::wheel::{Deadline, Wheel};
use crate::{HubLimits, RoomCensus, RoomClasses};
use flush::Unblocked;
use rooms::Rooms;
use slot::{Ledger, Slot};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Deflater;
use tokio::task::JoinHandle;

/// Commands applied in one lap.
const COMMANDS_PER_LAP: usize = 64;
/// Sockets flushed in one lap: a sixteenth of those that wait, within these bounds. Larger slices coalesce less.
const SLICE_MIN: usize = 4;
const SLICE_MAX: usize = 16;
/// Sockets flushed in one lap at the most while no event follows: there is nothing to coalesce with, and each lap costs
/// a round of the runtime. It is also how long the other tasks of the thread wait.
const LONE_SLICE_MAX: usize = 64;
/// Events of one room that come together are put into parcels of so many bytes, or a sixteenth of an outbox.
const BUNDLE_BYTES_MAX: usize = 16 * 1024;
/// Events taken in one lap, but for the last one, have at most so much data: it has to be encoded, and perhaps compressed,
/// before the lap's sockets are flushed.
const EVENT_BYTES_PER_LAP: usize = 256 * 1024;
/// Yields after each lap. On the multi-thread runtime one yield lets publishers in only every second lap.
const YIELDS: usize = 2;

/// What the rest of the program holds of a shard.
pub(crate) struct ShardHandle {
    pub(crate) mailbox: Mailbox,
    pub(crate) counters: ShardCounters,
    pub(crate) streams: StreamCounters,
    /// Compresses direct answers.
    pub(crate) deflater: Option<Arc<Deflater>>,
    unblocked: Unblocked,
}

/// The shard's bounds, in its own units.
struct Limits {
    outbox: Bounds,
    outbox_age_ticks_max: u32,
    bundle_bytes_max: usize,
    close_timeout_ticks: u32,
    relay: RelayLimits,
}

impl Limits {
    #[inline]
    fn are_exceeded_by(&self, outbox: &Outbox) -> bool {
        self.outbox.are_exceeded_by(outbox.load())
    }
}

struct Shard {
    number: usize,
    handle: Arc<ShardHandle>,
    sequencer: Arc<Sequencer>,
    connections: Arc<AtomicUsize>,
    clock: Clock,
    /// The clock at the start of the lap.
    now: Ticks,
    limits: Limits,
    /// What the flush touches: one cache line per connection.
    slots: Vec<Slot>,
    /// What only joins, heartbeats and ends touch, by the same number.
    ledgers: Vec<Ledger>,
    free: Vec<u32>,
    rooms: Rooms,
    /// Slots that have something to write, in turn.
    dirty: VecDeque<u32>,
    /// How many of the dirty queue's first were in it when the last event came.
    behind: usize,
    /// Laps since the last event if it found none of the one before waiting; `None` if it did, until that is written.
    lone_laps: Option<u32>,
    wheel: Wheel,
    spares: Spares,
    /// Slots found over their bound while a room was iterated.
    overflowing: Vec<u32>,
    encodings: Encodings,
    classes: RoomClasses,
    keys: Keys,
    /// Numbers publishes that need to visit a connection at most once.
    visit: u32,
    /// Set once a drain is on.
    draining: Option<CloseCode>,
    tally: Tally,
}

/// Starts a shard on the current runtime. Its task ends only if it panics.
pub(crate) fn start(
    number: usize,
    limits: &HubLimits,
    clock: Clock,
    sequencer: Arc<Sequencer>,
    connections: Arc<AtomicUsize>,
    encodings: Encodings,
    classes: RoomClasses,
) -> (Arc<ShardHandle>, JoinHandle<()>) {
    let handle = Arc::new(ShardHandle {
        mailbox: Mailbox::new(limits.mailbox_commands_max),
        counters: ShardCounters::default(),
        streams: StreamCounters::default(),
        deflater: encodings.deflater().cloned(),
        unblocked: Unblocked::default(),
    });
    let now = clock.now();
    let age_ticks_max = ticks(limits.outbox_age_max);
    let bounds = Bounds {
        bytes_max: limits.outbox_bytes_max,
        frames_max: limits.outbox_frames_max,
    };
    let shard = Shard {
        number,
        handle: handle.clone(),
        sequencer,
        connections,
        clock,
        now,
        limits: Limits {
            outbox: bounds,
            outbox_age_ticks_max: age_ticks_max,
            bundle_bytes_max: BUNDLE_BYTES_MAX.min(limits.outbox_bytes_max / 16),
            close_timeout_ticks: ticks(limits.close_timeout),
            relay: RelayLimits {
                bounds,
                age_ticks_max,
            },
        },
        slots: Vec::new(),
        ledgers: Vec::new(),
        free: Vec::new(),
        rooms: Rooms::default(),
        dirty: VecDeque::new(),
        behind: 0,
        lone_laps: None,
        wheel: Wheel::new(ticks(limits.timer_tick), now),
        spares: Spares::default(),
        overflowing: Vec::new(),
        encodings,
        classes,
        keys: Keys::default(),
        visit: 0,
        draining: None,
        tally: Tally::default(),
    };
    (handle, tokio::spawn(shard.run()))
}

impl Shard {
    async fn run(mut self) {
        let mut taken: Vec<Command> = Vec::new();
        let mut waiting: VecDeque<Command> = VecDeque::new();
        let mut run: Vec<Arc<Publication>> = Vec::new();
        let mut due: Vec<Deadline> = Vec::new();
        loop {
            if waiting.is_empty() {
                self.handle.mailbox.take(&mut taken);
                waiting.extend(taken.drain(..));
            }
            if waiting.is_empty() && self.dirty.is_empty() && !self.handle.unblocked.any() {
                self.tally.publish(&self.handle.counters);
                self.rest().await;
            }
            self.now = self.clock.now();
            self.wheel.advance(self.now, &mut due);
            for deadline in due.drain(..) {
                self.deadline(deadline);
            }
            self.take_unblocked();
            let (mut commands, mut events, mut event_bytes) = (0, 0, 0);
            while commands < COMMANDS_PER_LAP
                && event_bytes < EVENT_BYTES_PER_LAP
                && let Some(command) = waiting.pop_front()
            {
                commands += 1;
                self.tally.commands += 1;
                match command {
                    Command::Publish(publication) => {
                        // Events of one room that stand together are appended in one pass over its members.
                        if run
                            .first()
                            .is_some_and(|first| first.only_room() != publication.only_room())
                        {
                            self.deliver(&mut run);
                        }
                        events += 1;
                        event_bytes += publication.data_bytes();
                        run.push(publication);
                    }
                    command => {
                        self.deliver(&mut run);
                        self.apply(command);
                    }
                }
            }
            self.deliver(&mut run);
            self.lone_laps = match self.lone_laps {
                Some(laps) if events == 0 => Some(laps.saturating_add(1)),
                _ if self.behind == 0 => Some(0),
                _ => None,
            };
            if events > 0 {
                self.behind = self.dirty.len();
            }
            self.flush_slice();
            self.tally.publish(&self.handle.counters);
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until there is something to do.
    async fn rest(&self) {
        let bell = self.handle.mailbox.bell.notified();
        if self.wheel.is_empty() {
            bell.await;
        } else {
            let nap = Duration::from_micros(100 * u64::from(self.wheel.until_next(self.clock.now())));
            tokio::select! {
                () = bell => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Publish(publication) => self.deliver(&mut vec![publication]),
            Command::Open(connection) => self.open(connection),
            Command::Attach(connection, window) => self.attach(&connection, window),
            Command::Send(connection, frame) => {
                if let Some(slot) = self.slot_of(&connection) {
                    self.answer(slot, frame);
                }
            }
            Command::Join {
                connection,
                room,
                encoding,
                confirmation,
            } => {
                if let Some(slot) = self.slot_of(&connection) {
                    self.join(slot, &room, encoding);
                    if let Some(frame) = confirmation {
                        self.answer(slot, frame);
                    }
                }
            }
            Command::Leave {
                connection,
                room,
                confirmation,
            } => {
                if let Some(slot) = self.slot_of(&connection) {
                    self.leave(slot, &room);
                    if let Some(frame) = confirmation {
                        self.answer(slot, frame);
                    }
                }
            }
            Command::Close(connection, code, frame) => {
                if let Some(slot) = self.slot_of(&connection) {
                    self.close(slot, code, frame);
                }
            }
            Command::Gone(connection) => {
                if let Some(slot) = self.slot_of(&connection) {
                    self.vacate(slot);
                }
            }
            Command::Settle(done) => {
                // Whoever asked may have left.
                let _ = done.send(());
            }
            Command::Census(gateway, answer) => {
                // Who has the answer finds everything counted that came before it.
                self.tally.publish(&self.handle.counters);
                let census: Vec<RoomCensus> = self.rooms.census(|slot| {
                    self.slots[slot as usize]
                        .connection
                        .as_ref()
                        .is_some_and(|c| c.gateway() == gateway)
                });
                // Whoever asked may have gone away.
                drop(answer.send(census));
            }
            Command::Drain(code, spread) => self.drain(code, spread),
        }
    }
}
