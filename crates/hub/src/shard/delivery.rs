//! From an event to its members' outboxes.

use super::Shard;
use super::bundles::Bundles;
use super::slot::Link;
use crate::parcel::Parcel;
use crate::publication::Publication;
use crate::wheel::Purpose;
use std::sync::Arc;
use tidings_wire::websocket::Frame;

impl Shard {
    /// Appends a run of events, all to the same one room or a single event of any form.
    pub(super) fn deliver(&mut self, run: &mut Vec<Arc<Publication>>) {
        let Some(first) = run.first() else { return };
        self.tally.events += run.len() as u64;
        if let Some(room) = first.only_room() {
            if let Some(number) = self.rooms.number(room) {
                let mut bundles = Bundles::of(run, self.limits.bundle_bytes_max);
                for place in 0..self.rooms.members(number).len() {
                    let member = self.rooms.members(number)[place];
                    for parcel in bundles.for_encoding(member.encoding) {
                        self.append(member.slot, parcel);
                    }
                }
            }
        } else {
            for publication in &*run {
                self.deliver_with_care(publication);
            }
        }
        run.clear();
        self.cut_overflowing();
    }

    /// An event to several rooms, or with exclusions: each connection at most once.
    fn deliver_with_care(&mut self, publication: &Publication) {
        self.visit = self.visit.wrapping_add(1).max(1);
        for room in publication.rooms() {
            let Some(number) = self.rooms.number(room) else {
                continue;
            };
            for place in 0..self.rooms.members(number).len() {
                let member = self.rooms.members(number)[place];
                let ledger = &mut self.ledgers[member.slot as usize];
                if ledger.visited == self.visit || publication.excludes().contains(&ledger.id) {
                    continue;
                }
                if let Some(parcel) = publication.parcel(member.encoding) {
                    ledger.visited = self.visit;
                    self.append(member.slot, parcel);
                }
            }
        }
    }

    #[inline]
    fn append(&mut self, number: u32, parcel: &Arc<Parcel>) {
        let slot = &mut self.slots[number as usize];
        if slot.closing {
            return;
        }
        match slot.link {
            Link::Open | Link::Blocked => {
                slot.outbox.push(parcel.clone(), &mut self.spares);
                self.tally.deliveries += u64::from(parcel.frames);
                if self.limits.are_exceeded_by(&slot.outbox) {
                    self.relieve(number);
                } else if !slot.dirty && slot.link == Link::Open {
                    slot.dirty = true;
                    self.dirty.push_back(number);
                }
            }
            Link::Relayed => {
                self.tally.deliveries += u64::from(parcel.frames);
                self.append_to_relay(number, parcel);
            }
            Link::Free | Link::Dead => {}
        }
    }

    /// An outbox is over its bound. A burst can outrun the rolling flush, which says nothing about the client: only
    /// one whose socket does not take it either is slow.
    #[cold]
    fn relieve(&mut self, number: u32) {
        if self.slots[number as usize].link == Link::Open {
            self.write(number);
        }
        if self.limits.are_exceeded_by(&self.slots[number as usize].outbox) {
            self.overflowing.push(number);
        }
    }

    /// Cuts those that were found over their bound.
    fn cut_overflowing(&mut self) {
        for slot in std::mem::take(&mut self.overflowing) {
            self.cut_slow_consumer(slot);
        }
    }

    fn append_to_relay(&mut self, number: u32, parcel: &Arc<Parcel>) {
        let slot = &self.slots[number as usize];
        let relay = slot.connection.as_ref().and_then(|connection| connection.relay());
        let pushed = relay.map(|relay| relay.push(parcel.clone(), self.now, &self.limits.relay));
        match pushed {
            Some(Err(_)) => self.overflowing.push(number),
            Some(Ok(())) if !slot.age_watched => {
                self.slots[number as usize].age_watched = true;
                self.set_deadline(number, Purpose::Age, self.limits.outbox_age_ticks_max);
            }
            _ => {}
        }
    }

    /// Appends a direct answer and writes at once: it does not wait a lap of the dirty queue.
    pub(super) fn answer(&mut self, number: u32, frame: Frame) {
        let slot = &mut self.slots[number as usize];
        if slot.closing {
            return;
        }
        match slot.link {
            Link::Open | Link::Blocked => {
                slot.outbox.push(Parcel::new(frame, self.now), &mut self.spares);
                if slot.link == Link::Open {
                    self.write(number);
                }
                if self.limits.are_exceeded_by(&self.slots[number as usize].outbox) {
                    self.cut_slow_consumer(number);
                }
            }
            Link::Relayed => {
                self.append_to_relay(number, &Parcel::new(frame, self.now));
                self.cut_overflowing();
            }
            Link::Free | Link::Dead => {}
        }
    }

    /// Moves a relay's frames to the outbox of the socket that takes its place.
    pub(super) fn attach(&mut self, connection: &Arc<crate::Connection>) {
        let Some(number) = self.slot_of(connection) else {
            return;
        };
        let Some(relay) = connection.relay() else { return };
        let waiting = relay.take();
        let slot = &mut self.slots[number as usize];
        if slot.link == Link::Dead {
            // It was cut while it had no socket to cut.
            return self.cut(number);
        }
        if slot.link != Link::Relayed {
            return;
        }
        slot.link = Link::Open;
        for frame in waiting.frames {
            slot.outbox.push(Parcel::new(frame, self.now), &mut self.spares);
        }
        if let Some(code) = waiting.closed {
            slot.closing = true;
            slot.outbox
                .push(Parcel::new(Frame::close(code), self.now), &mut self.spares);
            self.set_deadline(number, Purpose::Reset, self.limits.close_timeout_ticks);
        }
        self.write(number);
    }
}
