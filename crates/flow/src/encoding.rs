//! How this gateway's connections get a room's events.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::to_raw_value;
use tidings_access::{Permission, Permissions};
use tidings_hub::{Encoding, EncodingId, Event, Gateway, HubBuilder};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, Opcode};
use tidings_wire::{json, socketio};
use utoipa::ToSchema;

use crate::envelope::EventKind;

/// The Socket.IO namespace of this gateway.
pub(crate) const NAMESPACE: &str = "/events";

/// The gateway's encodings, registered with a hub before it starts.
#[derive(Clone, Copy, Debug)]
pub struct FlowEncodings {
    socket: Pair,
    plain: Pair,
}

/// One encoding for keys that may read leads and one for those that may not.
#[derive(Clone, Copy, Debug)]
struct Pair {
    with_leads: EncodingId,
    without_leads: EncodingId,
}

impl FlowEncodings {
    /// Registers the encodings.
    pub fn register(builder: &mut HubBuilder) -> FlowEncodings {
        let mut pair = |form| Pair {
            with_leads: builder.encoding(Gateway::Flow, Arc::new(FlowEncoding { form, leads: true })),
            without_leads: builder.encoding(Gateway::Flow, Arc::new(FlowEncoding { form, leads: false })),
        };
        FlowEncodings {
            socket: pair(Form::Socket),
            plain: pair(Form::Plain),
        }
    }

    /// What a Socket.IO connection with these permissions gets.
    pub(crate) fn socket(self, permissions: Permissions) -> EncodingId {
        self.socket.choose(permissions)
    }

    /// What a plain WebSocket with these permissions gets.
    pub(crate) fn plain(self, permissions: Permissions) -> EncodingId {
        self.plain.choose(permissions)
    }
}

impl Pair {
    fn choose(self, permissions: Permissions) -> EncodingId {
        if permissions.contains(Permission::LeadsRead) {
            self.with_leads
        } else {
            self.without_leads
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Socket,
    Plain,
}

struct FlowEncoding {
    form: Form,
    leads: bool,
}

impl Encoding for FlowEncoding {
    fn frame(&self, event: &Event) -> Option<Frame> {
        let is_lead = *event.kind == *EventKind::Lead.as_str();
        if is_lead && !self.leads {
            return None;
        }
        match self.form {
            Form::Socket if socketio::RESERVED_EVENTS.contains(&&*event.kind) => None,
            Form::Socket => Some(socketio::encode_event(
                NAMESPACE,
                &event.kind,
                &[&*event.data],
                None,
            )),
            Form::Plain => Some(plain_frame(&event.kind, event.data.get())),
        }
    }

    fn gap(&self, dropped: u32, time: Timestamp) -> Frame {
        let gap = Gap {
            dropped,
            timestamp: time,
        };
        let data = to_raw_value(&gap).expect("a number and a time are always JSON");
        match self.form {
            Form::Socket => socketio::encode_event(NAMESPACE, "gap", &[&*data], None),
            Form::Plain => plain_frame("gap", data.get()),
        }
    }
}

/// Stands where events of a room were dropped for a client that does not keep up.
#[derive(Serialize, ToSchema)]
#[schema(as = TenantGap)]
pub(crate) struct Gap {
    /// How many.
    #[schema(minimum = 1)]
    pub(crate) dropped: u32,
    /// When that was last raised.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timestamp: Timestamp,
}

/// `{"event":name,"data":data}`, the form of a plain WebSocket in both directions.
pub(crate) fn plain_frame(name: &str, data: &str) -> Frame {
    Frame::build(Opcode::Text, name.len() + data.len() + 32, |payload| {
        payload.extend_from_slice(b"{\"event\":");
        json::push_string(payload, name);
        payload.extend_from_slice(b",\"data\":");
        payload.extend_from_slice(data.as_bytes());
        payload.push(b'}');
    })
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use tidings_hub::{EventId, Gateways, RoomName};

    use super::*;

    fn event(kind: &str) -> Event {
        Event {
            id: EventId::generate(),
            rooms: vec![RoomName::new("tenant:demo1").unwrap()],
            kind: kind.into(),
            name: None,
            key: None,
            data: RawValue::from_string(r#"{"b":1.50,"a":"x"}"#.to_owned()).unwrap(),
            time: Timestamp::from_millis(0),
            gateways: Gateways::ALL,
            exclude: Vec::new(),
            source: "test".into(),
        }
    }

    fn text(form: Form, leads: bool, event: &Event) -> Option<String> {
        FlowEncoding { form, leads }
            .frame(event)
            .map(|frame| text_of(&frame))
    }

    fn text_of(frame: &Frame) -> String {
        let messages: Vec<_> = frame.messages().collect();
        assert_eq!((messages.len(), messages[0].0), (1, Opcode::Text));
        String::from_utf8(messages[0].1.to_vec()).unwrap()
    }

    #[test]
    fn exact_texts() {
        let lead = event("lead_event");
        let socket = r#"42/events,["lead_event",{"b":1.50,"a":"x"}]"#;
        let plain = r#"{"event":"lead_event","data":{"b":1.50,"a":"x"}}"#;
        assert_eq!(text(Form::Socket, true, &lead).as_deref(), Some(socket));
        assert_eq!(text(Form::Plain, true, &lead).as_deref(), Some(plain));
        for (form, expected) in [
            (
                Form::Socket,
                r#"42/events,["gap",{"dropped":17,"timestamp":"1970-01-01T00:00:00.000Z"}]"#,
            ),
            (
                Form::Plain,
                r#"{"event":"gap","data":{"dropped":17,"timestamp":"1970-01-01T00:00:00.000Z"}}"#,
            ),
        ] {
            let gap = FlowEncoding { form, leads: true }.gap(17, Timestamp::from_millis(0));
            assert_eq!(text_of(&gap), expected);
        }
    }

    #[test]
    fn who_gets_what() {
        let table = [
            ("lead_event", true, [true, true]),
            ("lead_event", false, [false, false]),
            ("voice_event", false, [true, true]),
            ("anything \"else\"", false, [true, true]),
            ("disconnect", true, [false, true]),
        ];
        for (kind, leads, expected) in table {
            let event = event(kind);
            let got = [Form::Socket, Form::Plain].map(|form| text(form, leads, &event).is_some());
            assert_eq!(got, expected, "{kind}, leads: {leads}");
        }
    }
}
