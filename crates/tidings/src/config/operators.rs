//! The operators' listener.

use super::listen::Listen;
use super::section::section;

section! {
    /// The operators' listener: publishing, health, metrics.
    ["operators"] Operators(base) {
        /// Where it listens. On anything but a loopback address, metrics ask for a token too.
        listen: Listen = Listen::Localhost(9_400);
        /// Idempotency keys of publishes remembered.
        idempotency_keys_max: u32 = 100_000, within 1..=10_000_000;
        /// How long an idempotency key is remembered, in milliseconds.
        idempotency_age_ms_max: u64 = 86_400_000, within 1_000..=604_800_000;
    }
}
