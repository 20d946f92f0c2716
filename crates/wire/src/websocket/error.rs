//! What a client can do wrong.

use crate::close_code::CloseCode;

/// Why the decoder gave up on a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame from a client without a mask.
    #[error("frame is not masked")]
    Unmasked,
    /// RSV bits that no extension gave a meaning to.
    #[error("reserved bits are set")]
    ReservedBits,
    /// An opcode that RFC 6455 reserves.
    #[error("opcode is reserved")]
    ReservedOpcode,
    /// A control frame without FIN.
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// A control frame of more than 125 bytes.
    #[error("control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A length in more bytes than it needs.
    #[error("length is not in its minimal form")]
    LengthNotMinimal,
    /// A 64-bit length with the top bit set.
    #[error("length has its top bit set")]
    LengthTopBit,
    /// A continuation of nothing.
    #[error("continuation without a message in progress")]
    UnexpectedContinuation,
    /// A new message before the one in progress ended.
    #[error("new message inside a fragmented message")]
    ExpectedContinuation,
    /// A close payload of one byte.
    #[error("close payload of one byte")]
    TruncatedCloseCode,
    /// A close code that must not be sent.
    #[error("close code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// Text or a close reason that is not UTF-8.
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// A compressed message that is no DEFLATE stream, or stops within one.
    #[error("compressed message cannot be inflated")]
    InvalidDeflate,
    /// A frame over `frame_bytes_max`.
    #[error("frame is over the limit")]
    FrameTooBig,
    /// A message over `message_bytes_max`.
    #[error("message is over the limit")]
    MessageTooBig,
    /// A message of more than `fragments_max` frames.
    #[error("message has too many fragments")]
    TooManyFragments,
}

impl DecodeError {
    /// The code to close the connection with.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 => CloseCode::InvalidUtf8,
            Self::FrameTooBig | Self::MessageTooBig | Self::TooManyFragments => CloseCode::MessageTooBig,
            _ => CloseCode::ProtocolError,
        }
    }
}
