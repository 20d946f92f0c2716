//! Who is connected to this gateway, and which rooms have members.

use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use tidings_access::UserId;
use tidings_hub::RoomName;

use crate::member::Member;

const STRIPES: usize = 64;

/// All connections by user, and the number of members of each room.
///
/// It answers what the hub cannot be asked often: every user may ask for statistics, and a census makes all shards
/// walk through their rooms.
///
/// Invariant: a room counts the members that have it in [`Member::rooms`]. Lock order: a member's rooms, then a
/// stripe of rooms; a stripe of users alone.
pub(crate) struct Directory {
    hasher: RandomState,
    users: Stripes<UserId, Vec<Arc<Member>>>,
    rooms: Stripes<RoomName, u32>,
    connections: AtomicUsize,
    connections_per_user_max: usize,
}

type Stripes<K, V> = Box<[Mutex<HashMap<K, V>>]>;

/// The user has as many connections as one user may have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyConnections;

impl Directory {
    pub(crate) fn new(connections_per_user_max: usize) -> Directory {
        Directory {
            hasher: RandomState::new(),
            users: std::iter::repeat_with(Mutex::default).take(STRIPES).collect(),
            rooms: std::iter::repeat_with(Mutex::default).take(STRIPES).collect(),
            connections: AtomicUsize::new(0),
            connections_per_user_max,
        }
    }

    /// Takes a connection in, if its user may have one more.
    pub(crate) fn enter(&self, member: &Arc<Member>) -> Result<(), TooManyConnections> {
        let user = &member.claims.sub;
        let mut users = self.users[self.stripe_of(user)].lock();
        let held = users.get(user).map_or(0, Vec::len);
        if held >= self.connections_per_user_max {
            return Err(TooManyConnections);
        }
        let members = users.entry(user.clone()).or_insert_with(|| Vec::with_capacity(1));
        members.push(member.clone());
        self.connections.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Forgets a connection and its memberships.
    pub(crate) fn leave(&self, member: &Arc<Member>) {
        let user = &member.claims.sub;
        let mut users = self.users[self.stripe_of(user)].lock();
        if let Some(members) = users.get_mut(user)
            && let Some(place) = members.iter().position(|known| Arc::ptr_eq(known, member))
        {
            members.swap_remove(place);
            self.connections.fetch_sub(1, Relaxed);
            if members.is_empty() {
                users.remove(user);
                shrink(&mut users);
            }
        }
        drop(users);
        let mut rooms = member.rooms.lock();
        for room in rooms.drain(..) {
            self.discount(&room);
        }
    }

    /// Notes a membership; `false` if it was there before.
    pub(crate) fn join(&self, member: &Member, room: &RoomName) -> bool {
        let mut rooms = member.rooms.lock();
        if rooms.contains(room) {
            return false;
        }
        rooms.push(room.clone());
        *self.rooms[self.stripe_of(room)]
            .lock()
            .entry(room.clone())
            .or_default() += 1;
        true
    }

    /// Forgets a membership; `false` if there was none.
    pub(crate) fn part(&self, member: &Member, room: &RoomName) -> bool {
        let mut rooms = member.rooms.lock();
        let Some(place) = rooms.iter().position(|known| known == room) else {
            return false;
        };
        rooms.swap_remove(place);
        self.discount(room);
        true
    }

    fn discount(&self, room: &RoomName) {
        let mut rooms = self.rooms[self.stripe_of(room)].lock();
        if let Some(members) = rooms.get_mut(room) {
            *members -= 1;
            if *members == 0 {
                rooms.remove(room);
                shrink(&mut rooms);
            }
        }
    }

    /// The user's connections.
    pub(crate) fn members_of(&self, user: &UserId) -> Vec<Arc<Member>> {
        self.users[self.stripe_of(user)]
            .lock()
            .get(user)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn connections_of(&self, user: &UserId) -> usize {
        self.users[self.stripe_of(user)]
            .lock()
            .get(user)
            .map_or(0, Vec::len)
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

    /// The rooms that the user's connections are in. Rooms are entered by those they are registered to, so these are
    /// all active ones that the user may see.
    pub(crate) fn rooms_of(&self, user: &UserId) -> BTreeSet<RoomName> {
        self.members_of(user)
            .iter()
            .flat_map(|member| member.rooms())
            .collect()
    }

    fn stripe_of(&self, key: &impl Hash) -> usize {
        self.hasher.hash_one(key) as usize % STRIPES
    }
}

/// A wave of keys that came and went must not keep its memory.
fn shrink<K: Hash + Eq, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 64 && map.len() < map.capacity() / 8 {
        map.shrink_to_fit();
    }
}
