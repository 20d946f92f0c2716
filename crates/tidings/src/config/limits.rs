//! What one message, one connection, one address and one user may use.

use super::section::section;

section! {
    /// What one message, one connection, one address and one user may use. Every queue and every count has a bound.
    ["limits"] Limits(base) {
        /// The largest message a client may send, over WebSocket and Socket.IO, and the largest body of a request, in
        /// bytes. Dapr's deliveries may have 4 MiB in any case, because they may be batches.
        message_bytes_max: u32 = 1_048_576, within 1_024..=67_108_864;
        /// The largest number of frames a WebSocket message may come in; beyond it, 1009.
        message_frames_max: u32 = 1_024, within 1..=1_048_576;
        /// How long a WebSocket message may take from its first byte to its last, in milliseconds; beyond it, 1008.
        message_timeout_ms: u64 = 60_000, within 100..=3_600_000;
        /// Messages a connection may send each second, over time; beyond it, 4429. Pings and pongs count like messages.
        messages_per_second: u32 = base.mode.pick(1_000, 100), within 1..=1_000_000;
        /// Messages a connection may send at once.
        messages_burst: u32 = base.mode.pick(2_000, 200), within 1..=1_000_000;
        /// How often connections of one address may be closed for sending too fast within `flood_window_ms`. Who floods
        /// beyond that is closed with 1008 instead of 4429: do not come back. Such an address keeps a tenth of
        /// its handshakes, and its next connections a tenth of `messages_burst`.
        floods_per_address_max: u32 = 5, within 1..=1_000_000;
        /// See `floods_per_address_max`, in milliseconds.
        flood_window_ms: u64 = 60_000, within 100..=86_400_000;
        /// Rooms one connection may be in.
        rooms_per_connection_max: u32 = 128, within 1..=65_536;
        /// Connections in all. The file-descriptor limit less 256 applies if it is smaller.
        connections_max: u32 = 1_000_000, within 1..=10_000_000;
        /// Connections from one address.
        connections_per_address_max: u32 = base.mode.pick(19_000, 1_000), within 1..=10_000_000;
        /// Connections of one user on a gateway with users (tasks, workflows); beyond it, 4429.
        connections_per_user_max: u32 = base.mode.pick(19_000, 100), within 1..=10_000_000;
        /// Rooms that the connections of one user on workflows may be in together, each connection's counted, the user's own room
        /// not; beyond it, `Too many rooms`.
        rooms_per_user_max: u32 = base.mode.pick(100_000, 1_000), within 1..=10_000_000;
        /// Messages that the connections of one user on workflows may send together each second, over time. What is beyond is
        /// answered `Rate limited`; a connection that goes on for more than a second is closed with 4429.
        messages_per_user_per_second: u32 = base.mode.pick(5_000, 500), within 1..=1_000_000;
        /// How many of them may come at once.
        messages_per_user_burst: u32 = base.mode.pick(10_000, 1_000), within 1..=1_000_000;
        /// Connections of one tenant on flow, by all of its keys; beyond it, 4429.
        connections_per_tenant_max: u32 = base.mode.pick(19_000, 10_000), within 1..=10_000_000;
        /// Commands and HTTP requests of one tenant each second, over time, by all of its keys; beyond it, the answer
        /// `Rate limited`, over HTTP 429 with `Retry-After`.
        commands_per_tenant_per_second: u32 = base.mode.pick(5_000, 500), within 1..=1_000_000;
        /// How many of them may come at once.
        commands_per_tenant_burst: u32 = base.mode.pick(10_000, 1_000), within 1..=1_000_000;
        /// Memory of the process, in bytes; beyond it, handshakes are answered 503 with `Retry-After`. 0 takes 80 % of what
        /// the control group or the machine has. A control group's own limit counts as well, with 80 % of it.
        memory_bytes_max: u64 = 0, within 0..=1_125_899_906_842_624;
        /// Sockets of one address that speak HTTP: requests, polling, handshakes; beyond it, a new one is closed.
        http_sockets_per_address_max: u32 = base.mode.pick(38_000, 2_000), within 1..=10_000_000;
        /// Sockets that wait for a request: half-open handshakes, and idle ones that were kept alive. Beyond it, the one that
        /// has waited longest is closed.
        waiting_sockets_max: u32 = 4_096, within 1..=10_000_000;
        /// The same for one address.
        waiting_sockets_per_address_max: u32 = base.mode.pick(4_096, 512), within 1..=10_000_000;
        /// Handshakes admitted each second; beyond it, 503 with `Retry-After`.
        handshakes_per_second: u32 = base.mode.pick(5_000, 1_000), within 1..=1_000_000;
        /// Handshakes admitted each second from one address; beyond it, 429 with `Retry-After`.
        handshakes_per_address_per_second: u32 = base.mode.pick(5_000, 100), within 1..=1_000_000;
        /// How long a client may take from connecting to the end of its request's headers, a PROXY protocol header and a
        /// TLS handshake included, in milliseconds. An idle connection that is kept alive has as long for its next request.
        handshake_timeout_ms: u64 = 10_000, within 100..=600_000;
        /// The target of a request, in bytes; beyond it, 414.
        url_bytes_max: u32 = 12_288, within 256..=65_534;
        /// How long the body of a request may take to come, in milliseconds; beyond it, 408.
        body_timeout_ms: u64 = 30_000, within 100..=3_600_000;
        /// The request line and headers together, in bytes; beyond it, 431.
        header_bytes_max: u32 = 16_384, within 1_024..=1_048_576;
        /// Headers of one request; beyond it, 431.
        headers_max: u32 = 100, within 8..=1_000;
        /// Namespaces one Socket.IO client may be in; beyond it, `CONNECT_ERROR`.
        namespaces_per_connection_max: u32 = 8, within 1..=1_024;
        /// How long a Socket.IO client may take to enter its first namespace, in milliseconds; beyond it, 1002.
        connect_timeout_ms: u64 = 45_000, within 100..=3_600_000;
        /// How long an upgrade from polling may take, in milliseconds; beyond it the WebSocket is closed and the session
        /// polls on.
        upgrade_timeout_ms: u64 = 10_000, within 100..=600_000;
        /// Engine.IO packets in the body of one POST; beyond it, the session ends.
        payload_packets_max: u32 = 1_024, within 1..=1_048_576;
        /// Attachments of one Socket.IO packet; beyond it, 1002.
        attachments_max: u32 = 10, within 0..=1_024;
        /// Requests that one HTTP/2 connection may have under way.
        http2_streams_max: u32 = 128, within 1..=10_000;
        /// Bytes waiting for one connection. Beyond it, the oldest events of `slow_consumers.drop_oldest` go; without
        /// any, 4508.
        outbox_bytes_max: u32 = 1_048_576, within 1_024..=1_073_741_824;
        /// Frames waiting for one connection. Beyond it as for its bytes.
        outbox_frames_max: u32 = 1_024, within 1..=1_048_576;
        /// How long a frame may wait for one connection, and how long a socket may take nothing while a frame waits,
        /// before 4508, in milliseconds. Events of `slow_consumers.drop_oldest` go instead; for those of
        /// `slow_consumers.latest` only the socket counts.
        outbox_age_ms_max: u64 = 30_000, within 100..=3_600_000;
        /// Bytes of events that are published and not yet in every outbox; publishers wait beyond it.
        publish_bytes_in_flight_max: u32 = 67_108_864, within 1_048_576..=4_294_967_295;
        /// Answers, joins and leaves waiting for one shard; connections wait beyond it.
        mailbox_commands_max: u32 = 16_384, within 64..=16_777_216;
        /// How long a close frame may wait for a client before the connection is reset, in milliseconds.
        close_timeout_ms: u64 = 5_000, within 100..=60_000;
    }
}
