//! How members of this gateway want events.

use std::sync::Arc;

use serde::Serialize;
use tidings_hub::{Encoding, EncodingId, Event, Gateway, HubBuilder};
use tidings_transport::openapi::schema::{object, string};
use tidings_transport::words;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;
use tidings_wire::{json, socketio};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, Schema, SchemaFormat};

use crate::form::Form;

/// The encodings of this gateway, registered before the hub starts.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowsEncodings {
    json: EncodingId,
    socket_io: EncodingId,
}

impl WorkflowsEncodings {
    /// Registers them.
    pub fn register(hub: &mut HubBuilder) -> WorkflowsEncodings {
        WorkflowsEncodings {
            json: hub.encoding(Gateway::Workflows, Arc::new(Form::Json)),
            socket_io: hub.encoding(Gateway::Workflows, Arc::new(Form::SocketIo)),
        }
    }

    pub(crate) fn of(self, form: Form) -> EncodingId {
        match form {
            Form::Json => self.json,
            Form::SocketIo => self.socket_io,
        }
    }
}

/// An event as members get it: `{"type":kind,"event":name,"data":data,"timestamp":time}`. An event that was published without
/// a name has the name null: the keys are always the same.
pub(crate) fn frame(form: Form, event: &Event) -> Frame {
    let capacity = event.data.get().len() + event.kind.len() + 96;
    form.frame(&event.kind, None, capacity, |text| {
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

impl Encoding for Form {
    /// Socket.IO has no events with names that it keeps for itself.
    fn frame(&self, event: &Event) -> Option<Frame> {
        let is_possible = *self == Form::Json || !socketio::RESERVED_EVENTS.contains(&&*event.kind);
        is_possible.then(|| frame(*self, event))
    }

    fn gap(&self, dropped: u32, timestamp: Timestamp) -> Frame {
        let gap = Gap {
            r#type: GapType,
            dropped,
            timestamp,
        };
        self.say(GapType::TEXT, None, &gap)
    }
}

words! {
    /// The type of [`Gap`].
    GapType = "gap";
}

/// Stands where events were dropped for a client that does not keep up.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowGap)]
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

/// What [`frame`] writes of events whose kind, name and data have these schemas.
pub(crate) fn frame_schema(
    kind: impl Into<RefOr<Schema>>,
    name: impl Into<RefOr<Schema>>,
    data: impl Into<RefOr<Schema>>,
) -> Schema {
    let time = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    object()
        .property("type", kind)
        .required("type")
        .property("event", name)
        .required("event")
        .property("data", data)
        .required("data")
        .property("timestamp", time)
        .required("timestamp")
        .into()
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
        text_of(&frame(Form::Json, &event(name, data)))
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
            text_of(&Form::Json.gap(17, Timestamp::from_millis(1_770_465_600_000))),
            r#"{"type":"gap","dropped":17,"timestamp":"2026-02-07T12:00:00.000Z"}"#
        );
    }

    #[test]
    fn over_socket_io() {
        let update = event(Some("status_changed"), "[1.0]");
        assert_eq!(
            text_of(&Encoding::frame(&Form::SocketIo, &update).unwrap()),
            r#"42/workflows,["execution_update",{"type":"execution_update","event":"status_changed","data":[1.0],"timestamp":"2026-02-07T12:00:00.000Z"}]"#
        );
        assert_eq!(
            text_of(&Form::SocketIo.gap(17, Timestamp::from_millis(0))),
            r#"42/workflows,["gap",{"type":"gap","dropped":17,"timestamp":"1970-01-01T00:00:00.000Z"}]"#
        );
        let reserved = Event {
            kind: "disconnect".into(),
            ..event(None, "1")
        };
        assert!(Encoding::frame(&Form::SocketIo, &reserved).is_none());
        assert!(Encoding::frame(&Form::Json, &reserved).is_some());
    }
}
