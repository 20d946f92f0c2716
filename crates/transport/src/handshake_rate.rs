//! How fast handshakes are admitted: from one address, and over all listeners.

use crate::address_rate::AddressRate;
use crate::message_rate::{Allowance, MessageRate};
use parking_lot::Mutex;
use std::net::IpAddr;

/// Buckets of one second's handshakes: one for each address, and one for all.
pub(crate) struct HandshakeRate {
    addresses: AddressRate,
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
            addresses: AddressRate::new(MessageRate::new(per_address_per_second, per_address_per_second)),
            rate: MessageRate::new(per_second, per_second),
            allowance: Mutex::default(),
        }
    }

    /// Takes one handshake's place. The address is asked first: what one of them is refused costs the others nothing.
    pub(crate) fn admit(&self, network: Option<IpAddr>) -> Result<(), TooFast> {
        let of_all = || {
            let is_admitted = self.rate.take(&mut self.allowance.lock(), 1);
            is_admitted.then_some(()).ok_or(TooFast::All)
        };
        match network {
            Some(network) => self.addresses.admit(network, TooFast::Address, of_all),
            None => of_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HandshakeRate, TooFast};
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_second_of_handshakes_may_come_at_once() {
        let rate = HandshakeRate::new(5, 5);
        assert!((0..5).all(|_| rate.admit(None).is_ok()));
        assert_eq!(rate.admit(None), Err(TooFast::All));
    }

    #[test]
    fn an_address_cannot_use_up_the_others_handshakes() {
        let address = |last| Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)));
        let rate = HandshakeRate::new(5, 2);
        assert!((0..2).all(|_| rate.admit(address(1)).is_ok()));
        assert!((0..100).all(|_| rate.admit(address(1)) == Err(TooFast::Address)));
        assert!((2..5).all(|last| rate.admit(address(last)).is_ok()));
        assert_eq!(rate.admit(address(5)), Err(TooFast::All));
    }
}
