//! Event streams: a client by the standard reads what was written, wherever the stream ends.

use std::time::Duration;

use tidings_wire::close_code::CloseCode;
use tidings_wire::sse::Encoder;
use tidings_wire::websocket::Frame;

use crate::pieces::{byte, bytes};

/// Parts of a stream, each a kind and what belongs to it.
pub(crate) fn run(mut input: &[u8]) {
    let mut client = Client::default();
    while !input.is_empty() {
        let mut encoder = Encoder::default();
        let mut expected = Client {
            retry_ms: client.retry_ms,
            ..Client::default()
        };
        let messages = part(&mut input, &mut encoder, &mut expected);
        assert_eq!(encoder.messages(), messages);
        let written = encoder.finish().concat();
        client.events.clear();
        client.read(&written);
        assert_eq!(client, expected, "{}", String::from_utf8_lossy(&written));
    }
}

/// Writes one part and notes what a client should make of it. Returns how many messages it has.
fn part(input: &mut &[u8], encoder: &mut Encoder, expected: &mut Client) -> usize {
    let kind = byte(input);
    match kind & 7 {
        0 => encoder.comment(),
        1 => {
            let micros = bytes(input, 8)
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte));
            encoder.retry(Duration::from_micros(micros));
            expected.retry_ms = Some(micros / 1_000);
        }
        2 => {
            let code = CloseCode::ALL[usize::from(byte(input)) % CloseCode::ALL.len()];
            let retry_ms = (kind & 8 != 0).then(|| u64::from(byte(input)));
            encoder.end(code, retry_ms.map(Duration::from_millis));
            expected.retry_ms = retry_ms.or(expected.retry_ms);
            let data =
                serde_json::json!({"code": code.code(), "reason": code.reason(), "retry_ms": retry_ms});
            // The members stand in this order.
            let data = format!(
                "{{\"code\":{},\"reason\":{},\"retry_ms\":{}}}",
                data["code"], data["reason"], data["retry_ms"]
            );
            expected.events.push(("close".to_owned(), data));
        }
        3 => {
            let content = bytes(input, 20);
            encoder.frame(&Frame::concat([
                Frame::binary(content),
                Frame::pong(content),
                Frame::close(CloseCode::Normal),
                Frame::ping(content),
            ]));
        }
        _ => {
            let length = usize::from(byte(input));
            // Some are long enough to be passed on without being copied.
            let repeat = if kind & 8 == 0 { 1 } else { 40 };
            let texts: Vec<String> = (0..=usize::from(kind >> 6))
                .map(|_| String::from_utf8_lossy(bytes(input, length)).repeat(repeat))
                .collect();
            encoder.frame(&Frame::concat(texts.iter().map(|text| Frame::text(text))));
            for text in &texts {
                let data = text.replace("\r\n", "\n").replace('\r', "\n");
                expected.events.push(("message".to_owned(), data));
            }
            return texts.len();
        }
    }
    0
}

/// A client by WHATWG HTML, sections 9.2.5 and 9.2.6, byte by byte.
#[derive(Debug, Default, PartialEq)]
struct Client {
    /// What was dispatched: an event's type and its data.
    events: Vec<(String, String)>,
    retry_ms: Option<u64>,
}

impl Client {
    /// Reads a part of a stream, behind which it may end: a client drops what no blank line has completed.
    fn read(&mut self, stream: &[u8]) {
        let (mut kind, mut data) = (String::new(), Vec::new());
        // Nothing that is written may look like a byte order mark.
        let mut rest = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let line = &rest[..end];
            let end_bytes = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
            rest = &rest[end + end_bytes..];
            if line.is_empty() {
                let kind = std::mem::take(&mut kind);
                let mut data = std::mem::take(&mut data);
                if data.pop().is_some() {
                    let kind = if kind.is_empty() {
                        "message".to_owned()
                    } else {
                        kind
                    };
                    let data = String::from_utf8(data).expect("what was text is text");
                    self.events.push((kind, data));
                }
                continue;
            }
            let (field, value) = match line.iter().position(|byte| *byte == b':') {
                Some(colon) => (&line[..colon], &line[colon + 1..]),
                None => (line, &[][..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"" => {}
                b"event" => kind = String::from_utf8_lossy(value).into_owned(),
                b"data" => {
                    data.extend_from_slice(value);
                    data.push(b'\n');
                }
                b"retry" => {
                    assert!(value.iter().all(u8::is_ascii_digit), "{value:?}");
                    self.retry_ms = String::from_utf8_lossy(value).parse().ok();
                }
                field => panic!("a field {field:?}"),
            }
        }
        assert!(
            rest.is_empty() && data.is_empty() && kind.is_empty(),
            "an open end"
        );
    }
}
