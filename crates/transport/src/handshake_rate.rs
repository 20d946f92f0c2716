//! How fast handshakes are admitted: from one address, and over all listeners.

use crate::keyed_rate::KeyedRate;
use crate::message_rate::{Allowance, MessageRate};
use parking_lot::Mutex;
use std::net::IpAddr;

/// How many places a handshake takes from an address that floods again and again: a tenth of the rate is left to it, and
/// to others behind it.
const FLOODERS_PLACES: u32 = 10;

/// Buckets of one second's handshakes: one for each address, and one for all.
pub(crate) struct HandshakeRate {
    addresses: KeyedRate<IpAddr>,
    per_address_per_second: u32,
    rate: MessageRate,
    allowance: Mutex<Allowance>,
}

/// Whose rate is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooFast {
    /// That of the client's address.
    Address,
    /// That of all addresses together.
    All,
}

impl HandshakeRate {
    pub(crate) fn new(per_second: u32, per_address_per_second: u32) -> Self {
        Self {
            addresses: KeyedRate::new(MessageRate::new(per_address_per_second, per_address_per_second)),
            per_address_per_second: per_address_per_second.max(1),
            rate: MessageRate::new(per_second, per_second),
            allowance: Mutex::default(),
        }
    }

    /// Takes one handshake's place. The address is asked first: what one of them is refused costs the others nothing.
    pub(crate) fn admit(
        &self,
        network: Option<IpAddr>,
        is_flooder: impl FnOnce(IpAddr) -> bool,
    ) -> Result<(), TooFast> {
        let of_all = || {
            let is_admitted = self.rate.take(&mut self.allowance.lock(), 1);
            is_admitted.then_some(()).ok_or(TooFast::All)
        };
        match network {
            Some(network) => {
                let places = if is_flooder(network) { FLOODERS_PLACES } else { 1 };
                // No more than there are, or none would ever be admitted.
                let places = places.min(self.per_address_per_second);
                self.addresses.admit(network, places, TooFast::Address, of_all)
            }
            None => of_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HandshakeRate, TooFast};
    use std::net::{IpAddr, Ipv4Addr};

    const HONEST: fn(IpAddr) -> bool = |_| false;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn a_second_of_handshakes_may_come_at_once() {
        let rate = HandshakeRate::new(5, 5);
        assert!((0..5).all(|_| rate.admit(None, HONEST).is_ok()));
        assert_eq!(rate.admit(None, HONEST), Err(TooFast::All));
    }

    #[test]
    fn an_address_cannot_use_up_the_others_handshakes() {
        let rate = HandshakeRate::new(5, 2);
        assert!((0..2).all(|_| rate.admit(Some(address(1)), HONEST).is_ok()));
        assert!((0..100).all(|_| rate.admit(Some(address(1)), HONEST) == Err(TooFast::Address)));
        assert!((2..5).all(|last| rate.admit(Some(address(last)), HONEST).is_ok()));
        assert_eq!(rate.admit(Some(address(5)), HONEST), Err(TooFast::All));
    }

    #[test]
    fn a_flooders_address_has_a_tenth() {
        let rate = HandshakeRate::new(1_000, 50);
        let admitted = (0..50)
            .filter(|_| rate.admit(Some(address(1)), |_| true).is_ok())
            .count();
        assert_eq!(admitted, 5);
        let rate = HandshakeRate::new(1_000, 3);
        let admitted = (0..50)
            .filter(|_| rate.admit(Some(address(1)), |_| true).is_ok())
            .count();
        assert_eq!(admitted, 1);
    }
}
