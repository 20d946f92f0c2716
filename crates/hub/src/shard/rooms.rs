//! The shard's part of every room: which of its slots are members.

use super::Shard;
use super::slot::Membership;
use crate::encoding::Form;
use crate::{EncodingId, RoomCensus, RoomClass, RoomClasses, RoomName};
use std::collections::HashMap;
use tidings_wire::websocket::WindowBits;

/// A member of a room.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) slot: u32,
    pub(super) form: Form,
}

struct Room {
    name: RoomName,
    class: RoomClass,
    members: Vec<Member>,
}

/// Rooms by name and by number; numbers are reused.
#[derive(Default)]
pub(super) struct Rooms {
    numbers: HashMap<RoomName, u32>,
    rooms: Vec<Option<Room>>,
    free: Vec<u32>,
}

impl Rooms {
    pub(super) fn number(&self, name: &RoomName) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(super) fn members(&self, number: u32) -> &[Member] {
        self.rooms[number as usize]
            .as_ref()
            .map_or(&[], |room| &room.members)
    }

    /// Changes the compressed form in which these memberships get their events.
    pub(super) fn compress_for(&mut self, memberships: &[Membership], window: Option<WindowBits>) {
        for membership in memberships {
            if let Some(room) = &mut self.rooms[membership.room as usize] {
                room.members[membership.place as usize].form.window = window;
            }
        }
    }

    pub(super) fn name(&self, number: u32) -> Option<&RoomName> {
        self.rooms[number as usize].as_ref().map(|room| &room.name)
    }

    pub(super) fn class(&self, number: u32) -> RoomClass {
        self.rooms[number as usize]
            .as_ref()
            .map_or(RoomClass::Close, |room| room.class)
    }

    fn number_or_new(&mut self, name: &RoomName, classes: &RoomClasses) -> u32 {
        if let Some(number) = self.number(name) {
            return number;
        }
        let room = Some(Room {
            name: name.clone(),
            class: classes.of(name),
            members: Vec::new(),
        });
        let number = if let Some(number) = self.free.pop() {
            self.rooms[number as usize] = room;
            number
        } else {
            self.rooms.push(room);
            self.rooms.len() as u32 - 1
        };
        self.numbers.insert(name.clone(), number);
        number
    }

    /// Rooms and how many of their members satisfy `counts`, without those that have none.
    pub(super) fn census(&self, counts: impl Fn(u32) -> bool) -> Vec<RoomCensus> {
        let census = |room: &Room| RoomCensus {
            name: room.name.clone(),
            members: room.members.iter().filter(|member| counts(member.slot)).count(),
        };
        self.rooms
            .iter()
            .flatten()
            .map(census)
            .filter(|room| room.members > 0)
            .collect()
    }
}

impl Shard {
    /// Makes the slot a member; again, it only changes the encoding.
    pub(super) fn join(&mut self, slot: u32, name: &RoomName, encoding: EncodingId) {
        if self.slots[slot as usize].closing {
            return;
        }
        let window = self.slots[slot as usize]
            .connection
            .as_ref()
            .and_then(|connection| connection.window());
        let form = Form { encoding, window };
        let number = self.rooms.number_or_new(name, &self.classes);
        let room = self.rooms.rooms[number as usize]
            .as_mut()
            .expect("a numbered room exists");
        let memberships = &mut self.ledgers[slot as usize].memberships;
        if let Some(membership) = memberships.iter().find(|membership| membership.room == number) {
            room.members[membership.place as usize].form = form;
            return;
        }
        if memberships.is_empty() {
            memberships.reserve_exact(1);
        }
        memberships.push(Membership {
            room: number,
            place: room.members.len() as u32,
        });
        room.members.push(Member { slot, form });
        self.tally.memberships += 1;
        if room.members.len() == 1 {
            self.sequencer.enter(name, self.number);
        }
    }

    /// Ends a membership, if there is one.
    pub(super) fn leave(&mut self, slot: u32, name: &RoomName) {
        let Some(number) = self.rooms.number(name) else {
            return;
        };
        let memberships = &mut self.ledgers[slot as usize].memberships;
        if let Some(index) = memberships
            .iter()
            .position(|membership| membership.room == number)
        {
            let membership = memberships.swap_remove(index);
            self.end(membership);
        }
    }

    /// Ends all memberships.
    pub(super) fn leave_all(&mut self, slot: u32) {
        for membership in std::mem::take(&mut self.ledgers[slot as usize].memberships) {
            self.end(membership);
        }
    }

    fn end(&mut self, membership: Membership) {
        let place = membership.place as usize;
        let room = self.rooms.rooms[membership.room as usize]
            .as_mut()
            .expect("a membership's room exists");
        room.members.swap_remove(place);
        self.tally.memberships -= 1;
        if let Some(moved) = room.members.get(place) {
            // Invariant: a membership names its member's place in the room.
            let memberships = &mut self.ledgers[moved.slot as usize].memberships;
            if let Some(theirs) = memberships
                .iter_mut()
                .find(|theirs| theirs.room == membership.room)
            {
                theirs.place = membership.place;
            }
        }
        if room.members.is_empty() {
            self.sequencer.exit(&room.name, self.number);
            self.rooms.numbers.remove(&room.name);
            self.rooms.rooms[membership.room as usize] = None;
            self.rooms.free.push(membership.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_eight_bytes() {
        assert_eq!(size_of::<Member>(), 8);
    }
}
