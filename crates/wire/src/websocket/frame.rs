//! Finished frames: encoded once, shared by every socket that gets them.

use bytes::Bytes;
use serde::Serialize;

use super::header::{CONTROL_BYTES_MAX, Opcode, RSV1, SERVER_HEADER_BYTES_MAX, server_header};
use crate::close_code::CloseCode;

/// One or more finished, unmasked WebSocket frames in one shareable buffer.
///
/// Everything the hub moves is a `Frame`: plain sockets write it as it is; Engine.IO polling and SSE take the payloads
/// back out with [`Frame::messages`].
///
/// Invariant: whole frames only, each unfragmented, unmasked and with a minimal header.
/// Invariant: what is compressed was made by [`super::Deflater`], from a frame whose plain form goes to everybody who
/// takes payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

/// One frame of a [`Frame`].
pub(super) struct Part {
    pub(super) opcode: Opcode,
    pub(super) payload: Bytes,
    pub(super) whole: Frame,
}

/// Room for most of what a gateway says on its own account.
const JSON_BYTES: usize = 192;

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::build(Opcode::Text, text.len(), |payload| {
            payload.extend_from_slice(text.as_bytes());
        })
    }

    /// A text message: a value as JSON.
    ///
    /// # Panics
    ///
    /// If it cannot be JSON: for what holds texts, finite numbers, times and finished JSON under texts as keys.
    pub fn json(value: &impl Serialize) -> Self {
        Self::build(Opcode::Text, JSON_BYTES, |payload| {
            serde_json::to_writer(payload, value).expect("Invariant: what the gateways say is always JSON");
        })
    }

    /// A binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::build(Opcode::Binary, bytes.len(), |payload| {
            payload.extend_from_slice(bytes);
        })
    }

    /// A ping; a payload over 125 bytes is cut.
    pub fn ping(payload: &[u8]) -> Self {
        Self::control(Opcode::Ping, payload)
    }

    /// A pong; a payload over 125 bytes is cut.
    pub fn pong(payload: &[u8]) -> Self {
        Self::control(Opcode::Pong, payload)
    }

    /// The close frame for `code`.
    pub fn close(code: CloseCode) -> Self {
        Self::close_raw(Some(code.code()), code.reason())
    }

    /// A close frame with any code, such as the echo of a client's. Without a code there is no reason either; a
    /// reason over 123 bytes is cut.
    pub fn close_raw(code: Option<u16>, reason: &str) -> Self {
        let Some(code) = code else {
            return Self::control(Opcode::Close, &[]);
        };
        let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
        let mut payload = Vec::with_capacity(CONTROL_BYTES_MAX);
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(reason.as_bytes());
        Self::control(Opcode::Close, &payload)
    }

    /// A frame whose payload `write` appends to the buffer it is given. The buffer has room for `capacity` payload
    /// bytes and starts with reserved space, where the header is put afterwards: one allocation, no move.
    ///
    /// # Panics
    ///
    /// If `write` takes bytes away from the buffer instead of appending.
    pub fn build(opcode: Opcode, capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        Self::build_with(opcode.bits(), capacity, write)
    }

    /// A message whose payload is compressed already.
    pub(super) fn deflated(opcode: Opcode, payload: &[u8]) -> Self {
        Self::build_with(opcode.bits() | RSV1, payload.len(), |buffer| {
            buffer.extend_from_slice(payload);
        })
    }

    fn build_with(bits: u8, capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(SERVER_HEADER_BYTES_MAX + capacity);
        buffer.resize(SERVER_HEADER_BYTES_MAX, 0);
        write(&mut buffer);
        let payload_bytes = buffer
            .len()
            .checked_sub(SERVER_HEADER_BYTES_MAX)
            .expect("Invariant: encoders only append to the buffer");
        let (header, start) = server_header(bits, payload_bytes);
        buffer[..SERVER_HEADER_BYTES_MAX].copy_from_slice(&header);
        Self(Bytes::from(buffer).slice(start..))
    }

    /// All frames one after the other in one buffer, so that nothing can come between them.
    pub fn concat(frames: impl IntoIterator<Item = Self>) -> Self {
        let mut frames = frames.into_iter();
        let Some(first) = frames.next() else {
            return Self(Bytes::new());
        };
        let Some(second) = frames.next() else { return first };
        let mut buffer = Vec::with_capacity(first.len() + second.len());
        for frame in [first, second].into_iter().chain(frames) {
            buffer.extend_from_slice(&frame.0);
        }
        Self(Bytes::from(buffer))
    }

    /// The bytes as they go to the socket.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes as they go to the socket.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Length on the wire, headers included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to write (only the concatenation of nothing).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each frame's opcode and payload; payloads are slices of this buffer. A compressed payload stays compressed.
    pub fn messages(&self) -> impl Iterator<Item = (Opcode, Bytes)> {
        self.parts().map(|part| (part.opcode, part.payload))
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        let mut rest = self.0.clone();
        std::iter::from_fn(move || split_first(&mut rest))
    }

    fn control(opcode: Opcode, payload: &[u8]) -> Self {
        let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX)];
        Self::build(opcode, payload.len(), |buffer| buffer.extend_from_slice(payload))
    }
}

/// Takes one frame off the front of `rest`. By the invariant of [`Frame`] this fails only at the end.
fn split_first(rest: &mut Bytes) -> Option<Part> {
    let [first, short, after @ ..] = rest.as_ref() else {
        return None;
    };
    let opcode = Opcode::from_bits(first & 0x0F)?;
    let (header_bytes, payload_bytes) = match short {
        126 => (4, usize::from(u16::from_be_bytes(*after.first_chunk()?))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(*after.first_chunk()?)).ok()?,
        ),
        short => (2, usize::from(*short)),
    };
    let end = header_bytes + payload_bytes;
    let whole = (end <= rest.len()).then(|| rest.split_to(end))?;
    Some(Part {
        opcode,
        payload: whole.slice(header_bytes..),
        whole: Frame(whole),
    })
}
