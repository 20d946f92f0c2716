//! Who is at the other end of a socket.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The peer's address; the listener puts it into each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress(pub SocketAddr);

impl PeerAddress {
    /// What quotas count by: the IPv4 address, or the IPv6 network (/64) that one customer commonly holds.
    pub fn network(self) -> IpAddr {
        match self.0.ip().to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
            }
            address => address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PeerAddress;

    #[test]
    fn one_customer_is_one_network() {
        let network = |text: &str| PeerAddress(text.parse().unwrap()).network().to_string();
        assert_eq!(network("192.0.2.7:1"), "192.0.2.7");
        assert_eq!(network("[::ffff:192.0.2.7]:1"), "192.0.2.7");
        assert_eq!(network("[2001:db8:1:2:3:4:5:6]:1"), "2001:db8:1:2::");
        assert_eq!(network("[::1]:1"), "::1");
    }
}
