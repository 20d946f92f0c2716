//! What the server says on its own account: every frame that is not an event.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tidings_hub::ConnectionId;
use tidings_transport::words;
use tidings_wire::json;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;
use utoipa::ToSchema;

use crate::form::Form;

/// The longest part of an unknown message type that is said back.
const UNKNOWN_TYPE_BYTES_MAX: usize = 256;
/// Before the type that is unknown.
pub(crate) const UNKNOWN_TYPE: &str = "Unknown message type: ";

/// A room as an answer names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RoomText<'a> {
    /// Named by the server.
    Name(&'a str),
    /// Exactly as the client spelled it.
    Sent(&'a RawValue),
}

words! {
    /// The type of [`Connected`].
    ConnectionType = "connection";
    /// Its event.
    ConnectedEvent = "connected";
    /// The type of what is said about being in a room.
    SubscriptionType = "subscription";
    /// One is in the room.
    SubscribedEvent = "subscribed";
    /// One is not in the room.
    UnsubscribedEvent = "unsubscribed";
    /// The type of [`Pong`].
    PongType = "pong";
    /// The type of [`Expiring`].
    ExpiringType = "expiring";
    /// The type of [`Refreshed`].
    RefreshedType = "refreshed";
    /// The type of what went wrong.
    ErrorType = "error";
}

/// The first frame of every connection.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connected {
    #[schema(inline)]
    r#type: ConnectionType,
    #[schema(inline)]
    event: ConnectedEvent,
    /// What `exclude` of a publish names.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, format = "uuid")]
    connection_id: ConnectionId,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The connection is in a room.
#[derive(Serialize, ToSchema)]
pub(crate) struct Subscribed<'a> {
    #[schema(inline)]
    r#type: SubscriptionType,
    #[schema(inline)]
    event: SubscribedEvent,
    /// As the client spelled it.
    #[schema(value_type = String)]
    room_id: RoomText<'a>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// Behind a state: what follows is live.
#[derive(Serialize, ToSchema)]
pub(crate) struct SnapshotTaken<'a> {
    #[schema(inline)]
    r#type: SubscriptionType,
    #[schema(inline)]
    event: SubscribedEvent,
    /// As the client spelled it.
    #[schema(value_type = String)]
    room_id: RoomText<'a>,
    /// Whether what was missed came instead of the state: there are no logs to recover from, so it is false.
    recovered: bool,
    /// Nodes that had no room in the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    omitted_nodes: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The connection is not in a room, or not any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unsubscribed<'a> {
    #[schema(inline)]
    r#type: SubscriptionType,
    #[schema(inline)]
    event: UnsubscribedEvent,
    /// As the client spelled it, whatever that was.
    #[schema(value_type = Value)]
    room_id: RoomText<'a>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The answer to a ping.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pong {
    #[schema(inline)]
    r#type: PongType,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The token expires soon: the client should send another one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Expiring {
    #[schema(inline)]
    r#type: ExpiringType,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The connection rests on another token now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refreshed {
    #[schema(inline)]
    r#type: RefreshedType,
    /// When that one expires.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Something went wrong; the connection stays.
#[derive(Serialize)]
struct Error<'a> {
    r#type: ErrorType,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<RoomText<'a>>,
}

/// What can go wrong with a room.
pub(crate) mod about_room {
    /// One text for all that a user may not enter, whether it exists or not.
    pub(crate) const ACCESS_DENIED: &str = "Access denied to room";
    /// The connection, or the user, is in as many as it may be.
    pub(crate) const TOO_MANY: &str = "Too many rooms";
    /// The room is entered, but how it stands could not be told.
    pub(crate) const NO_SNAPSHOT: &str = "Snapshot not available";
}

/// What can go wrong with a message.
pub(crate) mod about_message {
    /// No room in it.
    pub(crate) const MISSING_ROOM_ID: &str = "Missing room_id";
    /// One text for all that can be wrong with a token.
    pub(crate) const INVALID_TOKEN: &str = "Invalid token";
    /// It was one too many, and not handled.
    pub(crate) const RATE_LIMITED: &str = "Rate limited";
    /// It is no JSON object.
    pub(crate) const INVALID_JSON: &str = "Invalid JSON format";
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

    pub(crate) fn connected(self, connection_id: ConnectionId, timestamp: Timestamp) -> Frame {
        let connected = Connected {
            r#type: ConnectionType,
            event: ConnectedEvent,
            connection_id,
            timestamp,
        };
        self.say(ConnectionType::TEXT, &connected)
    }

    pub(crate) fn subscribed(self, room_id: RoomText<'_>, timestamp: Timestamp) -> Frame {
        let subscribed = Subscribed {
            r#type: SubscriptionType,
            event: SubscribedEvent,
            room_id,
            timestamp,
        };
        self.say(SubscriptionType::TEXT, &subscribed)
    }

    /// Behind a snapshot, when live updates begin. There are no logs to recover from.
    pub(crate) fn snapshot_taken(
        self,
        room_id: RoomText<'_>,
        omitted_nodes: u64,
        timestamp: Timestamp,
    ) -> Frame {
        let taken = SnapshotTaken {
            r#type: SubscriptionType,
            event: SubscribedEvent,
            room_id,
            recovered: false,
            omitted_nodes: (omitted_nodes > 0).then_some(omitted_nodes),
            timestamp,
        };
        self.say(SubscriptionType::TEXT, &taken)
    }

    /// The room is entered, but how it stands could not be told.
    pub(crate) fn no_snapshot(self, room: RoomText<'_>) -> Frame {
        self.error(about_room::NO_SNAPSHOT, Some(room))
    }

    pub(crate) fn unsubscribed(self, room_id: RoomText<'_>, timestamp: Timestamp) -> Frame {
        let unsubscribed = Unsubscribed {
            r#type: SubscriptionType,
            event: UnsubscribedEvent,
            room_id,
            timestamp,
        };
        self.say(SubscriptionType::TEXT, &unsubscribed)
    }

    pub(crate) fn pong(self, timestamp: Timestamp) -> Frame {
        let answer = Pong {
            r#type: PongType,
            timestamp,
        };
        self.say(PongType::TEXT, &answer)
    }

    /// The token expires at that time: the client should send another one.
    pub(crate) fn expiring(self, expires_at: Timestamp) -> Frame {
        let expiring = Expiring {
            r#type: ExpiringType,
            expires_at,
        };
        self.say(ExpiringType::TEXT, &expiring)
    }

    /// The connection rests on another token now, which expires at that time.
    pub(crate) fn refreshed(self, expires_at: Timestamp) -> Frame {
        let refreshed = Refreshed {
            r#type: RefreshedType,
            expires_at,
        };
        self.say(RefreshedType::TEXT, &refreshed)
    }

    pub(crate) fn access_denied(self, room: RoomText<'_>) -> Frame {
        self.error(about_room::ACCESS_DENIED, Some(room))
    }

    pub(crate) fn too_many_rooms(self, room: RoomText<'_>) -> Frame {
        self.error(about_room::TOO_MANY, Some(room))
    }

    pub(crate) fn missing_room_id(self) -> Frame {
        self.error(about_message::MISSING_ROOM_ID, None)
    }

    pub(crate) fn invalid_token(self) -> Frame {
        self.error(about_message::INVALID_TOKEN, None)
    }

    /// The message before was not handled.
    pub(crate) fn rate_limited(self) -> Frame {
        self.error(about_message::RATE_LIMITED, None)
    }

    pub(crate) fn invalid_json(self) -> Frame {
        self.error(about_message::INVALID_JSON, None)
    }

    pub(crate) fn unknown_type(self, kind: &str) -> Frame {
        let end = kind.floor_char_boundary(UNKNOWN_TYPE_BYTES_MAX);
        self.error(&format!("{UNKNOWN_TYPE}{}", &kind[..end]), None)
    }

    fn error(self, message: &str, room_id: Option<RoomText<'_>>) -> Frame {
        let error = Error {
            r#type: ErrorType,
            message,
            room_id,
        };
        self.say(ErrorType::TEXT, &error)
    }

    fn say(self, kind: &str, frame: &impl Serialize) -> Frame {
        self.form.say(kind, self.acknowledgement, frame)
    }
}

fn as_text<S: Serializer>(id: &ConnectionId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

impl Serialize for RoomText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RoomText::Name(name) => serializer.serialize_str(name),
            RoomText::Sent(sent) if sent.get().starts_with('"') => sent.serialize(serializer),
            // What is no text may have white space in it.
            RoomText::Sent(sent) => RawValue::from_string(json::minify(sent))
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
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
