//! What becomes of connections that do not keep up, by the classes of their rooms.

use super::Shard;
use super::slot::Link;
use crate::RoomClass;
use crate::backlog::{Backlog, Dropped, Fate};
use crate::clock::Ticks;
use crate::counters::Tally;
use crate::encoding::Form;
use crate::parcel::Parcel;
use crate::publication::Publication;
use crate::wheel::Purpose;
use std::sync::Arc;

impl Shard {
    /// An event to one room whose members may miss some; with `once`, only to those that this publish has not visited.
    pub(super) fn deliver_by_class(&mut self, publication: &Publication, number: u32, once: bool) {
        let latest = match (self.rooms.class(number), self.rooms.name(number)) {
            (RoomClass::Latest, Some(room)) => Some(self.keys.fate(room, publication.event())),
            _ => None,
        };
        // By form, for all members.
        let mut made: Vec<(Form, Arc<Parcel>)> = Vec::new();
        for place in 0..self.rooms.members(number).len() {
            let member = self.rooms.members(number)[place];
            if once {
                let ledger = &self.ledgers[member.slot as usize];
                if ledger.visited == self.visit || publication.excludes().contains(&ledger.id) {
                    continue;
                }
            }
            let known = made.iter().position(|(form, _)| *form == member.form);
            let place = match (known, publication.parcel(member.form)) {
                (Some(place), _) => place,
                (None, None) => continue,
                (None, Some(parcel)) => {
                    let fate = latest.unwrap_or(Fate::droppable(member.form.encoding));
                    let parcel = Parcel::new(parcel.frame.clone(), parcel.published, fate);
                    made.push((member.form, parcel));
                    made.len() - 1
                }
            };
            if once {
                self.ledgers[member.slot as usize].visited = self.visit;
            }
            let parcel = &made[place].1;
            if latest.is_some() {
                self.append_latest(member.slot, parcel);
            } else {
                self.append(member.slot, parcel);
            }
        }
    }

    /// Appends an event of which the latest is enough.
    fn append_latest(&mut self, number: u32, parcel: &Arc<Parcel>) {
        let slot = &mut self.slots[number as usize];
        if slot.closing || !matches!(slot.link, Link::Open | Link::Blocked) {
            return self.append(number, parcel);
        }
        self.tally.deliveries += u64::from(parcel.frames);
        if slot.outbox.push_latest(parcel.clone(), &mut self.spares) {
            self.tally.events_superseded += 1;
            let blocked = &mut self.ledgers[number as usize].blocked;
            if slot.link == Link::Blocked && !blocked.is_lagging {
                blocked.is_lagging = true;
                self.tally.lags += 1;
            }
        }
        if self.limits.are_exceeded_by(&slot.outbox) {
            self.relieve(number);
        } else if slot.link == Link::Open {
            self.mark_dirty(number);
        }
    }

    pub(super) fn append_to_relay(&mut self, number: u32, parcel: &Arc<Parcel>) {
        let slot = &self.slots[number as usize];
        let Some(relay) = slot.connection.as_ref().and_then(|connection| connection.relay()) else {
            return;
        };
        let marker = |encoding, dropped| self.encodings.gap(encoding, dropped);
        let pushed = relay.push(parcel.clone(), self.now, &self.limits.relay, marker);
        self.tally.events_superseded += u64::from(pushed.superseded);
        self.tally.lags += u64::from(pushed.began_to_lag);
        self.tally.count_dropped(pushed.dropped);
        if pushed.is_full {
            self.overflowing.push(number);
        } else if !slot.age_watched {
            self.slots[number as usize].age_watched = true;
            self.set_deadline(number, Purpose::Age, self.limits.outbox_age_ticks_max);
        }
    }

    /// An outbox is over its bound. A burst can outrun the rolling flush, which says nothing about the client: only
    /// one whose socket does not take it either is slow.
    #[cold]
    pub(super) fn relieve(&mut self, number: u32) {
        if self.slots[number as usize].link == Link::Open {
            self.write(number);
        }
        if !self.make_room(number) {
            self.overflowing.push(number);
        }
    }

    /// Brings an outbox back to its bound, as far as dropping events of rooms that allow it does; false if it is over
    /// it all the same.
    pub(super) fn make_room(&mut self, number: u32) -> bool {
        let outbox = &mut self.slots[number as usize].outbox;
        if !self.limits.are_exceeded_by(outbox) {
            return true;
        }
        let bounds = &self.limits.outbox;
        let dropped = outbox.drop_oldest(
            |load, _| bounds.are_exceeded_by(load),
            |encoding, dropped| self.encodings.gap(encoding, dropped),
        );
        self.tally.count_dropped(dropped);
        !bounds.are_exceeded_by(outbox.load_without_marker())
    }

    /// Cuts those that were found over their bound.
    pub(super) fn cut_overflowing(&mut self) {
        for slot in std::mem::take(&mut self.overflowing) {
            self.cut_slow_consumer(slot);
        }
    }

    /// Drops what has waited too long and may go, cuts a connection of which something else has waited too long, or
    /// looks again when it would have.
    pub(super) fn judge_age(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        slot.age_watched = false;
        if slot.closing {
            return;
        }
        if slot.link == Link::Relayed {
            return self.judge_relay_age(number);
        }
        if slot.outbox.is_empty() {
            return;
        }
        let (now, age_max) = (self.now, self.limits.outbox_age_ticks_max);
        let dropped = slot.outbox.drop_oldest(
            |_, parcel| now.since(parcel.published) >= age_max,
            |encoding, dropped| self.encodings.gap(encoding, dropped),
        );
        self.tally.count_dropped(dropped);
        let rest = slot.outbox.rest();
        let age_of = |oldest: Option<Ticks>| oldest.map_or(0, |published| now.since(published));
        let kept = age_of(rest.and_then(Backlog::oldest_kept));
        let droppable = age_of(rest.and_then(Backlog::oldest_droppable));
        // The first frame is on its way as long as the socket takes something of it now and then.
        let untouched = now.since(self.ledgers[number as usize].blocked.since);
        let first = age_of(slot.outbox.oldest()).min(untouched);
        if kept.max(first) >= age_max {
            return self.cut_slow_consumer(number);
        }
        if slot.link == Link::Blocked {
            slot.age_watched = true;
            let left = age_max - kept.max(first).max(droppable);
            self.set_deadline(number, Purpose::Age, left);
        }
    }

    /// Cuts a connection whose task has taken nothing for too long, or looks again when it would have.
    fn judge_relay_age(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        let relay = slot.connection.as_ref().and_then(|connection| connection.relay());
        let Some(age) = relay.and_then(|relay| relay.age(self.now)) else {
            return;
        };
        match self.limits.outbox_age_ticks_max.saturating_sub(age) {
            0 => self.cut_slow_consumer(number),
            left => {
                slot.age_watched = true;
                self.set_deadline(number, Purpose::Age, left);
            }
        }
    }
}

impl Tally {
    pub(super) fn count_dropped(&mut self, dropped: Dropped) {
        self.events_dropped += u64::from(dropped.events);
        self.gaps += u64::from(dropped.is_new);
    }
}
