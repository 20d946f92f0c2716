//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use tidings_wire::time::Timestamp;

/// Now; a clock set before 1970 counts as 1970.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
