//! The frames that clients get.

use serde::Serialize;
use std::sync::Arc;
use tidings_access::UserId;
use tidings_hub::{Encoding, EncodingId, Event, Gateway, HubBuilder};
use tidings_transport::openapi::schema::{object, string};
use tidings_transport::words;
use tidings_wire::json::{push_minified, push_string};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, Opcode};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, Schema, SchemaFormat};

/// How this gateway's connections get events. Registered before the hub starts.
#[derive(Clone, Copy, Debug)]
pub struct TasksEncodings {
    pub(crate) event: EncodingId,
}

impl TasksEncodings {
    /// Registers the gateway's encoding.
    pub fn register(hub: &mut HubBuilder) -> TasksEncodings {
        TasksEncodings {
            event: hub.encoding(Gateway::Tasks, Arc::new(EventEncoding)),
        }
    }
}

/// `{"type":kind,"event":data,"timestamp":time}`, the data as it was given but for white space.
pub(crate) struct EventEncoding;

impl Encoding for EventEncoding {
    fn frame(&self, event: &Event) -> Option<Frame> {
        let capacity = event.kind.len() + event.data.get().len() + 64;
        Some(Frame::build(Opcode::Text, capacity, |buffer| {
            buffer.extend_from_slice(b"{\"type\":");
            push_string(buffer, &event.kind);
            buffer.extend_from_slice(b",\"event\":");
            push_minified(buffer, &event.data);
            push_timestamp_and_end(buffer, event.time);
        }))
    }

    fn gap(&self, dropped: u32, timestamp: Timestamp) -> Frame {
        Frame::json(&Gap {
            r#type: GapType,
            dropped,
            timestamp,
        })
    }
}

words! {
    /// The type of [`Gap`].
    GapType = "gap";
    /// The type of [`Welcome`].
    ConnectedType = "connected";
    /// The type of [`Pong`].
    PongType = "pong";
    /// What [`Welcome`] says.
    WelcomeText = "WebSocket connected successfully";
}

/// Stands where events were dropped for a client that does not keep up.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskGap)]
pub(crate) struct Gap {
    #[schema(inline)]
    r#type: GapType,
    /// How many.
    #[schema(minimum = 1)]
    dropped: u32,
    /// When that was last raised.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The first frame of every connection.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskConnected)]
pub(crate) struct Welcome<'a> {
    #[schema(inline)]
    r#type: ConnectedType,
    #[schema(inline)]
    message: WelcomeText,
    /// The user whose events come.
    #[schema(value_type = String)]
    user_id: &'a UserId,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The answer to a ping.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskPong)]
pub(crate) struct Pong {
    #[schema(inline)]
    r#type: PongType,
}

/// The first frame of every connection.
pub(crate) fn welcome(user_id: &UserId, timestamp: Timestamp) -> Frame {
    Frame::json(&Welcome {
        r#type: ConnectedType,
        message: WelcomeText,
        user_id,
        timestamp,
    })
}

/// The answer to a ping.
pub(crate) fn pong() -> Frame {
    Frame::json(&Pong { r#type: PongType })
}

/// What [`EventEncoding`] writes of events whose kind and data have these schemas.
pub(crate) fn event_schema(kind: impl Into<RefOr<Schema>>, data: impl Into<RefOr<Schema>>) -> Schema {
    let time = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    object()
        .property("type", kind)
        .required("type")
        .property("event", data)
        .required("event")
        .property("timestamp", time)
        .required("timestamp")
        .into()
}

fn push_timestamp_and_end(buffer: &mut Vec<u8>, time: Timestamp) {
    buffer.extend_from_slice(b",\"timestamp\":\"");
    time.push_to(buffer);
    buffer.extend_from_slice(b"\"}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use tidings_hub::{EventId, Gateways};

    fn text(frame: &Frame) -> String {
        let mut messages = frame.messages();
        let (opcode, payload) = messages.next().unwrap();
        assert!(opcode == Opcode::Text && messages.next().is_none());
        String::from_utf8(payload.to_vec()).unwrap()
    }

    fn event(kind: &str, data: &str) -> Event {
        Event {
            id: EventId::generate(),
            rooms: Vec::new(),
            kind: kind.into(),
            name: Some("ignored".into()),
            key: None,
            data: RawValue::from_string(data.to_owned()).unwrap(),
            time: Timestamp::from_millis(1_770_465_600_000),
            gateways: Gateways::ALL,
            exclude: Vec::new(),
            source: "test".into(),
        }
    }

    #[test]
    fn events_keep_their_keys_order_and_numbers() {
        let table = [
            (
                "task_update",
                "{ \"task_id\" : \"456\",\n \"a\" : 1.50 }",
                r#"{"type":"task_update","event":{"task_id":"456","a":1.50},"timestamp":"2026-02-07T12:00:00.000Z"}"#,
            ),
            (
                "no\"tice",
                "null",
                r#"{"type":"no\"tice","event":null,"timestamp":"2026-02-07T12:00:00.000Z"}"#,
            ),
        ];
        for (kind, data, expected) in table {
            assert_eq!(text(&EventEncoding.frame(&event(kind, data)).unwrap()), expected);
        }
    }

    #[test]
    fn the_documented_frames() {
        let user = UserId::new("user-123 \"ä\"").unwrap();
        assert_eq!(
            text(&welcome(&user, Timestamp::from_millis(1_770_465_600_000))),
            r#"{"type":"connected","message":"WebSocket connected successfully","user_id":"user-123 \"ä\"","timestamp":"2026-02-07T12:00:00.000Z"}"#
        );
        assert_eq!(text(&pong()), r#"{"type":"pong"}"#);
        assert_eq!(
            text(&EventEncoding.gap(17, Timestamp::from_millis(1_770_465_600_000))),
            r#"{"type":"gap","dropped":17,"timestamp":"2026-02-07T12:00:00.000Z"}"#
        );
    }
}
