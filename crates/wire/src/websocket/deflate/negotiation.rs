//! Which of a client's offers is accepted, and the answer (RFC 7692, sections 5 and 7.1).

use super::WindowBits;
use std::fmt;

const NAME: &str = "permessage-deflate";

/// An accepted offer. Its text is the answer's `Sec-WebSocket-Extensions`.
///
/// Neither side takes context over, whatever was offered: the server may ask for both unasked (sections 7.1.1.1 and
/// 7.1.1.2). The client's window is left to the client, because ours inflates any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// What the client asked for, if it did.
    server_window: Option<WindowBits>,
}

impl Agreement {
    /// The window that the server's messages keep to.
    pub fn window(self) -> WindowBits {
        self.server_window.unwrap_or_default()
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{NAME}; server_no_context_takeover; client_no_context_takeover"
        )?;
        match self.server_window {
            Some(window) => write!(formatter, "; server_max_window_bits={}", window.bits()),
            None => Ok(()),
        }
    }
}

/// The first of the offers that can be accepted. `lines` are the request's `Sec-WebSocket-Extensions` headers, in
/// order. An offer that is malformed, repeats a parameter or asks for what we cannot do is passed over, as are other
/// extensions.
pub fn negotiate<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Agreement> {
    lines
        .into_iter()
        .flat_map(|line| split_outside_quotes(line, b','))
        .find_map(accept)
}

fn accept(offer: &str) -> Option<Agreement> {
    let mut parts = split_outside_quotes(offer, b';');
    if parts.next()?.trim() != NAME {
        return None;
    }
    let mut server_window = None;
    let mut seen = [false; 4];
    for part in parts {
        let place = match parameter(part)? {
            ("server_no_context_takeover", None) => 0,
            ("client_no_context_takeover", None) => 1,
            ("server_max_window_bits", Some(value)) => {
                server_window = Some(WindowBits::new(bits(value)?)?);
                2
            }
            // A promise if it has a value; else the client only says that it knows the parameter.
            ("client_max_window_bits", None) => 3,
            ("client_max_window_bits", Some(value)) => {
                bits(value)?;
                3
            }
            _ => return None,
        };
        if std::mem::replace(&mut seen[place], true) {
            return None;
        }
    }
    Some(Agreement { server_window })
}

/// A parameter's name and its value without quotes.
fn parameter(text: &str) -> Option<(&str, Option<&str>)> {
    let Some((name, value)) = text.split_once('=') else {
        return Some((text.trim(), None));
    };
    let value = value.trim();
    let unquoted = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    Some((name.trim(), Some(unquoted)))
}

/// 8 to 15, in decimal and without leading zeros.
fn bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        _ => value
            .strip_prefix('1')
            .filter(|last| matches!(last.as_bytes(), [b'0'..=b'5']))
            .map(|last| 10 + (last.as_bytes()[0] - b'0')),
    }
}

/// The pieces between separators, without regard to those in quoted strings.
fn split_outside_quotes(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            let ends = byte == separator && !quoted;
            quoted ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && quoted && !escaped;
            ends
        });
        let Some(end) = end else {
            rest = None;
            return Some(text);
        };
        // The separator is ASCII, so both sides are whole.
        rest = Some(&text[end + 1..]);
        Some(&text[..end])
    })
}
