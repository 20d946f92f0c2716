//! Polling payloads: packets joined by the record separator.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Error, Packet};
use crate::websocket::{Frame, Opcode};

const SEPARATOR: u8 = 0x1E;

/// Packets in one payload by default: far above what a client collects between two requests.
pub const PACKETS_MAX: usize = 1_024;

/// What one payload may hold. Its length is the HTTP server's to bound, by the session's `maxPayload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest number of packets.
    pub packets_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packets_max: PACKETS_MAX,
        }
    }
}

/// Reads the body of a POST.
pub fn decode_payload(payload: &str, limits: Limits) -> Result<Vec<Packet<'_>>, Error> {
    let mut packets = Vec::new();
    for text in payload.split(char::from(SEPARATOR)) {
        if packets.len() == limits.packets_max {
            return Err(Error::TooManyPackets);
        }
        packets.push(match text.strip_prefix('b') {
            Some(base64) => Packet::Binary(STANDARD.decode(base64).map_err(|_| Error::InvalidBase64)?.into()),
            None => Packet::from_text(text)?,
        });
    }
    Ok(packets)
}

/// The body of a GET's answer: the packets that these frames carry, in order. WebSocket control frames mean nothing on
/// polling and are left out.
pub fn encode_payload<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Bytes {
    let mut payload = Vec::new();
    for (opcode, content) in frames.into_iter().flat_map(Frame::messages) {
        if opcode.is_control() {
            continue;
        }
        if !payload.is_empty() {
            payload.push(SEPARATOR);
        }
        if opcode == Opcode::Binary {
            push_base64(&mut payload, &content);
        } else {
            payload.extend_from_slice(&content);
        }
    }
    payload.into()
}

fn push_base64(payload: &mut Vec<u8>, content: &[u8]) {
    payload.push(b'b');
    let start = payload.len();
    payload.resize(start + content.len().div_ceil(3) * 4, b'=');
    let written = STANDARD.encode_slice(content, &mut payload[start..]);
    debug_assert_eq!(written, Ok(payload.len() - start));
}

#[cfg(test)]
mod tests {
    use super::push_base64;

    #[test]
    fn base64_fills_its_place_for_every_remainder() {
        for (content, text) in [
            (&b""[..], "b"),
            (b"a", "bYQ=="),
            (b"ab", "bYWI="),
            (b"abc", "bYWJj"),
        ] {
            let mut payload = Vec::new();
            push_base64(&mut payload, content);
            assert_eq!(payload, text.as_bytes());
        }
    }
}
