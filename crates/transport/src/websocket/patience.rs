//! How long a message may take to come. Looked at when something comes: a client that sends nothing at all is the
//! heartbeat's business, so no connection needs a timer for this.

use std::num::NonZeroU32;
use std::time::Duration;
use tidings_wire::websocket::Message;

/// Since when a message is on its way, if one is: the connection's age, in hundredths of a second, from 1. Four bytes,
/// because every connection has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience(Option<NonZeroU32>);

impl Patience {
    /// Notes what one read completed and whether a part of a message is left over; whether that has been on its way
    /// for longer than `max`. Control frames may stand amid a message and do not complete it.
    pub(super) fn is_over(
        &mut self,
        completed: &[Message],
        is_partial: bool,
        max: Duration,
        age: impl FnOnce() -> Duration,
    ) -> bool {
        if !is_partial {
            // The common case needs no clock.
            self.0 = None;
            return false;
        }
        let is_next = completed
            .iter()
            .any(|message| matches!(message, Message::Text(_) | Message::Binary(_)));
        let now = hundredths(age());
        let since = self.0.filter(|_| !is_next).unwrap_or(now);
        self.0 = Some(since);
        u128::from(now.get() - since.get()) * 10 > max.as_millis()
    }
}

fn hundredths(age: Duration) -> NonZeroU32 {
    let hundredths = u32::try_from(age.as_millis() / 10).unwrap_or(u32::MAX);
    NonZeroU32::MIN.saturating_add(hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const MAX: Duration = Duration::from_mins(1);

    const fn at(seconds: u64) -> impl FnOnce() -> Duration {
        move || Duration::from_secs(seconds)
    }

    #[test]
    fn a_message_has_its_time_from_its_first_byte() {
        let mut patience = Patience::default();
        assert!(!patience.is_over(&[], true, MAX, at(10)));
        assert!(!patience.is_over(&[], true, MAX, at(40)));
        // A ping amid it is no message.
        assert!(!patience.is_over(&[Message::Ping(Bytes::new())], true, MAX, at(70)));
        assert!(patience.is_over(&[], true, MAX, at(71)));
    }

    #[test]
    fn the_next_message_has_a_time_of_its_own() {
        let text = || [Message::Text("x".into())];
        let mut patience = Patience::default();
        assert!(!patience.is_over(&[], true, MAX, at(0)));
        assert!(!patience.is_over(&text(), true, MAX, at(61)));
        assert!(!patience.is_over(&[], true, MAX, at(121)));
        assert!(!patience.is_over(&text(), false, MAX, at(122)));
        assert!(!patience.is_over(&[], true, MAX, at(200)));
        assert!(!patience.is_over(&[], true, MAX, at(260)));
        assert!(patience.is_over(&[], true, MAX, at(261)));
    }

    #[test]
    fn the_oldest_connection_still_has_patience() {
        let mut patience = Patience::default();
        let old = Duration::from_secs(u64::from(u32::MAX));
        assert!(!patience.is_over(&[], true, MAX, || old));
        assert!(!patience.is_over(&[], true, MAX, || old + MAX));
    }
}
