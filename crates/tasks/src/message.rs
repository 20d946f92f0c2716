//! What clients say: a ping, or nothing that matters.

use serde::Deserialize;
use std::borrow::Cow;
use tidings_transport::openapi::schema::{object, word};
use utoipa::openapi::schema::Schema;

/// A client's message, as far as it is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Ping,
    /// Another type, or no JSON object: some clients send the bare word `ping`.
    Other,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// The one spelling of a ping that no parser is needed for.
pub(crate) const PING: &str = r#"{"type":"ping"}"#;

/// What [`Message::read`] takes for a ping.
pub(crate) fn ping_schema() -> Schema {
    object().property("type", word("ping")).required("type").into()
}

impl Message {
    /// Reads a text or binary message.
    pub(crate) fn read(message: &[u8]) -> Message {
        // The documented spelling first, without a parser.
        if message == PING.as_bytes() || message == br#"{"type": "ping"}"# {
            return Message::Ping;
        }
        // serde would read an array as a struct, too.
        if !message.trim_ascii_start().starts_with(b"{") {
            return Message::Other;
        }
        match serde_json::from_slice::<Typed<'_>>(message) {
            Ok(typed) if typed.kind == "ping" => Message::Ping,
            _ => Message::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_ping_is_a_ping() {
        for ping in [
            r#"{"type":"ping"}"#,
            r#"{"type": "ping"}"#,
            " { \"type\" :\n\"ping\" } ",
            r#"{"timestamp":1,"type":"ping","x":{"type":"pong"}}"#,
            r#"{"type":"\u0070ing"}"#,
        ] {
            assert_eq!(Message::read(ping.as_bytes()), Message::Ping, "{ping}");
        }
        for other in [
            "",
            "ping",
            "\"ping\"",
            r#"["ping"]"#,
            r#"{"type":"pong"}"#,
            r#"{"type":"Ping"}"#,
            r#"{"type":["ping"]}"#,
            r#"{"type":null}"#,
            r#"{"kind":"ping"}"#,
            r#"{"type":"ping"} x"#,
            r#"{"type":"ping""#,
            "{}",
            "\u{0}",
        ] {
            assert_eq!(Message::read(other.as_bytes()), Message::Other, "{other}");
        }
        let deep = format!(
            "{{\"x\":{}{},\"type\":\"ping\"}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(Message::read(deep.as_bytes()), Message::Ping);
    }
}
