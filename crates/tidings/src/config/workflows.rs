//! The workflows gateway.

use super::listen::Listen;
use super::section::section;

section! {
    /// The workflows gateway: JSON over WebSocket `/api/v1/ws` or an event stream `/api/v1/sse`, rooms with access control.
    ["workflows"] Workflows(base) {
        /// Where it listens.
        listen: Listen = Listen::Localhost(8_000);
    }
}
