//! From an event to its members' outboxes.

use super::Shard;
use super::bundles::Bundles;
use super::slot::Link;
use crate::RoomClass;
use crate::parcel::Parcel;
use crate::publication::Publication;
use crate::relay::Handover;
use crate::wheel::Purpose;
use std::sync::Arc;
use tidings_wire::websocket::{Frame, WindowBits};

impl Shard {
    /// Appends a run of events, all to the same one room or a single event of any form.
    pub(super) fn deliver(&mut self, run: &mut Vec<Arc<Publication>>) {
        let Some(first) = run.first() else { return };
        self.tally.events += run.len() as u64;
        if let Some(room) = first.only_room() {
            let Some(number) = self.rooms.number(room) else {
                return run.clear();
            };
            if self.rooms.class(number) == RoomClass::Close {
                let mut bundles = Bundles::of(run, self.limits.bundle_bytes_max);
                for place in 0..self.rooms.members(number).len() {
                    let member = self.rooms.members(number)[place];
                    for parcel in bundles.in_form(member.form) {
                        self.append(member.slot, parcel);
                    }
                }
            } else {
                for publication in &*run {
                    self.deliver_by_class(publication, number, false);
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

    /// An event to several rooms, or with exclusions: each connection at most once, by the room among them that loses
    /// least.
    fn deliver_with_care(&mut self, publication: &Publication) {
        self.visit = self.visit.wrapping_add(1).max(1);
        for class in self.classes.in_use() {
            self.visit_rooms(publication, *class);
        }
    }

    fn visit_rooms(&mut self, publication: &Publication, class: RoomClass) {
        for room in publication.rooms() {
            let Some(number) = self.rooms.number(room) else {
                continue;
            };
            if self.rooms.class(number) != class {
                continue;
            }
            if class != RoomClass::Close {
                self.deliver_by_class(publication, number, true);
                continue;
            }
            for place in 0..self.rooms.members(number).len() {
                let member = self.rooms.members(number)[place];
                let ledger = &mut self.ledgers[member.slot as usize];
                if ledger.visited == self.visit || publication.excludes().contains(&ledger.id) {
                    continue;
                }
                if let Some(parcel) = publication.parcel(member.form) {
                    ledger.visited = self.visit;
                    self.append(member.slot, parcel);
                }
            }
        }
    }

    #[inline]
    pub(super) fn append(&mut self, number: u32, parcel: &Arc<Parcel>) {
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

    /// Appends a direct answer and writes at once: it does not wait a lap of the dirty queue.
    pub(super) fn answer(&mut self, number: u32, frame: Frame) {
        let slot = &mut self.slots[number as usize];
        if slot.closing {
            return;
        }
        match slot.link {
            Link::Open | Link::Blocked => {
                slot.outbox
                    .push(Parcel::answer(frame, self.now), &mut self.spares);
                if slot.link == Link::Open {
                    self.write(number);
                }
                if !self.make_room(number) {
                    self.cut_slow_consumer(number);
                }
            }
            Link::Relayed => {
                self.append_to_relay(number, &Parcel::answer(frame, self.now));
                self.cut_overflowing();
            }
            Link::Free | Link::Dead => {}
        }
    }

    /// A connection moves from polling to a WebSocket. If that has a socket to write, the relay's frames move to its
    /// outbox.
    pub(super) fn attach(&mut self, connection: &Arc<crate::Connection>, window: Option<WindowBits>) {
        let Some(number) = self.slot_of(connection) else {
            return;
        };
        let Some(relay) = connection.relay() else { return };
        let slot = &mut self.slots[number as usize];
        if slot.link == Link::Dead {
            // It was cut while it had no socket to cut.
            return self.cut(number);
        }
        if slot.link != Link::Relayed {
            return;
        }
        // From here on, and not before: what waited on the relay could be taken by a transport that is no WebSocket.
        connection.agree(window);
        self.rooms
            .compress_for(&self.ledgers[number as usize].memberships, window);
        if connection.socket().is_none() {
            return;
        }
        let Handover { backlog, closed } = relay.hand_over();
        let slot = &mut self.slots[number as usize];
        slot.link = Link::Open;
        for parcel in backlog.parcels {
            slot.outbox.push(parcel.renewed(self.now), &mut self.spares);
        }
        if let Some(farewell) = closed {
            slot.closing = true;
            slot.outbox
                .push(Parcel::answer(farewell.frame, self.now), &mut self.spares);
            self.set_deadline(number, Purpose::Reset, self.limits.close_timeout_ticks);
        }
        self.write(number);
    }
}
