//! How often each key (an address, a tenant) may do something: a rate for each, eight bytes and the key, in bounded
//! memory.

use crate::message_rate::{Allowance, MessageRate};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

const STRIPES: usize = 16;
/// Keys that are remembered, over all stripes. A key whose allowance is whole again needs no memory.
const KEYS_MAX: usize = 65_536;

/// One rate for each key. Addresses are taken by their network (see [`crate::PeerAddress::network`]).
pub struct KeyedRate<K> {
    rate: MessageRate,
    hasher: RandomState,
    stripes: [Mutex<HashMap<K, Allowance>>; STRIPES],
}

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    /// A rate of so many each second, over time, of which `burst` may come at once.
    pub fn per_second(per_second: u32, burst: u32) -> Self {
        Self::new(MessageRate::new(per_second, burst))
    }

    /// Takes a place of the key's rate, if one is left.
    pub fn take(&self, key: &K) -> bool {
        self.admit(key.clone(), 1, (), || Ok(())).is_ok()
    }

    pub(crate) fn new(rate: MessageRate) -> Self {
        Self {
            rate,
            hasher: RandomState::new(),
            stripes: Default::default(),
        }
    }

    /// Takes `places` of the key's rate if they are left and `further` agrees. A refusal takes none, so that
    /// refusing does not prolong the refusal; a key's own rate is asked first.
    pub(crate) fn admit<E>(
        &self,
        key: K,
        places: u32,
        own: E,
        further: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.admit_at(key, places, self.rate.now(), own, further)
    }

    /// Whether the key has no place left.
    pub(crate) fn is_used_up(&self, key: &K) -> bool {
        let allowance = self.stripe(key).lock().get(key).copied();
        allowance.is_some_and(|mut allowance| !self.rate.take(&mut allowance, 1))
    }

    fn stripe(&self, key: &K) -> &Mutex<HashMap<K, Allowance>> {
        &self.stripes[self.hasher.hash_one(key) as usize % STRIPES]
    }

    fn admit_at<E>(
        &self,
        key: K,
        places: u32,
        now: Duration,
        own: E,
        further: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut allowances = self.stripe(&key).lock();
        let mut allowance = allowances.get(&key).copied().unwrap_or_default();
        if !self.rate.take_at(&mut allowance, u64::from(places), now) {
            return Err(own);
        }
        further()?;
        if allowances.len() >= KEYS_MAX / STRIPES && !allowances.contains_key(&key) {
            allowances.retain(|_, allowance| !allowance.is_whole(now));
            // All of them are busy. They begin anew: what bounds all addresses together still holds.
            if allowances.len() >= KEYS_MAX / STRIPES {
                allowances.clear();
            }
        }
        allowances.insert(key, allowance);
        Ok(())
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS_MAX, KeyedRate};
    use crate::message_rate::MessageRate;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn one_address_does_not_use_up_anothers_rate() {
        let rate = KeyedRate::new(MessageRate::new(2, 2));
        let now = Duration::from_secs(1);
        let admit = |number, now| rate.admit_at(address(number), 1, now, (), || Ok(())).is_ok();
        assert!(admit(1, now) && admit(1, now) && !admit(1, now));
        assert!(admit(2, now));
        assert!(!admit(1, now + Duration::from_millis(499)));
        assert!(admit(1, now + Duration::from_millis(500)));
    }

    #[test]
    fn what_is_refused_further_on_takes_no_place() {
        let rate = KeyedRate::new(MessageRate::new(1, 1));
        let now = Duration::from_secs(1);
        assert_eq!(
            rate.admit_at(address(1), 1, now, "own", || Err("further")),
            Err("further")
        );
        assert_eq!(rate.admit_at(address(1), 1, now, "own", || Ok(())), Ok(()));
        assert_eq!(
            rate.admit_at(address(1), 1, now, "own", || panic!("not asked")),
            Err("own")
        );
    }

    #[test]
    fn the_memory_is_bounded_and_prefers_who_is_busy() {
        let rate = KeyedRate::new(MessageRate::new(1, 10));
        let admit = |number, now| rate.admit_at(address(number), 1, now, (), || Ok(())).is_ok();
        let start = Duration::from_secs(1);
        for number in 0..3 * KEYS_MAX as u32 {
            assert!(admit(number, start));
        }
        assert!(rate.remembered() <= KEYS_MAX);
        // Two seconds later every allowance is whole, and the next waves replace them.
        let later = start + Duration::from_secs(2);
        for _ in 0..9 {
            assert!(admit(7, later));
        }
        for number in 0..KEYS_MAX as u32 {
            admit(1 << 24 | number, later);
        }
        assert!(rate.remembered() <= KEYS_MAX);
    }
}
