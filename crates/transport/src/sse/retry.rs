//! When a client is to come back.

use std::ops::Range;
use std::time::Duration;
use tidings_wire::close_code::{CloseCode, Retry};

/// Where a stream ends without a word, because the server or the network failed: many clients are in the same case.
const UNTOLD_MS: Range<u64> = 1_000..5_000;
/// Where this client alone is concerned.
const SOON_MS: Range<u64> = 1_000..2_000;
/// Where all clients are, and a server has to start first.
const JITTERED_MS: Range<u64> = 1_000..10_000;
/// Where coming back soon would only fail.
const LATER_MS: Range<u64> = 10_000..30_000;

/// The wait that is hinted at while nothing has happened. `random` spreads clients over the time.
pub(super) fn by_default(random: u64) -> Duration {
    within(UNTOLD_MS, random)
}

/// How long to wait after `code`; `None` if the same request would be refused or ended again.
pub(super) fn after(code: CloseCode, random: u64) -> Option<Duration> {
    let range = match code.retry() {
        Retry::No | Retry::AfterNewToken => return None,
        Retry::Yes | Retry::YesAndRecover | Retry::AsTheClientLikes => SOON_MS,
        Retry::YesJittered => JITTERED_MS,
        Retry::Later => LATER_MS,
    };
    Some(within(range, random))
}

fn within(range: Range<u64>, random: u64) -> Duration {
    Duration::from_millis(range.start + random % (range.end - range.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_table_of_close_codes() {
        for random in [0, 1, 4_999, u64::MAX] {
            assert_eq!(after(CloseCode::TokenExpired, random), None);
            assert_eq!(after(CloseCode::Forbidden, random), None);
            for (code, range) in [
                (CloseCode::SlowConsumer, SOON_MS),
                (CloseCode::ShuttingDown, JITTERED_MS),
                (CloseCode::InternalError, LATER_MS),
            ] {
                let wait_ms = after(code, random).unwrap().as_millis();
                assert!(
                    range.contains(&u64::try_from(wait_ms).unwrap()),
                    "{code} {wait_ms}"
                );
            }
        }
        assert_ne!(by_default(1), by_default(2));
    }
}
