//! The frames that clients get.

use std::sync::Arc;
use tidings_access::UserId;
use tidings_hub::{Encoding, EncodingId, Event, Gateway, HubBuilder};
use tidings_wire::json::{push_minified, push_string};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, Opcode};

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
struct EventEncoding;

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

    fn gap(&self, dropped: u32, time: Timestamp) -> Frame {
        Frame::build(Opcode::Text, 96, |buffer| {
            buffer.extend_from_slice(b"{\"type\":\"gap\",\"dropped\":");
            buffer.extend_from_slice(dropped.to_string().as_bytes());
            push_timestamp_and_end(buffer, time);
        })
    }
}

/// The first frame of every connection.
pub(crate) fn welcome(user: &UserId, time: Timestamp) -> Frame {
    Frame::build(Opcode::Text, user.as_str().len() + 128, |buffer| {
        buffer.extend_from_slice(
            b"{\"type\":\"connected\",\"message\":\"WebSocket connected successfully\",\"user_id\":",
        );
        push_string(buffer, user.as_str());
        push_timestamp_and_end(buffer, time);
    })
}

/// The answer to a ping.
pub(crate) fn pong() -> Frame {
    Frame::text(r#"{"type":"pong"}"#)
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
