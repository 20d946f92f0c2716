//! A message of which only a part has come.

use bytes::Bytes;

use super::decoder::{Rules, check_size, control, inflated};
use super::error::DecodeError;
use super::header::{CLIENT_HEADER_BYTES_MAX, Header, Opcode};
use super::mask;
use super::message::{Message, Utf8Bytes};

/// The most that is allocated ahead of the bytes, on the word of a header.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Where the decoder stands inside a frame or a fragmented message. Lives only as long as that does.
#[derive(Debug, Default)]
pub(super) struct Partial {
    header: [u8; CLIENT_HEADER_BYTES_MAX],
    header_bytes: usize,
    frame: Option<Arriving>,
    control: Vec<u8>,
    assembly: Option<Assembly>,
}

/// A frame whose payload is arriving.
#[derive(Debug)]
struct Arriving {
    header: Header,
    missing_bytes: usize,
}

/// A data message that is being put together.
#[derive(Debug)]
struct Assembly {
    text: bool,
    /// The bytes are compressed, and are inflated and judged once they are complete.
    deflated: bool,
    bytes: Vec<u8>,
    /// Text up to here is known to be UTF-8; at most three bytes of a character in progress follow.
    valid_bytes: usize,
    fragments: u32,
}

/// What a step took from the input, and the message it completed.
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) message: Option<Message>,
}

impl Partial {
    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.header_bytes == 0 && self.frame.is_none() && self.assembly.is_none()
    }

    #[cfg(test)]
    pub(super) fn buffered_capacity(&self) -> usize {
        self.control.capacity()
            + self
                .assembly
                .as_ref()
                .map_or(0, |assembly| assembly.bytes.capacity())
    }

    /// Takes at least one byte of a non-empty input: up to the end of the header, or of the payload.
    pub(super) fn step(&mut self, input: &mut [u8], rules: Rules<'_>) -> Result<Step, DecodeError> {
        let consumed = match &mut self.frame {
            None => self.take_header(input, rules)?,
            Some(frame) => {
                let count = frame.missing_bytes.min(input.len());
                let chunk = &mut input[..count];
                mask::apply(chunk, frame.header.mask);
                frame.header.mask = mask::advance(frame.header.mask, count);
                if frame.header.opcode.is_control() {
                    self.control.extend_from_slice(chunk);
                } else if let Some(assembly) = &mut self.assembly {
                    assembly.push(chunk, frame)?;
                }
                frame.missing_bytes -= count;
                count
            }
        };
        let complete = self.frame.take_if(|frame| frame.missing_bytes == 0);
        let message = complete
            .map(|frame| self.finish(frame.header, rules))
            .transpose()?
            .flatten();
        Ok(Step { consumed, message })
    }

    fn take_header(&mut self, input: &[u8], rules: Rules<'_>) -> Result<usize, DecodeError> {
        for (index, byte) in input.iter().enumerate() {
            self.header[self.header_bytes] = *byte;
            self.header_bytes += 1;
            if let Some((header, _)) =
                Header::parse(&self.header[..self.header_bytes], rules.inflater.is_some())?
            {
                self.header_bytes = 0;
                self.frame = Some(Arriving {
                    header,
                    missing_bytes: self.admit(&header, rules)?,
                });
                return Ok(index + 1);
            }
        }
        Ok(input.len())
    }

    /// Judges a frame by its header, before any of its payload is kept.
    fn admit(&mut self, header: &Header, rules: Rules<'_>) -> Result<usize, DecodeError> {
        if header.opcode.is_control() {
            return check_size(header, false, 0, rules.limits);
        }
        let assembly = match (&mut self.assembly, header.opcode) {
            (None, Opcode::Continuation) => return Err(DecodeError::UnexpectedContinuation),
            (Some(assembly), Opcode::Continuation) => assembly,
            (Some(_), _) => return Err(DecodeError::ExpectedContinuation),
            (none, opcode) => none.insert(Assembly::new(opcode == Opcode::Text, header.deflated)),
        };
        assembly.fragments += 1;
        if assembly.fragments > rules.limits.fragments_max.max(1) {
            return Err(DecodeError::TooManyFragments);
        }
        check_size(header, assembly.deflated, assembly.bytes.len(), rules.limits)
    }

    fn finish(&mut self, header: Header, rules: Rules<'_>) -> Result<Option<Message>, DecodeError> {
        if header.opcode.is_control() {
            let message = control(header.opcode, &self.control)?;
            self.control.clear();
            return Ok(Some(message));
        }
        if !header.finished {
            return Ok(None);
        }
        self.assembly
            .take()
            .map(|assembly| assembly.into_message(rules))
            .transpose()
    }
}

impl Assembly {
    fn new(text: bool, deflated: bool) -> Self {
        Self {
            text,
            deflated,
            bytes: Vec::new(),
            valid_bytes: 0,
            fragments: 0,
        }
    }

    fn push(&mut self, chunk: &[u8], frame: &Arriving) -> Result<(), DecodeError> {
        self.reserve(chunk.len(), frame);
        self.bytes.extend_from_slice(chunk);
        if self.text && !self.deflated {
            self.check_text()
        } else {
            Ok(())
        }
    }

    /// Makes room for a chunk. The only frame of a message gets no more than it declared; with fragments the size of
    /// the whole is unknown, and only doubling keeps the copying linear.
    fn reserve(&mut self, chunk_bytes: usize, frame: &Arriving) {
        let only_frame = frame.header.finished && self.fragments == 1;
        if only_frame && self.bytes.capacity() - self.bytes.len() < chunk_bytes {
            let ahead = self.bytes.len().max(AHEAD_BYTES_MAX).min(frame.missing_bytes);
            self.bytes.reserve_exact(ahead.max(chunk_bytes));
        }
    }

    /// Fails at the first byte that can be part of no UTF-8, whatever follows.
    fn check_text(&mut self) -> Result<(), DecodeError> {
        match std::str::from_utf8(&self.bytes[self.valid_bytes..]) {
            Ok(valid) => self.valid_bytes += valid.len(),
            Err(error) if error.error_len().is_none() => self.valid_bytes += error.valid_up_to(),
            Err(_) => return Err(DecodeError::InvalidUtf8),
        }
        Ok(())
    }

    fn into_message(self, rules: Rules<'_>) -> Result<Message, DecodeError> {
        if self.deflated {
            inflated(self.text, &self.bytes, rules)
        } else if self.text {
            let text = String::from_utf8(self.bytes).map_err(|_| DecodeError::InvalidUtf8)?;
            Ok(Message::Text(Utf8Bytes::from(text)))
        } else {
            Ok(Message::Binary(Bytes::from(self.bytes)))
        }
    }
}
