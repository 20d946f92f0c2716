//! What the server says on its own account: every frame that is not an event.

use serde_json::value::RawValue;
use tidings_hub::ConnectionId;
use tidings_wire::json;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;

use crate::form::Form;

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

/// Writes the frames of one connection, in its form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frames {
    form: Form,
    /// The acknowledgement that the client asked for with its message; it gets each frame as such, too.
    acknowledgement: Option<u64>,
}

impl Frames {
    pub(crate) const fn new(form: Form) -> Frames {
        Frames {
            form,
            acknowledgement: None,
        }
    }

    /// Those that answer a message.
    pub(crate) const fn acknowledging(self, acknowledgement: Option<u64>) -> Frames {
        Frames {
            acknowledgement,
            ..self
        }
    }

    /// The same without the acknowledgement, for what others follow upon.
    pub(crate) const fn unacknowledged(self) -> Frames {
        self.acknowledging(None)
    }

    pub(crate) fn connected(self, id: ConnectionId, now: Timestamp) -> Frame {
        self.object("connection", 160, |text| {
            text.extend_from_slice(br#","event":"connected","connection_id":""#);
            text.extend_from_slice(id.to_string().as_bytes());
            text.push(b'"');
            push_timestamp(text, now);
        })
    }

    pub(crate) fn subscribed(self, room: RoomText<'_>, now: Timestamp) -> Frame {
        self.subscription("subscribed", room, now)
    }

    /// Behind a snapshot, when live updates begin. There are no logs to recover from.
    pub(crate) fn snapshot_taken(self, room: RoomText<'_>, omitted_nodes: u64, now: Timestamp) -> Frame {
        self.object("subscription", 160 + room.len(), |text| {
            text.extend_from_slice(br#","event":"subscribed""#);
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
    pub(crate) fn no_snapshot(self, room: RoomText<'_>) -> Frame {
        self.error_about("Snapshot not available", room)
    }

    pub(crate) fn unsubscribed(self, room: RoomText<'_>, now: Timestamp) -> Frame {
        self.subscription("unsubscribed", room, now)
    }

    fn subscription(self, event: &str, room: RoomText<'_>, now: Timestamp) -> Frame {
        self.object("subscription", 128 + room.len(), |text| {
            text.extend_from_slice(br#","event":""#);
            text.extend_from_slice(event.as_bytes());
            text.push(b'"');
            room.push_to(text);
            push_timestamp(text, now);
        })
    }

    pub(crate) fn pong(self, now: Timestamp) -> Frame {
        self.object("pong", 64, |text| push_timestamp(text, now))
    }

    /// The token expires at that time: the client should send another one.
    pub(crate) fn expiring(self, at: Timestamp) -> Frame {
        self.about_token("expiring", at)
    }

    /// The connection rests on another token now, which expires at that time.
    pub(crate) fn refreshed(self, at: Timestamp) -> Frame {
        self.about_token("refreshed", at)
    }

    fn about_token(self, kind: &str, at: Timestamp) -> Frame {
        self.object(kind, 80, |text| {
            text.extend_from_slice(br#","expires_at":""#);
            at.push_to(text);
            text.push(b'"');
        })
    }

    /// One text for all that a user may not enter, whether it exists or not.
    pub(crate) fn access_denied(self, room: RoomText<'_>) -> Frame {
        self.error_about("Access denied to room", room)
    }

    pub(crate) fn too_many_rooms(self, room: RoomText<'_>) -> Frame {
        self.error_about("Too many rooms", room)
    }

    fn error_about(self, message: &str, room: RoomText<'_>) -> Frame {
        self.object("error", 64 + room.len(), |text| {
            push_message(text, message);
            room.push_to(text);
        })
    }

    pub(crate) fn missing_room_id(self) -> Frame {
        self.error("Missing room_id")
    }

    /// One text for all that can be wrong with a token.
    pub(crate) fn invalid_token(self) -> Frame {
        self.error("Invalid token")
    }

    /// The message before was not handled.
    pub(crate) fn rate_limited(self) -> Frame {
        self.error("Rate limited")
    }

    pub(crate) fn invalid_json(self) -> Frame {
        self.error("Invalid JSON format")
    }

    pub(crate) fn unknown_type(self, kind: &str) -> Frame {
        let end = kind.floor_char_boundary(UNKNOWN_TYPE_BYTES_MAX);
        self.error(&format!("Unknown message type: {}", &kind[..end]))
    }

    fn error(self, message: &str) -> Frame {
        self.object("error", 32 + message.len(), |text| push_message(text, message))
    }

    fn object(self, kind: &str, capacity: usize, members: impl FnOnce(&mut Vec<u8>)) -> Frame {
        self.form.frame(kind, self.acknowledgement, capacity, |text| {
            text.extend_from_slice(br#"{"type":"#);
            json::push_string(text, kind);
            members(text);
            text.push(b'}');
        })
    }
}

fn push_message(text: &mut Vec<u8>, message: &str) {
    text.extend_from_slice(br#","message":"#);
    json::push_string(text, message);
}

fn push_timestamp(text: &mut Vec<u8>, now: Timestamp) {
    text.extend_from_slice(br#","timestamp":""#);
    now.push_to(text);
    text.push(b'"');
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
    use tidings_wire::websocket::Opcode;

    use super::*;

    const JSON: Frames = Frames::new(Form::Json);
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
                JSON.connected(id, NOW),
                format!(
                    r#"{{"type":"connection","event":"connected","connection_id":"{id}","timestamp":"2026-02-07T12:00:00.000Z"}}"#
                ),
            ),
            (
                JSON.subscribed(RoomText::Name("user:a\"b"), NOW),
                r#"{"type":"subscription","event":"subscribed","room_id":"user:a\"b","timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                JSON.unsubscribed(RoomText::Sent(sent), NOW),
                r#"{"type":"subscription","event":"unsubscribed","room_id":"execution:\u0041\"","timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                JSON.snapshot_taken(RoomText::Sent(sent), 0, NOW),
                r#"{"type":"subscription","event":"subscribed","room_id":"execution:\u0041\"","recovered":false,"timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                JSON.snapshot_taken(RoomText::Name("execution:a"), 7, NOW),
                r#"{"type":"subscription","event":"subscribed","room_id":"execution:a","recovered":false,"omitted_nodes":7,"timestamp":"2026-02-07T12:00:00.000Z"}"#.into(),
            ),
            (
                JSON.no_snapshot(RoomText::Name("execution:a")),
                r#"{"type":"error","message":"Snapshot not available","room_id":"execution:a"}"#.into(),
            ),
            (JSON.pong(NOW), r#"{"type":"pong","timestamp":"2026-02-07T12:00:00.000Z"}"#.into()),
            (
                JSON.access_denied(RoomText::Sent(sent)),
                r#"{"type":"error","message":"Access denied to room","room_id":"execution:\u0041\""}"#.into(),
            ),
            (
                JSON.too_many_rooms(RoomText::Sent(sent)),
                r#"{"type":"error","message":"Too many rooms","room_id":"execution:\u0041\""}"#.into(),
            ),
            (JSON.missing_room_id(), r#"{"type":"error","message":"Missing room_id"}"#.into()),
            (JSON.invalid_json(), r#"{"type":"error","message":"Invalid JSON format"}"#.into()),
            (JSON.unknown_type("dance\n"), r#"{"type":"error","message":"Unknown message type: dance\n"}"#.into()),
        ];
        for (frame, expected) in table {
            assert_eq!(text(&frame), expected);
        }
    }

    #[test]
    fn over_socket_io() {
        let frames = Frames::new(Form::SocketIo);
        let room = RoomText::Name("execution:a");
        let denial = r#"{"type":"error","message":"Access denied to room","room_id":"execution:a"}"#;
        assert_eq!(
            text(&frames.access_denied(room)),
            format!(r#"42/workflows,["error",{denial}]"#)
        );
        let answer = frames.acknowledging(Some(7)).access_denied(room);
        let messages: Vec<_> = answer
            .messages()
            .map(|(_, text)| String::from_utf8(text.to_vec()).unwrap())
            .collect();
        let acknowledgement = format!("43/workflows,7[{denial}]");
        assert_eq!(
            messages,
            [format!(r#"42/workflows,["error",{denial}]"#), acknowledgement]
        );
    }

    #[test]
    fn an_unknown_type_is_said_back_within_bounds() {
        let frame = text(&JSON.unknown_type(&"ä".repeat(10_000)));
        assert!(frame.len() < UNKNOWN_TYPE_BYTES_MAX + 64, "{}", frame.len());
        assert!(frame.ends_with("ä\"}"));
    }
}
