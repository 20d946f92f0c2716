//! What a Socket.IO server is told.

use std::time::Duration;

use tidings_wire::socketio::Limits;

/// The settings of one Socket.IO server.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// How long a client may take to enter its first namespace.
    pub connect_timeout: Duration,
    /// Namespaces that one client may be in.
    pub namespaces_max: usize,
    /// What one packet may hold.
    pub packet_limits: Limits,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            namespaces_max: 8,
            packet_limits: Limits::default(),
        }
    }
}
