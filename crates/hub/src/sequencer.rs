//! One order per room, and the directory of which shards have members.

use crate::RoomName;
use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};
use std::hash::{BuildHasher, RandomState};

/// Stripes; publishes to rooms of different stripes do not wait for each other.
const STRIPES: usize = 64;

/// The shards that have members of a room, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardSet(u64);

impl ShardSet {
    /// Shards a set can name, hence the most a hub can have.
    pub(crate) const SHARDS_MAX: usize = 64;

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let shard = bits.trailing_zeros() as usize;
            bits &= bits.checked_sub(1)?;
            Some(shard)
        })
    }
}

/// Rooms with members, by the hash that says which stripe they are in.
type Stripe = HashTable<(RoomName, ShardSet)>;

/// Gives publishes to a room their place: whoever holds the room's stripe puts its event into all mailboxes before
/// the next one may.
///
/// Invariant: lock order is stripes in ascending order, then one mailbox. A shard locks a stripe only while it holds
/// no mailbox.
pub(crate) struct Sequencer {
    hasher: RandomState,
    stripes: Box<[Mutex<Stripe>]>,
}

impl Sequencer {
    pub(crate) fn new() -> Sequencer {
        let stripes = std::iter::repeat_with(Mutex::default).take(STRIPES).collect();
        Sequencer {
            hasher: RandomState::new(),
            stripes,
        }
    }

    /// Runs `hand_over` with the shards that have members of any of `rooms`, while no other publish to those rooms
    /// can be handed over. It must not block.
    pub(crate) fn in_order(&self, rooms: &[RoomName], hand_over: impl FnOnce(ShardSet)) {
        if let [room] = rooms {
            let hash = self.hash_of(room);
            let stripe = self.stripes[stripe_of(hash)].lock();
            hand_over(members(&stripe, hash, room).unwrap_or_default());
            return;
        }
        let hashes: Vec<u64> = rooms.iter().map(|room| self.hash_of(room)).collect();
        let mut order: Vec<usize> = hashes.iter().copied().map(stripe_of).collect();
        order.sort_unstable();
        order.dedup();
        let held: Vec<(usize, MutexGuard<'_, Stripe>)> = order
            .into_iter()
            .map(|place| (place, self.stripes[place].lock()))
            .collect();
        let mut shards = ShardSet::default();
        for (room, hash) in rooms.iter().zip(hashes) {
            let found = held
                .iter()
                .find(|(held, _)| *held == stripe_of(hash))
                .and_then(|(_, stripe)| members(stripe, hash, room));
            shards.0 |= found.unwrap_or_default().0;
        }
        hand_over(shards);
    }

    /// Whether an event for `rooms` may have somebody to go to. Of one room that is so if it has members: who enters it later asked
    /// for nothing that was published before. Of several only [`Self::in_order`] can tell, at one point of all their orders.
    pub(crate) fn may_have_members(&self, rooms: &[RoomName]) -> bool {
        match rooms {
            [room] => {
                let hash = self.hash_of(room);
                members(&self.stripes[stripe_of(hash)].lock(), hash, room).is_some()
            }
            _ => true,
        }
    }

    /// Says that `shard` has its first member of `room`. Events handed over from now on reach it.
    pub(crate) fn enter(&self, room: &RoomName, shard: usize) {
        let hash = self.hash_of(room);
        let mut stripe = self.stripes[stripe_of(hash)].lock();
        let is_it = |(name, _): &(RoomName, ShardSet)| name == room;
        let entry = stripe.entry(hash, is_it, |(name, _)| self.hash_of(name));
        let mut entry = entry.or_insert_with(|| (room.clone(), ShardSet::default()));
        entry.get_mut().1.0 |= 1 << shard;
    }

    /// Says that `shard` has no members of `room` any more.
    pub(crate) fn exit(&self, room: &RoomName, shard: usize) {
        let hash = self.hash_of(room);
        let mut stripe = self.stripes[stripe_of(hash)].lock();
        if let Ok(mut entry) = stripe.find_entry(hash, |(name, _)| name == room) {
            let shards = &mut entry.get_mut().1;
            shards.0 &= !(1 << shard);
            if shards.0 == 0 {
                entry.remove();
            }
        }
    }

    /// Rooms with members.
    pub(crate) fn rooms(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }

    fn hash_of(&self, room: &RoomName) -> u64 {
        self.hasher.hash_one(room)
    }
}

/// By bits that do not say where in the stripe's table a room is: that takes the lowest and the seven highest.
fn stripe_of(hash: u64) -> usize {
    (hash >> 32) as usize % STRIPES
}

fn members(stripe: &Stripe, hash: u64, room: &RoomName) -> Option<ShardSet> {
    let found = stripe.find(hash, |(name, _)| name == room);
    found.map(|(_, shards)| *shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::new(name).unwrap()
    }

    fn shards(sequencer: &Sequencer, rooms: &[RoomName]) -> Vec<usize> {
        let mut found = Vec::new();
        sequencer.in_order(rooms, |shards| found.extend(shards.iter()));
        found
    }

    #[test]
    fn the_directory_follows_enter_and_exit() {
        let sequencer = Sequencer::new();
        let (a, b) = (room("a"), room("b"));
        assert_eq!(shards(&sequencer, std::slice::from_ref(&a)), Vec::<usize>::new());
        sequencer.enter(&a, 3);
        sequencer.enter(&a, 63);
        sequencer.enter(&b, 0);
        assert_eq!(shards(&sequencer, std::slice::from_ref(&a)), [3, 63]);
        assert_eq!(shards(&sequencer, &[a.clone(), b.clone(), a.clone()]), [0, 3, 63]);
        sequencer.exit(&a, 3);
        sequencer.exit(&a, 63);
        assert_eq!(shards(&sequencer, &[a, b]), [0]);
    }
}
