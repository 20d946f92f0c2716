//! Client bytes to messages, for any split of the input.

use std::sync::Arc;

use bytes::Bytes;

use super::close;
use super::deflate::Inflater;
use super::error::DecodeError;
use super::header::{Header, Opcode};
use super::mask;
use super::message::Message;
use super::partial::{Partial, Step};

/// What one connection may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload of one frame.
    pub frame_bytes_max: u32,
    /// The largest message, all fragments together and inflated. A compressed one may be a little larger on the wire,
    /// because compressing what cannot be compressed makes it grow.
    pub message_bytes_max: u32,
    /// The largest number of frames that a message may come in.
    pub fragments_max: u32,
}

/// The server's decoder of one connection.
///
/// It owns nothing while no frame is under way, so an idle connection pays for three numbers and two pointers. Buffers
/// grow with the bytes that came, and a message that lies whole in the input is copied once. Compressed messages are
/// inflated when they are complete.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    finished: bool,
    inflater: Option<Arc<Inflater>>,
    partial: Option<Box<Partial>>,
}

/// By what a frame is judged.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) limits: &'a Limits,
    /// Set when messages may be compressed.
    pub(super) inflater: Option<&'a Inflater>,
}

impl Decoder {
    /// A decoder for a connection that was just upgraded.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            finished: false,
            inflater: None,
            partial: None,
        }
    }

    /// The same for a connection that agreed on compression, if there is an inflater.
    #[must_use]
    pub fn with_inflater(self, inflater: Option<Arc<Inflater>>) -> Self {
        Self { inflater, ..self }
    }

    /// Whether nothing more will be decoded: there was a close frame or an error.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether a message, or a control frame, has begun and not ended.
    pub const fn is_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// Decodes `input`, unmasking it in place, and pushes every message it completes to `out`, also those before an
    /// error. After an error or a close frame further input is ignored.
    pub fn decode(&mut self, input: &mut [u8], out: &mut Vec<Message>) -> Result<(), DecodeError> {
        let result = self.advance(input, out);
        if result.is_err() {
            self.finished = true;
        }
        if self.finished {
            self.partial = None;
        }
        result
    }

    /// What the message in progress holds allocated.
    #[cfg(test)]
    pub(super) fn buffered_capacity(&self) -> usize {
        self.partial
            .as_ref()
            .map_or(0, |partial| partial.buffered_capacity())
    }

    fn advance(&mut self, mut input: &mut [u8], out: &mut Vec<Message>) -> Result<(), DecodeError> {
        let rules = Rules {
            limits: &self.limits,
            inflater: self.inflater.as_deref(),
        };
        while !input.is_empty() && !self.finished {
            let (consumed, message) = if let Some(partial) = &mut self.partial {
                let Step { consumed, message } = partial.step(input, rules)?;
                if partial.is_idle() {
                    self.partial = None;
                }
                (consumed, message)
            } else if let Some((consumed, message)) = whole_message(input, rules)? {
                (consumed, Some(message))
            } else {
                self.partial = Some(Box::default());
                continue;
            };
            if let Some(message) = message {
                self.finished = matches!(message, Message::Close(..));
                out.push(message);
            }
            input = &mut input[consumed..];
        }
        Ok(())
    }
}

/// The common case: an unfragmented message that lies whole at the start of the input.
fn whole_message(input: &mut [u8], rules: Rules<'_>) -> Result<Option<(usize, Message)>, DecodeError> {
    let Some((header, header_bytes)) = Header::parse(input, rules.inflater.is_some())? else {
        return Ok(None);
    };
    if header.opcode == Opcode::Continuation {
        return Err(DecodeError::UnexpectedContinuation);
    }
    let payload_bytes = check_size(&header, header.deflated, 0, rules.limits)?;
    let end = header_bytes + payload_bytes;
    if !header.finished || end > input.len() {
        return Ok(None);
    }
    let payload = &mut input[header_bytes..end];
    mask::apply(payload, header.mask);
    let message = match header.opcode {
        opcode if header.deflated => inflated(opcode == Opcode::Text, payload, rules)?,
        Opcode::Text => Message::Text(
            std::str::from_utf8(payload)
                .map_err(|_| DecodeError::InvalidUtf8)?
                .into(),
        ),
        Opcode::Close | Opcode::Ping | Opcode::Pong => control(header.opcode, payload)?,
        Opcode::Binary | Opcode::Continuation => Message::Binary(Bytes::copy_from_slice(payload)),
    };
    Ok(Some((end, message)))
}

/// A compressed message's text or bytes.
pub(super) fn inflated(text: bool, deflated: &[u8], rules: Rules<'_>) -> Result<Message, DecodeError> {
    let inflater = rules.inflater.ok_or(DecodeError::ReservedBits)?;
    let bytes = inflater.inflate(deflated, rules.limits.message_bytes_max as usize)?;
    if text {
        let text = String::from_utf8(bytes).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok(Message::Text(text.into()))
    } else {
        Ok(Message::Binary(bytes.into()))
    }
}

/// What a compressed form of `bytes` may have: zlib's bound for its worst settings.
const fn deflated_bytes_max(bytes: u32) -> u32 {
    bytes.saturating_add(bytes / 8 + bytes / 64 + 64)
}

/// The payload's length, if it and the message it adds to stay within the limits.
pub(super) fn check_size(
    header: &Header,
    deflated: bool,
    message_bytes: usize,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    let payload_bytes = u32::try_from(header.payload_bytes).map_err(|_| DecodeError::FrameTooBig)?;
    if header.opcode.is_control() {
        return Ok(payload_bytes as usize);
    }
    let (frame_bytes_max, message_bytes_max) = if deflated {
        (
            deflated_bytes_max(limits.frame_bytes_max),
            deflated_bytes_max(limits.message_bytes_max),
        )
    } else {
        (limits.frame_bytes_max, limits.message_bytes_max)
    };
    if payload_bytes > frame_bytes_max {
        return Err(DecodeError::FrameTooBig);
    }
    let payload_bytes = payload_bytes as usize;
    if message_bytes.saturating_add(payload_bytes) > message_bytes_max as usize {
        return Err(DecodeError::MessageTooBig);
    }
    Ok(payload_bytes)
}

/// A control frame's message.
pub(super) fn control(opcode: Opcode, payload: &[u8]) -> Result<Message, DecodeError> {
    match opcode {
        Opcode::Ping => Ok(Message::Ping(Bytes::copy_from_slice(payload))),
        Opcode::Pong => Ok(Message::Pong(Bytes::copy_from_slice(payload))),
        _ => close::parse(payload).map(|(code, reason)| Message::Close(code, reason)),
    }
}
