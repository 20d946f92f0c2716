//! One order per room, and the directory of which shards have members.

use crate::RoomName;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
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

type Stripe = HashMap<RoomName, ShardSet>;

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
            let stripe = self.stripes[self.stripe_of(room)].lock();
            hand_over(stripe.get(room).copied().unwrap_or_default());
            return;
        }
        let mut order: Vec<usize> = rooms.iter().map(|room| self.stripe_of(room)).collect();
        order.sort_unstable();
        order.dedup();
        let held: Vec<(usize, MutexGuard<'_, Stripe>)> = order
            .into_iter()
            .map(|place| (place, self.stripes[place].lock()))
            .collect();
        let mut shards = ShardSet::default();
        for room in rooms {
            let place = self.stripe_of(room);
            let members = held
                .iter()
                .find(|(held, _)| *held == place)
                .and_then(|(_, stripe)| stripe.get(room));
            shards.0 |= members.copied().unwrap_or_default().0;
        }
        hand_over(shards);
    }

    /// Whether an event for `rooms` may have somebody to go to. Of one room that is so if it has members: who enters it later asked
    /// for nothing that was published before. Of several only [`Self::in_order`] can tell, at one point of all their orders.
    pub(crate) fn may_have_members(&self, rooms: &[RoomName]) -> bool {
        match rooms {
            [room] => self.stripes[self.stripe_of(room)].lock().contains_key(room),
            _ => true,
        }
    }

    /// Says that `shard` has its first member of `room`. Events handed over from now on reach it.
    pub(crate) fn enter(&self, room: &RoomName, shard: usize) {
        let mut stripe = self.stripes[self.stripe_of(room)].lock();
        stripe.entry(room.clone()).or_default().0 |= 1 << shard;
    }

    /// Says that `shard` has no members of `room` any more.
    pub(crate) fn exit(&self, room: &RoomName, shard: usize) {
        let mut stripe = self.stripes[self.stripe_of(room)].lock();
        if let Some(shards) = stripe.get_mut(room) {
            shards.0 &= !(1 << shard);
            if shards.0 == 0 {
                stripe.remove(room);
            }
        }
    }

    /// Rooms with members.
    pub(crate) fn rooms(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }

    fn stripe_of(&self, room: &RoomName) -> usize {
        self.hasher.hash_one(room) as usize % STRIPES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::new(name).unwrap()
    }

    fn members(sequencer: &Sequencer, rooms: &[RoomName]) -> Vec<usize> {
        let mut found = Vec::new();
        sequencer.in_order(rooms, |shards| found.extend(shards.iter()));
        found
    }

    #[test]
    fn the_directory_follows_enter_and_exit() {
        let sequencer = Sequencer::new();
        let (a, b) = (room("a"), room("b"));
        assert_eq!(members(&sequencer, std::slice::from_ref(&a)), Vec::<usize>::new());
        sequencer.enter(&a, 3);
        sequencer.enter(&a, 63);
        sequencer.enter(&b, 0);
        assert_eq!(members(&sequencer, std::slice::from_ref(&a)), [3, 63]);
        assert_eq!(
            members(&sequencer, &[a.clone(), b.clone(), a.clone()]),
            [0, 3, 63]
        );
        sequencer.exit(&a, 3);
        sequencer.exit(&a, 63);
        assert_eq!(members(&sequencer, &[a, b]), [0]);
    }
}
