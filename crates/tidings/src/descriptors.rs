//! File descriptors: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for listeners, the database, logs and requests that are no connections yet.
const RESERVED: u64 = 256;

/// Raises the limit on descriptors to the hard limit, and says how many connections that allows.
pub(crate) fn connections_max(configured: u32) -> u32 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit on file descriptors");
            limit.current
        }
    };
    // No limit at all is `None`.
    let allowed = current.map_or(u32::MAX, |descriptors| {
        u32::try_from(descriptors.saturating_sub(RESERVED)).unwrap_or(u32::MAX)
    });
    if allowed < configured {
        tracing::info!(
            connections_max = allowed,
            configured,
            "the limit on file descriptors bounds the connections"
        );
    }
    allowed.min(configured)
}
