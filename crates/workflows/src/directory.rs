//! Who is connected to this gateway, which rooms have members, and until when they may be there.

use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_access::{Admission, OWN_ROOM, UserId};
use tidings_hub::RoomName;
use tokio::time::Instant;

use crate::answers::{Answers, DueAnswer};
use crate::member::{Member, Membership};

const STRIPES: usize = 64;

/// All connections by user, and the number of members of each room.
///
/// It answers what the hub cannot be asked often: every user may ask for statistics, and a census makes all shards
/// walk through their rooms.
///
/// Invariant: a room counts the members that have it in [`Member::rooms`]. Lock order: a member's rooms, then a
/// stripe of users, a stripe of rooms, or the answers, each alone; without a member's rooms, any of these alone.
pub(crate) struct Directory {
    hasher: RandomState,
    users: Stripes<UserId, Present>,
    rooms: Stripes<RoomName, u32>,
    answers: Answers,
    connections: AtomicUsize,
    connections_per_user_max: usize,
    rooms_per_user_max: usize,
}

type Stripes<K, V> = Box<[Mutex<HashMap<K, V>>]>;

/// A user who is connected.
#[derive(Default)]
struct Present {
    members: Vec<Arc<Member>>,
    /// Rooms that these are in, each its own ones; the user's own room is not counted.
    rooms: usize,
}

/// The user has as many connections as one user may have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyConnections;

/// The user's connections are in as many rooms as they may be together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyRooms;

impl Directory {
    pub(crate) fn new(connections_per_user_max: usize, rooms_per_user_max: usize) -> Directory {
        Directory {
            hasher: RandomState::new(),
            users: std::iter::repeat_with(Mutex::default).take(STRIPES).collect(),
            rooms: std::iter::repeat_with(Mutex::default).take(STRIPES).collect(),
            answers: Answers::new(),
            connections: AtomicUsize::new(0),
            connections_per_user_max,
            rooms_per_user_max,
        }
    }

    /// Takes a connection in, if its user may have one more.
    pub(crate) fn enter(&self, member: &Arc<Member>) -> Result<(), TooManyConnections> {
        let user = &member.user;
        let mut users = self.users[self.stripe_of(user)].lock();
        let held = users.get(user).map_or(0, |present| present.members.len());
        if held >= self.connections_per_user_max {
            return Err(TooManyConnections);
        }
        users
            .entry(user.clone())
            .or_default()
            .members
            .push(member.clone());
        self.connections.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Forgets a connection and its memberships.
    pub(crate) fn leave(&self, member: &Arc<Member>) {
        let mut rooms = member.rooms.lock();
        let left = std::mem::take(&mut *rooms);
        for membership in &left {
            self.discount(membership);
        }
        let mut users = self.users[self.stripe_of(&member.user)].lock();
        if let Some(present) = users.get_mut(&member.user)
            && let Some(place) = present
                .members
                .iter()
                .position(|known| Arc::ptr_eq(known, member))
        {
            present.members.swap_remove(place);
            present.rooms -= left.iter().filter(|membership| membership.counts()).count();
            self.connections.fetch_sub(1, Relaxed);
            if present.members.is_empty() {
                users.remove(&member.user);
                shrink(&mut users);
            }
        }
    }

    /// Notes a membership and by what the member was let in, also if it was there before.
    pub(crate) fn join(
        &self,
        member: &Arc<Member>,
        room: &RoomName,
        admission: Admission,
    ) -> Result<(), TooManyRooms> {
        let mut rooms = member.rooms.lock();
        let known = rooms.iter().position(|known| known.room == *room);
        let place = if let Some(place) = known {
            place
        } else {
            let membership = Membership {
                room: room.clone(),
                rule: admission.rule,
                answer: None,
            };
            self.count(&member.user, &membership)?;
            rooms.push(membership);
            rooms.len() - 1
        };
        self.note(member, &mut rooms[place], admission);
        Ok(())
    }

    /// Notes by what a member is still let in; `false` if it has left meanwhile.
    pub(crate) fn readmit(&self, member: &Arc<Member>, room: &RoomName, admission: Admission) -> bool {
        let mut rooms = member.rooms.lock();
        let membership = rooms.iter_mut().find(|known| known.room == *room);
        membership
            .map(|membership| self.note(member, membership, admission))
            .is_some()
    }

    fn note(&self, member: &Arc<Member>, membership: &mut Membership, admission: Admission) {
        membership.rule = admission.rule;
        self.answers.forget(membership.answer.take());
        membership.answer = admission
            .holds
            .map(|holds| self.answers.enter(holds, None, member, &membership.room));
    }

    /// Has a membership be asked about again in a while, because nobody could be asked. Its last good answer ended at
    /// `ended_at`. `false` if the member has left meanwhile.
    pub(crate) fn defer(
        &self,
        member: &Arc<Member>,
        room: &RoomName,
        ended_at: Instant,
        retry: Duration,
    ) -> bool {
        let mut rooms = member.rooms.lock();
        let Some(membership) = rooms.iter_mut().find(|known| known.room == *room) else {
            return false;
        };
        self.answers.forget(membership.answer.take());
        membership.answer = Some(self.answers.enter(retry, Some(ended_at), member, room));
        true
    }

    /// Forgets a membership; `false` if there was none.
    pub(crate) fn part(&self, member: &Member, room: &RoomName) -> bool {
        let mut rooms = member.rooms.lock();
        let Some(place) = rooms.iter().position(|known| known.room == *room) else {
            return false;
        };
        let membership = rooms.swap_remove(place);
        self.discount(&membership);
        if membership.counts()
            && let Some(present) = self.users[self.stripe_of(&member.user)]
                .lock()
                .get_mut(&member.user)
        {
            present.rooms -= 1;
        }
        true
    }

    /// Counts a membership that begins, if the user may have one more.
    fn count(&self, user: &UserId, membership: &Membership) -> Result<(), TooManyRooms> {
        if membership.counts() {
            let mut users = self.users[self.stripe_of(user)].lock();
            let Some(present) = users.get_mut(user) else {
                return Err(TooManyRooms);
            };
            if present.rooms >= self.rooms_per_user_max {
                return Err(TooManyRooms);
            }
            present.rooms += 1;
        }
        let room = &membership.room;
        *self.rooms[self.stripe_of(room)]
            .lock()
            .entry(room.clone())
            .or_default() += 1;
        Ok(())
    }

    /// What [`Directory::count`] noted of a room, and until when it may be there.
    fn discount(&self, membership: &Membership) {
        self.answers.forget(membership.answer);
        let mut rooms = self.rooms[self.stripe_of(&membership.room)].lock();
        if let Some(members) = rooms.get_mut(&membership.room) {
            *members -= 1;
            if *members == 0 {
                rooms.remove(&membership.room);
                shrink(&mut rooms);
            }
        }
    }

    /// The next membership about which the rules are to be asked again by now.
    pub(crate) fn take_due(&self, now: Instant) -> Option<DueAnswer> {
        self.answers.take_due(now)
    }

    /// Memberships about which the rules will be asked again.
    pub(crate) fn answers_count(&self) -> usize {
        self.answers.count()
    }

    /// The user's connections.
    pub(crate) fn members_of(&self, user: &UserId) -> Vec<Arc<Member>> {
        self.of(user, |present| {
            present.map_or_else(Vec::new, |present| present.members.clone())
        })
    }

    pub(crate) fn connections_of(&self, user: &UserId) -> usize {
        self.of(user, |present| present.map_or(0, |present| present.members.len()))
    }

    /// Whether the user's connections are in as many rooms as they may be together.
    pub(crate) fn is_full(&self, user: &UserId) -> bool {
        self.of(user, |present| {
            present.map_or(0, |present| present.rooms) >= self.rooms_per_user_max
        })
    }

    fn of<T>(&self, user: &UserId, look: impl FnOnce(Option<&Present>) -> T) -> T {
        look(self.users[self.stripe_of(user)].lock().get(user))
    }

    /// Everybody, in parts: who is there when a part is asked for is in it. Who comes later may be in none.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = Vec<Arc<Member>>> {
        self.users.iter().map(|stripe| {
            let users = stripe.lock();
            users
                .values()
                .flat_map(|present| &present.members)
                .cloned()
                .collect()
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Rooms with members.
    pub(crate) fn rooms_count(&self) -> usize {
        self.rooms.iter().map(|stripe| stripe.lock().len()).sum()
    }

    /// The first `limit` rooms by name behind `after`.
    pub(crate) fn rooms_after(&self, after: &str, limit: usize) -> Vec<RoomName> {
        // The last one on top, so that it goes when a better one comes: a page costs a page, not all rooms.
        let mut page: BinaryHeap<RoomName> = BinaryHeap::new();
        for stripe in &self.rooms {
            for room in stripe.lock().keys() {
                let is_in = room.as_str() > after
                    && (page.len() < limit || page.peek().is_some_and(|last| room < last));
                if is_in {
                    page.push(room.clone());
                    if page.len() > limit {
                        page.pop();
                    }
                }
            }
        }
        page.into_sorted_vec()
    }

    /// All rooms, in parts that are looked at one after the other.
    pub(crate) fn parts_of_rooms(&self) -> impl Iterator<Item = Vec<RoomName>> {
        self.rooms
            .iter()
            .map(|stripe| stripe.lock().keys().cloned().collect())
    }

    /// The rooms that the user's connections are in.
    pub(crate) fn rooms_of(&self, user: &UserId) -> BTreeSet<RoomName> {
        self.members_of(user)
            .iter()
            .flat_map(|member| member.memberships())
            .map(|membership| membership.room)
            .collect()
    }

    fn stripe_of(&self, key: &impl Hash) -> usize {
        self.hasher.hash_one(key) as usize % STRIPES
    }
}

impl Membership {
    /// Whether it counts against what a user may have.
    fn counts(&self) -> bool {
        self.rule != OWN_ROOM
    }
}

/// A wave of keys that came and went must not keep its memory.
fn shrink<K: Hash + Eq, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 64 && map.len() < map.capacity() / 8 {
        map.shrink_to_fit();
    }
}
