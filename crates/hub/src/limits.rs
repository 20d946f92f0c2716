//! The hub's bounds.

use std::time::Duration;
use tidings_wire::websocket::Deflation;

/// What the hub holds at most, and how it compresses. Every field is a configuration key of the same name, `compression` a
/// section.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Connections at one time; the next one is refused with [`crate::Overloaded`].
    pub connections_max: usize,
    /// Bytes waiting for one connection; beyond it the oldest events of rooms that drop them go, and without any the
    /// connection is closed with 4508.
    pub outbox_bytes_max: usize,
    /// Frames waiting for one connection; beyond it as for its bytes.
    pub outbox_frames_max: usize,
    /// How long a frame may wait for one connection, and how long its socket may take nothing while one waits, before
    /// it is closed with 4508. Events of rooms that drop them go instead; of those whose members get the latest only,
    /// only the socket counts.
    pub outbox_age_max: Duration,
    /// Bytes of events that are published and not yet in every outbox. Publishers wait beyond it. An event counts
    /// as 64 KiB or more, so this bounds their number too.
    pub publish_bytes_in_flight_max: usize,
    /// Commands of connections (answers, joins, leaves) waiting for one shard. Connections wait beyond it.
    pub mailbox_commands_max: usize,
    /// How long a closing connection may take to read its close frame and answer; then it is reset.
    pub close_timeout: Duration,
    /// Which frames are compressed for connections that agreed to it; `None`: none may agree.
    pub compression: Option<Deflation>,
    /// Resolution of heartbeats and other deadlines.
    pub timer_tick: Duration,
}

impl Default for HubLimits {
    fn default() -> HubLimits {
        HubLimits {
            connections_max: 1_000_000,
            outbox_bytes_max: 1024 * 1024,
            outbox_frames_max: 1024,
            outbox_age_max: Duration::from_secs(30),
            publish_bytes_in_flight_max: 64 * 1024 * 1024,
            mailbox_commands_max: 16 * 1024,
            close_timeout: Duration::from_secs(5),
            compression: Some(Deflation::default()),
            timer_tick: Duration::from_millis(100),
        }
    }
}
