//! What the server says on its own account: every frame that is not an event.

use serde_json::value::RawValue;
use tidings_hub::ConnectionId;
use tidings_wire::json;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, Opcode};

/// The longest part of an unknown message type that is said back.
const UNKNOWN_TYPE_BYTES_MAX: usize = 256;

/// A room as an answer names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RoomText<'a> {
    /// Named by the server.
    Name(&'a str),
    /// Exactly as the client spelled it.
    Sent(&'a RawValue),
}

pub(crate) fn connected(id: ConnectionId, now: Timestamp) -> Frame {
    object(160, |text| {
        text.extend_from_slice(br#"{"type":"connection","event":"connected","connection_id":""#);
        text.extend_from_slice(id.to_string().as_bytes());
        text.push(b'"');
        push_timestamp(text, now);
    })
}

pub(crate) fn subscribed(room: RoomText<'_>, now: Timestamp) -> Frame {
    subscription("subscribed", room, now)
}

/// Behind a snapshot, when live updates begin. There are no logs to recover from.
pub(crate) fn snapshot_taken(room: RoomText<'_>, omitted_nodes: u64, now: Timestamp) -> Frame {
    object(160 + room.len(), |text| {
        text.extend_from_slice(br#"{"type":"subscription","event":"subscribed""#);
        room.push_to(text);
        text.extend_from_slice(br#","recovered":false"#);
        if omitted_nodes > 0 {
            text.extend_from_slice(br#","omitted_nodes":"#);
            text.extend_from_slice(omitted_nodes.to_string().as_bytes());
        }
        push_timestamp(text, now);
    })
}

/// The room is entered, but how it stands could not be told.
pub(crate) fn no_snapshot(room: RoomText<'_>) -> Frame {
    error_about("Snapshot not available", room)
}

pub(crate) fn unsubscribed(room: RoomText<'_>, now: Timestamp) -> Frame {
    subscription("unsubscribed", room, now)
}

fn subscription(event: &str, room: RoomText<'_>, now: Timestamp) -> Frame {
    object(128 + room.len(), |text| {
        text.extend_from_slice(br#"{"type":"subscription","event":""#);
        text.extend_from_slice(event.as_bytes());
        text.push(b'"');
        room.push_to(text);
        push_timestamp(text, now);
    })
}

pub(crate) fn pong(now: Timestamp) -> Frame {
    object(64, |text| {
        text.extend_from_slice(br#"{"type":"pong""#);
        push_timestamp(text, now);
    })
}

/// The token expires at that time: the client should send another one.
pub(crate) fn expiring(at: Timestamp) -> Frame {
    about_token("expiring", at)
}

/// The connection rests on another token now, which expires at that time.
pub(crate) fn refreshed(at: Timestamp) -> Frame {
    about_token("refreshed", at)
}

fn about_token(kind: &str, at: Timestamp) -> Frame {
    object(80, |text| {
        text.extend_from_slice(br#"{"type":""#);
        text.extend_from_slice(kind.as_bytes());
        text.extend_from_slice(br#"","expires_at":""#);
        at.push_to(text);
        text.push(b'"');
    })
}

/// One text for all that a user may not enter, whether it exists or not.
pub(crate) fn access_denied(room: RoomText<'_>) -> Frame {
    error_about("Access denied to room", room)
}

pub(crate) fn too_many_rooms(room: RoomText<'_>) -> Frame {
    error_about("Too many rooms", room)
}

fn error_about(message: &str, room: RoomText<'_>) -> Frame {
    object(64 + room.len(), |text| {
        push_error(text, message);
        room.push_to(text);
    })
}

pub(crate) fn missing_room_id() -> Frame {
    error("Missing room_id")
}

/// One text for all that can be wrong with a token.
pub(crate) fn invalid_token() -> Frame {
    error("Invalid token")
}

/// The message before was not handled.
pub(crate) fn rate_limited() -> Frame {
    error("Rate limited")
}

pub(crate) fn invalid_json() -> Frame {
    error("Invalid JSON format")
}

pub(crate) fn unknown_type(kind: &str) -> Frame {
    let end = kind.floor_char_boundary(UNKNOWN_TYPE_BYTES_MAX);
    error(&format!("Unknown message type: {}", &kind[..end]))
}

fn error(message: &str) -> Frame {
    object(32 + message.len(), |text| push_error(text, message))
}

fn push_error(text: &mut Vec<u8>, message: &str) {
    text.extend_from_slice(br#"{"type":"error","message":"#);
    json::push_string(text, message);
}

fn push_timestamp(text: &mut Vec<u8>, now: Timestamp) {
    text.extend_from_slice(br#","timestamp":""#);
    now.push_to(text);
    text.push(b'"');
}

fn object(capacity: usize, members: impl FnOnce(&mut Vec<u8>)) -> Frame {
    Frame::build(Opcode::Text, capacity, |text| {
        members(text);
        text.push(b'}');
    })
}

impl RoomText<'_> {
    fn len(self) -> usize {
        match self {
            RoomText::Name(name) => name.len(),
            RoomText::Sent(json) => json.get().len(),
        }
    }

    fn push_to(self, text: &mut Vec<u8>) {
        text.extend_from_slice(br#","room_id":"#);
        match self {
            RoomText::Name(name) => json::push_string(text, name),
            RoomText::Sent(sent) => json::push_minified(text, sent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_770_465_600_000);

    fn text(frame: &Frame) -> String {
        let payloads: Vec<_> = frame.messages().collect();
        assert_eq!(payloads.len(), 1);
        assert_eq!(payloads[0].0, Opcode::Text);
        String::from_utf8(payloads[0].1.to_vec()).unwrap()
    }

    #[test]
    fn exact_texts() {
        let id = ConnectionId::generate();
        let sent: &RawValue = serde_json::from_str(r#""execution:\u0041\"""#).unwrap();
        let table = [
            (
                connected(id, NOW),
                format!(
                    r#"{{"type":"connection","event":"connected","connection_id":"{id}","timestamp":"2026-02-07T12:00:00.000Z"}}"#
                ),
            ),
            (
                subscribed(RoomText::Name("user:a\"b"), NOW),
                r#"{"type":"subscription","event":"subscribed","room_id":"user:a\"b","timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                unsubscribed(RoomText::Sent(sent), NOW),
                r#"{"type":"subscription","event":"unsubscribed","room_id":"execution:\u0041\"","timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                snapshot_taken(RoomText::Sent(sent), 0, NOW),
                r#"{"type":"subscription","event":"subscribed","room_id":"execution:\u0041\"","recovered":false,"timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                snapshot_taken(RoomText::Name("execution:a"), 7, NOW),
                r#"{"type":"subscription","event":"subscribed","room_id":"execution:a","recovered":false,"omitted_nodes":7,"timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                no_snapshot(RoomText::Name("execution:a")),
                r#"{"type":"error","message":"Snapshot not available","room_id":"execution:a"}"#.into(),
            ),
            (pong(NOW), r#"{"type":"pong","timestamp":"2026-02-07T12:00:00.000Z"}"#.into()),
            (
                access_denied(RoomText::Sent(sent)),
                r#"{"type":"error","message":"Access denied to room","room_id":"execution:\u0041\""}"#.into(),
            ),
            (
                too_many_rooms(RoomText::Sent(sent)),
                r#"{"type":"error","message":"Too many rooms","room_id":"execution:\u0041\""}"#.into(),
            ),
            (missing_room_id(), r#"{"type":"error","message":"Missing room_id"}"#.into()),
            (invalid_json(), r#"{"type":"error","message":"Invalid JSON format"}"#.into()),
            (unknown_type("dance\n"), r#"{"type":"error","message":"Unknown message type: dance\n"}"#.into()),
        ];
        for (frame, expected) in table {
            assert_eq!(text(&frame), expected);
        }
    }

    #[test]
    fn an_unknown_type_is_said_back_within_bounds() {
        let frame = text(&unknown_type(&"ä".repeat(10_000)));
        assert!(frame.len() < UNKNOWN_TYPE_BYTES_MAX + 64, "{}", frame.len());
        assert!(frame.ends_with("ä\"}"));
    }
}
