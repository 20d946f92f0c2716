//! Server-sent events: finished frames as an event stream (WHATWG HTML, section 9.2).
//!
//! A text message is an event without a name, its payload in `data:` lines; a ping is a comment. Nothing else that a
//! frame can hold means anything on a stream.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use memchr::{memchr2, memchr2_iter};
use serde::Serialize;

use crate::close_code::CloseCode;
use crate::websocket::{Frame, Opcode};

/// Payloads from this size on are passed on as they are, without copying them for every client.
const SHARED_BYTES_MIN: usize = 4 * 1024;

/// Writes one part of an event stream.
///
/// Invariant: what is written ends with a blank line, so that a stream may end behind every part.
#[derive(Debug, Default)]
pub struct Encoder {
    pieces: Vec<Bytes>,
    tail: Vec<u8>,
    messages: usize,
}

/// The data of the last event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Close {
    code: u16,
    reason: &'static str,
    retry_ms: Option<u64>,
}

impl Close {
    /// Why the stream ends, and when to come again; without `retry` the same request will not do.
    pub fn new(code: CloseCode, retry: Option<Duration>) -> Close {
        Close {
            code: code.code(),
            reason: code.reason(),
            retry_ms: retry.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

impl Encoder {
    /// Writes what the frame holds. Line ends within a payload reach the client as line feeds; the JSON of the gateways
    /// has none.
    pub fn frame(&mut self, frame: &Frame) {
        for (opcode, payload) in frame.messages() {
            match opcode {
                Opcode::Text => self.message(payload),
                Opcode::Ping => self.comment(),
                _ => {}
            }
        }
    }

    /// A line that clients pass over: a sign of life.
    pub fn comment(&mut self) {
        self.tail.extend_from_slice(b":\n\n");
    }

    /// How long a client is to wait before it reconnects, whenever the stream ends; to the millisecond.
    pub fn retry(&mut self, wait: Duration) {
        // Writing to a vector does not fail.
        let _ = write!(self.tail, "retry: {}\n\n", wait.as_millis());
    }

    /// The last event: why the stream ends, and whether and when to come again. Without `retry` the same request
    /// will not do.
    pub fn end(&mut self, code: CloseCode, retry: Option<Duration>) {
        let close = Close::new(code, retry);
        if let Some(retry_ms) = close.retry_ms {
            let _ = writeln!(self.tail, "retry: {retry_ms}");
        }
        self.tail.extend_from_slice(b"event: close\ndata: ");
        // Neither the numbers nor the writing to a vector fail.
        let _ = serde_json::to_writer(&mut self.tail, &close);
        self.tail.extend_from_slice(b"\n\n");
    }

    /// Messages written so far.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// What was written, in order.
    pub fn finish(mut self) -> Vec<Bytes> {
        self.cut();
        self.pieces
    }

    fn message(&mut self, payload: Bytes) {
        self.messages += 1;
        self.tail.extend_from_slice(b"data: ");
        if payload.len() >= SHARED_BYTES_MIN && memchr2(b'\r', b'\n', &payload).is_none() {
            self.cut();
            self.pieces.push(payload);
        } else {
            push_lines(&mut self.tail, &payload);
        }
        self.tail.extend_from_slice(b"\n\n");
    }

    /// Begins a new piece.
    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(std::mem::take(&mut self.tail).into());
        }
    }
}

/// The payload, with each of its line ends (CR LF, LF, CR) as the beginning of another `data:` line.
fn push_lines(tail: &mut Vec<u8>, payload: &[u8]) {
    tail.reserve(payload.len() + 2);
    let mut start = 0;
    for end in memchr2_iter(b'\r', b'\n', payload) {
        if end < start {
            // The second half of a CR LF.
            continue;
        }
        tail.extend_from_slice(&payload[start..end]);
        tail.extend_from_slice(b"\ndata: ");
        start = end + if payload[end..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    tail.extend_from_slice(&payload[start..]);
}

#[cfg(test)]
mod tests;
