//! What an Engine.IO server is told.

use std::time::Duration;

use tidings_hub::Gateway;
use tidings_wire::engineio::PACKETS_MAX;

/// The settings of one Engine.IO server. Origins, message rate and connections per address are the transport's.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where it is mounted; answered with and without a slash at the end.
    pub path: String,
    /// Whose connections its sessions are.
    pub gateway: Gateway,
    /// Time between two pings.
    pub ping_interval: Duration,
    /// How long a pong may take.
    pub ping_timeout: Duration,
    /// How long a WebSocket may take from its upgrade request to the packet that completes the move.
    pub upgrade_timeout: Duration,
    /// The largest body of a POST; told to clients as `maxPayload`.
    pub payload_bytes_max: usize,
    /// Packets in the body of one POST.
    pub payload_packets_max: usize,
}

impl EngineOptions {
    /// The settings that clients expect, for a server at `path`.
    pub fn new(path: impl Into<String>, gateway: Gateway) -> Self {
        Self {
            path: path.into(),
            gateway,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            payload_bytes_max: 1_000_000,
            payload_packets_max: PACKETS_MAX,
        }
    }
}
