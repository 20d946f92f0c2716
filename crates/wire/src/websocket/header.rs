//! Frame headers: the first 2 to 14 bytes.

use super::error::DecodeError;

const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
const RSV2_AND_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
/// RFC 6455, section 5.5: the longest payload of a control frame.
pub(super) const CONTROL_BYTES_MAX: usize = 125;
/// The longest header a client can send: two bytes, 64-bit length, mask.
pub(super) const CLIENT_HEADER_BYTES_MAX: usize = 14;
/// The longest header a server can send: two bytes and a 64-bit length.
pub(super) const SERVER_HEADER_BYTES_MAX: usize = 10;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further fragment of the message in progress.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The closing handshake.
    Close,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
}

impl Opcode {
    /// The four bits of the header.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// The opcode with these bits, if it is not a reserved one.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Close, ping and pong.
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// The header of a frame from a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) finished: bool,
    /// The message that begins here is compressed.
    pub(super) deflated: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: [u8; 4],
    pub(super) payload_bytes: u64,
}

impl Header {
    /// The header at the start of `input` and its own length; `None` while bytes are missing. Messages may be
    /// compressed if the connection `inflates`.
    pub(super) fn parse(input: &[u8], inflates: bool) -> Result<Option<(Self, usize)>, DecodeError> {
        let [first, second, rest @ ..] = input else {
            return Ok(None);
        };
        let opcode = judge_first_byte(*first, inflates)?;
        let finished = first & FIN != 0;
        if second & MASKED == 0 {
            return Err(DecodeError::Unmasked);
        }
        let short = second & !MASKED;
        if opcode.is_control() && !finished {
            return Err(DecodeError::FragmentedControl);
        }
        if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(DecodeError::ControlTooLong);
        }
        let (payload_bytes, rest) = match short {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (minimal(u64::from(u16::from_be_bytes(*length)), 126)?, rest)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (minimal(u64::from_be_bytes(*length), 1 << 16)?, rest)
            }
            short => (u64::from(short), rest),
        };
        if payload_bytes >> 63 != 0 {
            return Err(DecodeError::LengthTopBit);
        }
        let Some((mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        Ok(Some((
            Self {
                finished,
                deflated: first & RSV1 != 0,
                opcode,
                mask: *mask,
                payload_bytes,
            },
            input.len() - rest.len(),
        )))
    }
}

/// The one place that judges the reserved bits. RSV1 says that a message is compressed: on its first frame alone, and
/// only if that was agreed on (RFC 7692, section 6.1).
fn judge_first_byte(first: u8, inflates: bool) -> Result<Opcode, DecodeError> {
    let opcode = Opcode::from_bits(first & 0x0F);
    let may_have_rsv1 = inflates && matches!(opcode, Some(Opcode::Text | Opcode::Binary));
    if first & RSV2_AND_RSV3 != 0 || (first & RSV1 != 0 && !may_have_rsv1) {
        return Err(DecodeError::ReservedBits);
    }
    opcode.ok_or(DecodeError::ReservedOpcode)
}

fn minimal(length: u64, least: u64) -> Result<u64, DecodeError> {
    if length < least {
        Err(DecodeError::LengthNotMinimal)
    } else {
        Ok(length)
    }
}

/// The minimal unmasked header of a whole message, at the end of the array, and where it starts. `bits` are the
/// opcode's, with RSV1 for a compressed message.
pub(super) fn server_header(bits: u8, payload_bytes: usize) -> ([u8; SERVER_HEADER_BYTES_MAX], usize) {
    let mut header = [0; SERVER_HEADER_BYTES_MAX];
    let first = FIN | bits;
    let start = match payload_bytes {
        0..=125 => {
            header[8..].copy_from_slice(&[first, payload_bytes as u8]);
            8
        }
        126..=0xFFFF => {
            header[6..8].copy_from_slice(&[first, 126]);
            header[8..].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
            6
        }
        _ => {
            header[..2].copy_from_slice(&[first, 127]);
            header[2..].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
            0
        }
    };
    (header, start)
}
