//! The flow gateway.

use super::listen::Listen;
use super::section::section;

section! {
    /// The flow gateway: Socket.IO, tenant keys, voice commands, leads.
    ["flow"] Flow(base) {
        /// Where it listens. Gateways with the same value share a listener; port 0 picks a free one for each.
        listen: Listen = Listen::Localhost(4_000);
    }
}
