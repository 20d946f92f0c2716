//! The shard's slots: one per connection, found by number.

use super::Shard;
use crate::clock::Ticks;
use crate::outbox::Outbox;
use crate::wheel::{Deadline, Purpose};
use crate::{Connection, ConnectionId};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

/// Where a connection's frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Nobody has the slot.
    Free,
    /// To its socket, which took the last write.
    Open,
    /// To its socket, which was full; the slot is put on the shard's list when it is writable.
    Blocked,
    /// To its relay.
    Relayed,
    /// Nowhere: the connection is cut and its task is about to end.
    Dead,
}

/// What the flush touches of a connection.
#[repr(align(64))]
pub(super) struct Slot {
    pub(super) outbox: Outbox,
    /// Keeps the socket's descriptor open, and so not reused, as long as the shard may write to it.
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) epoch: u16,
    pub(super) link: Link,
    /// The slot stands in the dirty queue.
    pub(super) dirty: bool,
    /// The close frame is in the outbox or written; nothing may follow it.
    pub(super) closing: bool,
    /// A deadline for the age of the outbox is set.
    pub(super) age_watched: bool,
}

/// What joins, heartbeats and ends touch of a connection.
pub(super) struct Ledger {
    pub(super) id: ConnectionId,
    pub(super) memberships: Vec<Membership>,
    pub(super) ping_due: Ticks,
    /// The last publish that visited the connection, among those that may meet it twice.
    pub(super) visited: u32,
    /// What a drain will close it with, and when.
    pub(super) drain: Option<(CloseCode, Ticks)>,
    pub(super) blocked: Blocked,
}

/// What is remembered of a connection whose socket was full.
#[derive(Clone, Copy, Default)]
pub(super) struct Blocked {
    /// Where the first frame's unwritten part begins: it has moved when the socket has taken something since.
    pub(super) head: usize,
    /// When that was first seen there.
    pub(super) since: Ticks,
    /// An event was superseded since then.
    pub(super) is_lagging: bool,
}

/// A connection's place in a room.
#[derive(Clone, Copy)]
pub(super) struct Membership {
    pub(super) room: u32,
    pub(super) place: u32,
}

impl Shard {
    /// The slot of a connection, unless it was given back already.
    pub(super) fn slot_of(&self, connection: &Arc<Connection>) -> Option<u32> {
        let number = connection.slot.load(Relaxed);
        let slot = self.slots.get(number as usize)?;
        slot.connection
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(owner, connection))
            .then_some(number)
    }

    pub(super) fn open(&mut self, connection: Arc<Connection>) {
        let link = if connection.socket().is_some() && connection.relay().is_none() {
            Link::Open
        } else {
            Link::Relayed
        };
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                outbox: Outbox::default(),
                connection: None,
                epoch: 0,
                link: Link::Free,
                dirty: false,
                closing: false,
                age_watched: false,
            });
            self.ledgers.push(Ledger {
                id: connection.id(),
                memberships: Vec::new(),
                ping_due: self.now,
                visited: 0,
                drain: None,
                blocked: Blocked::default(),
            });
            self.slots.len() as u32 - 1
        });
        connection.slot.store(number, Release);
        self.ledgers[number as usize].id = connection.id();
        let slot = &mut self.slots[number as usize];
        slot.link = link;
        slot.connection = Some(connection);
        self.tally.opened += 1;
        self.start_heartbeat(number);
        if let Some(code) = self.draining {
            self.close(number, code, Frame::close(code));
        }
    }

    /// Takes the slot back: its memberships end, its outbox is thrown away.
    pub(super) fn vacate(&mut self, number: u32) {
        self.leave_all(number);
        let slot = &mut self.slots[number as usize];
        let dropped = slot.outbox.clear(&mut self.spares);
        self.tally.frames_dropped += dropped as u64;
        slot.connection = None;
        slot.link = Link::Free;
        slot.epoch = slot.epoch.wrapping_add(1);
        slot.closing = false;
        slot.age_watched = false;
        self.ledgers[number as usize].drain = None;
        self.ledgers[number as usize].blocked = Blocked::default();
        // A slot that stands in the dirty queue is free once its turn has come; it must not stand there twice.
        if !slot.dirty {
            self.free.push(number);
        }
        self.connections.fetch_sub(1, Relaxed);
        self.tally.gone += 1;
    }

    pub(super) fn mark_dirty(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push_back(number);
        }
    }

    /// Sets a deadline for the connection that has the slot now.
    pub(super) fn set_deadline(&mut self, number: u32, purpose: Purpose, delay_ticks: u32) {
        let epoch = self.slots[number as usize].epoch;
        self.wheel.set(
            Deadline {
                slot: number,
                epoch,
                purpose,
            },
            self.now,
            delay_ticks,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
    }
}
