//! How members of this gateway want events.

use std::sync::Arc;

use tidings_hub::{Encoding, EncodingId, Event, Gateway, HubBuilder};
use tidings_wire::json;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, Opcode};

/// The encodings of this gateway, registered before the hub starts.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowsEncodings {
    pub(crate) json: EncodingId,
}

impl WorkflowsEncodings {
    /// Registers them.
    pub fn register(hub: &mut HubBuilder) -> WorkflowsEncodings {
        WorkflowsEncodings {
            json: hub.encoding(Gateway::Workflows, Arc::new(Json)),
        }
    }
}

/// `{"type":kind,"event":name,"data":data,"timestamp":time}`. An event that was published without a name has the
/// name null: the keys are always the same.
struct Json;

/// An event as members of this gateway get it.
pub(crate) fn frame(event: &Event) -> Frame {
    let capacity = event.data.get().len() + event.kind.len() + 96;
    Frame::build(Opcode::Text, capacity, |text| {
        text.extend_from_slice(br#"{"type":"#);
        json::push_string(text, &event.kind);
        text.extend_from_slice(br#","event":"#);
        match &event.name {
            Some(name) => json::push_string(text, name),
            None => text.extend_from_slice(b"null"),
        }
        text.extend_from_slice(br#","data":"#);
        json::push_minified(text, &event.data);
        text.extend_from_slice(br#","timestamp":""#);
        event.time.push_to(text);
        text.extend_from_slice(br#""}"#);
    })
}

impl Encoding for Json {
    fn frame(&self, event: &Event) -> Option<Frame> {
        Some(frame(event))
    }

    fn gap(&self, dropped: u32, time: Timestamp) -> Frame {
        Frame::build(Opcode::Text, 96, |text| {
            text.extend_from_slice(br#"{"type":"gap","dropped":"#);
            text.extend_from_slice(dropped.to_string().as_bytes());
            text.extend_from_slice(br#","timestamp":""#);
            time.push_to(text);
            text.extend_from_slice(br#""}"#);
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use tidings_hub::{EventId, Gateways};

    use super::*;

    fn event(name: Option<&str>, data: &str) -> Event {
        Event {
            id: EventId::generate(),
            rooms: Vec::new(),
            kind: "execution_update".into(),
            name: name.map(Into::into),
            key: None,
            data: RawValue::from_string(data.to_owned()).unwrap(),
            time: Timestamp::from_millis(1_770_465_600_000),
            gateways: Gateways::ALL,
            exclude: Vec::new(),
            source: "test".into(),
        }
    }

    fn text(name: Option<&str>, data: &str) -> String {
        text_of(&Json.frame(&event(name, data)).unwrap())
    }

    fn text_of(frame: &Frame) -> String {
        let payloads: Vec<_> = frame.messages().collect();
        assert_eq!(payloads.len(), 1);
        String::from_utf8(payloads[0].1.to_vec()).unwrap()
    }

    #[test]
    fn exact_text() {
        assert_eq!(
            text(Some("status_changed"), "{ \"b\": 2.50,\n \"a\": [1e3] }"),
            r#"{"type":"execution_update","event":"status_changed","data":{"b":2.50,"a":[1e3]},"timestamp":"2026-02-07T12:00:00.000Z"}"#
        );
        assert_eq!(
            text(None, "null"),
            r#"{"type":"execution_update","event":null,"data":null,"timestamp":"2026-02-07T12:00:00.000Z"}"#
        );
        assert_eq!(
            text_of(&Json.gap(17, Timestamp::from_millis(1_770_465_600_000))),
            r#"{"type":"gap","dropped":17,"timestamp":"2026-02-07T12:00:00.000Z"}"#
        );
    }
}
