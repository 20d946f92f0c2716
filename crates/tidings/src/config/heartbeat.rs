//! How dead connections are found.

use super::section::section;

section! {
    /// How dead connections are found.
    ["heartbeat"] Heartbeat(base) {
        /// Time between two pings, in milliseconds; the first one is jittered.
        ping_interval_ms: u64 = 25_000, within 100..=3_600_000;
        /// How long after a missed ping a silent connection is closed with 4410, in milliseconds. Event
        /// streams, whose clients say nothing, are not.
        ping_timeout_ms: u64 = 20_000, within 100..=3_600_000;
    }
}
