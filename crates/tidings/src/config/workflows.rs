//! The workflows gateway.

use super::listen::Listen;
use super::section::section;

section! {
    /// The workflows gateway: JSON over WebSocket `/api/v1/ws` or an event stream `/api/v1/sse`, rooms with access control.
    ["workflows"] Workflows(base) {
        /// Where it listens.
        listen: Listen = Listen::Localhost(8_000);
        /// How long an execution and its nodes are kept after its end, in milliseconds (default: 30 days). Then its room is left with
        /// an `unsubscribed` frame, and reports on it are answered 404. 0: for ever.
        ended_execution_retention_ms: u64 = 2_592_000_000, within 0..=31_536_000_000_000;
    }
}
