//! Clients that send too fast, and come back to do it again.

use crate::keyed_rate::KeyedRate;
use crate::message_rate::MessageRate;
use std::net::IpAddr;
use std::time::Duration;
use tidings_wire::close_code::CloseCode;

/// How often connections of each address were closed for flooding of late.
pub(crate) struct Floods(KeyedRate<IpAddr>);

impl Floods {
    /// Up to `per_address_max` floods in `window` are taken for mistakes.
    pub(crate) fn new(per_address_max: u32, window: Duration) -> Self {
        Self(KeyedRate::new(MessageRate::in_window(per_address_max, window)))
    }

    /// Whether the network has flooded again and again of late.
    pub(crate) fn are_lasting(&self, network: IpAddr) -> bool {
        self.0.is_used_up(&network)
    }

    /// What a connection is closed with that has sent too fast: 4429, to come back later; 1008, not to come back, when
    /// its address has done so again and again. Only who floods is ever told, so others behind the address do not
    /// suffer for it.
    pub(crate) fn close_code(&self, network: Option<IpAddr>) -> CloseCode {
        match network.map(|network| self.0.admit(network, 1, (), || Ok(()))) {
            Some(Err(())) => CloseCode::PolicyViolation,
            _ => CloseCode::RateLimited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn who_floods_again_and_again_is_told_to_stay_away() {
        let floods = Floods::new(2, Duration::from_mins(1));
        let address = |last| Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)));
        let told: Vec<_> = (0..4).map(|_| floods.close_code(address(1)).code()).collect();
        assert_eq!(told, [4429, 4429, 1008, 1008]);
        let lasting = [1, 2].map(|last| floods.are_lasting(address(last).unwrap()));
        assert_eq!(lasting, [true, false]);
        assert_eq!(floods.close_code(address(2)), CloseCode::RateLimited);
        assert_eq!(floods.close_code(None), CloseCode::RateLimited);
    }
}
