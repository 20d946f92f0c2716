//! How often each address may do something: a rate for each, eight bytes an address, in bounded memory.

use crate::message_rate::{Allowance, MessageRate};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

const STRIPES: usize = 16;
/// Addresses that are remembered, over all stripes. An address whose allowance is whole again needs no memory.
const ADDRESSES_MAX: usize = 65_536;

/// One rate for each network (see [`crate::PeerAddress::network`]).
pub(crate) struct AddressRate {
    rate: MessageRate,
    hasher: RandomState,
    stripes: [Mutex<HashMap<IpAddr, Allowance>>; STRIPES],
}

impl AddressRate {
    pub(crate) fn new(rate: MessageRate) -> Self {
        Self {
            rate,
            hasher: RandomState::new(),
            stripes: Default::default(),
        }
    }

    /// Takes `places` of the network's rate if they are left and `further` agrees. A refusal takes none, so that
    /// refusing does not prolong the refusal; a network's own rate is asked first.
    pub(crate) fn admit<E>(
        &self,
        network: IpAddr,
        places: u32,
        own: E,
        further: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.admit_at(network, places, self.rate.now(), own, further)
    }

    /// Whether the network has no place left.
    pub(crate) fn is_used_up(&self, network: IpAddr) -> bool {
        let allowance = self.stripe(network).lock().get(&network).copied();
        allowance.is_some_and(|mut allowance| !self.rate.take(&mut allowance, 1))
    }

    fn stripe(&self, network: IpAddr) -> &Mutex<HashMap<IpAddr, Allowance>> {
        &self.stripes[self.hasher.hash_one(network) as usize % STRIPES]
    }

    fn admit_at<E>(
        &self,
        network: IpAddr,
        places: u32,
        now: Duration,
        own: E,
        further: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut allowances = self.stripe(network).lock();
        let mut allowance = allowances.get(&network).copied().unwrap_or_default();
        if !self.rate.take_at(&mut allowance, u64::from(places), now) {
            return Err(own);
        }
        further()?;
        if allowances.len() >= ADDRESSES_MAX / STRIPES && !allowances.contains_key(&network) {
            allowances.retain(|_, allowance| !allowance.is_whole(now));
            // All of them are busy. They begin anew: what bounds all addresses together still holds.
            if allowances.len() >= ADDRESSES_MAX / STRIPES {
                allowances.clear();
            }
        }
        allowances.insert(network, allowance);
        Ok(())
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{ADDRESSES_MAX, AddressRate};
    use crate::message_rate::MessageRate;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn one_address_does_not_use_up_anothers_rate() {
        let rate = AddressRate::new(MessageRate::new(2, 2));
        let now = Duration::from_secs(1);
        let admit = |number, now| rate.admit_at(address(number), 1, now, (), || Ok(())).is_ok();
        assert!(admit(1, now) && admit(1, now) && !admit(1, now));
        assert!(admit(2, now));
        assert!(!admit(1, now + Duration::from_millis(499)));
        assert!(admit(1, now + Duration::from_millis(500)));
    }

    #[test]
    fn what_is_refused_further_on_takes_no_place() {
        let rate = AddressRate::new(MessageRate::new(1, 1));
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
        let rate = AddressRate::new(MessageRate::new(1, 10));
        let admit = |number, now| rate.admit_at(address(number), 1, now, (), || Ok(())).is_ok();
        let start = Duration::from_secs(1);
        for number in 0..3 * ADDRESSES_MAX as u32 {
            assert!(admit(number, start));
        }
        assert!(rate.remembered() <= ADDRESSES_MAX);
        // Two seconds later every allowance is whole, and the next waves replace them.
        let later = start + Duration::from_secs(2);
        for _ in 0..9 {
            assert!(admit(7, later));
        }
        for number in 0..ADDRESSES_MAX as u32 {
            admit(1 << 24 | number, later);
        }
        assert!(rate.remembered() <= ADDRESSES_MAX);
    }
}
