//! What one message, one connection, one address and one user may use.

use super::section::section;

section! {
    /// What one message, one connection, one address and one user may use. Every queue and every count has a bound.
    ["limits"] Limits(base) {
        /// The largest message a client may send, over WebSocket and Socket.IO, and the largest body of a request, in
        /// bytes. Dapr's deliveries may have 4 MiB in any case, because they may be batches.
        message_bytes_max: u32 = 1_048_576, within 1_024..=67_108_864;
        /// Messages a connection may send each second, over time; beyond it, 4429.
        messages_per_second: u32 = base.mode.pick(1_000, 100), within 1..=1_000_000;
        /// Messages a connection may send at once.
        messages_burst: u32 = base.mode.pick(2_000, 200), within 1..=1_000_000;
        /// Rooms one connection may be in.
        rooms_per_connection_max: u32 = 128, within 1..=65_536;
        /// Connections in all. The file-descriptor limit less 256 applies if it is smaller.
        connections_max: u32 = 1_000_000, within 1..=10_000_000;
        /// Connections from one address.
        connections_per_address_max: u32 = base.mode.pick(19_000, 1_000), within 1..=10_000_000;
        /// Connections of one user on a gateway with users (tasks, workflows); beyond it, 4429.
        connections_per_user_max: u32 = base.mode.pick(19_000, 100), within 1..=10_000_000;
        /// Connections of one tenant on flow, by all of its keys; beyond it, 4429.
        connections_per_tenant_max: u32 = base.mode.pick(19_000, 10_000), within 1..=10_000_000;
        /// Handshakes admitted each second; beyond it, 503 with `Retry-After`.
        handshakes_per_second: u32 = base.mode.pick(5_000, 1_000), within 1..=1_000_000;
        /// How long a client may take from connecting to the end of its request's headers, in milliseconds.
        handshake_timeout_ms: u64 = 10_000, within 100..=600_000;
        /// The request line and headers together, in bytes.
        header_bytes_max: u32 = 16_384, within 1_024..=1_048_576;
        /// Headers of one request.
        headers_max: u32 = 100, within 8..=1_000;
        /// Bytes waiting for one connection; beyond it, 4508.
        outbox_bytes_max: u32 = 1_048_576, within 1_024..=1_073_741_824;
        /// Frames waiting for one connection; beyond it, 4508.
        outbox_frames_max: u32 = 1_024, within 1..=1_048_576;
        /// How long a frame may wait for one connection before 4508, in milliseconds.
        outbox_age_ms_max: u64 = 30_000, within 100..=3_600_000;
        /// Bytes of events that are published and not yet in every outbox; publishers wait beyond it.
        publish_bytes_in_flight_max: u32 = 67_108_864, within 1_048_576..=4_294_967_295;
        /// Answers, joins and leaves waiting for one shard; connections wait beyond it.
        mailbox_commands_max: u32 = 16_384, within 64..=16_777_216;
        /// How long a close frame may wait for a client before the connection is reset, in milliseconds.
        close_timeout_ms: u64 = 5_000, within 100..=60_000;
    }
}
