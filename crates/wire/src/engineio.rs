//! Engine.IO v4: the packets below Socket.IO, on a WebSocket (one per message) and in polling payloads.

mod packet;
mod payload;

pub use packet::{Handshake, Packet};
pub use payload::{Limits, PACKETS_MAX, decode_payload, encode_payload};

/// What a client can do wrong. The session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A packet, or a whole payload, without a character.
    #[error("empty packet")]
    Empty,
    /// A first character that is no packet type.
    #[error("unknown packet type")]
    UnknownType,
    /// A `b` packet whose rest is not padded standard base64.
    #[error("binary packet is not base64")]
    InvalidBase64,
    /// More packets in one payload than the limit.
    #[error("too many packets in one payload")]
    TooManyPackets,
}

#[cfg(test)]
mod tests;
