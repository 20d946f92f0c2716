//! How fast handshakes are admitted, over all listeners.

use crate::message_rate::{Allowance, MessageRate};
use parking_lot::Mutex;

/// A bucket of one second's handshakes.
pub(crate) struct HandshakeRate {
    rate: MessageRate,
    allowance: Mutex<Allowance>,
}

impl HandshakeRate {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            rate: MessageRate::new(per_second, per_second),
            allowance: Mutex::default(),
        }
    }

    /// Takes one handshake's place. A refused one takes none, so that refusing does not prolong the refusal.
    pub(crate) fn admit(&self) -> bool {
        let mut allowance = self.allowance.lock();
        let mut after = *allowance;
        let is_admitted = self.rate.admit(&mut after, 1);
        if is_admitted {
            *allowance = after;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::HandshakeRate;

    #[test]
    fn a_second_of_handshakes_may_come_at_once() {
        let rate = HandshakeRate::new(5);
        assert!((0..5).all(|_| rate.admit()));
        assert!(!rate.admit());
    }
}
