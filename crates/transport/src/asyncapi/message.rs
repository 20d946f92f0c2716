//! What is said.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_wire::close_code::CloseCode;
use tidings_wire::sse::Close;
use tidings_wire::websocket::Frame;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::openapi::schema::{count, object, words};

/// How a stream may end: what else ends a socket is a refusal here, or something that only a client that speaks can do.
pub(super) const STREAM_ENDS: [CloseCode; 5] = [
    CloseCode::ShuttingDown,
    CloseCode::InternalError,
    CloseCode::Forbidden,
    CloseCode::TokenExpired,
    CloseCode::SlowConsumer,
];

/// Something that is said, one way.
#[derive(Clone)]
pub struct Message {
    /// Its name within the gateway's messages.
    pub(super) id: &'static str,
    pub(super) object: MessageObject,
}

/// What a client says, and what it may be answered.
#[derive(Clone)]
pub struct Request {
    pub(super) message: Message,
    pub(super) replies: &'static [&'static str],
}

#[derive(Clone, Serialize)]
pub(super) struct MessageObject {
    name: &'static str,
    summary: &'static str,
    payload: RefOr<Schema>,
    examples: [Example; 1],
    #[serde(rename = "x-sse-event", skip_serializing_if = "Option::is_none")]
    sse_event: Option<&'static str>,
    #[serde(rename = "x-socket.io-packet", skip_serializing_if = "Option::is_none")]
    packet: Option<&'static str>,
    #[serde(rename = "x-socket.io-names-never", skip_serializing_if = "Vec::is_empty")]
    other_than: Vec<&'static str>,
}

#[derive(Clone, Serialize)]
struct Example {
    payload: Box<RawValue>,
}

impl Message {
    /// A message that is called `id` here. `example` is what it looks like.
    pub fn new(
        id: &'static str,
        summary: &'static str,
        payload: impl Into<RefOr<Schema>>,
        example: Box<RawValue>,
    ) -> Message {
        Message {
            id,
            object: MessageObject {
                name: id,
                summary,
                payload: payload.into(),
                examples: [Example { payload: example }],
                sse_event: None,
                packet: None,
                other_than: Vec::new(),
            },
        }
    }

    pub(super) fn summary(&self) -> &'static str {
        self.object.summary
    }

    /// What it is called here.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// What it looks like.
    pub fn example(&self) -> &RawValue {
        let [Example { payload }] = &self.object.examples;
        payload
    }

    /// Its name for the protocol, where messages have one: a Socket.IO event's.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Message {
        self.object.name = name;
        self
    }

    /// On an event stream, it comes as an event of this name.
    #[must_use]
    pub fn sse_event(mut self, name: &'static str) -> Message {
        self.object.sse_event = Some(name);
        self
    }

    /// With Socket.IO, it comes as a packet of this type and not as an event.
    #[must_use]
    pub fn packet(mut self, packet: &'static str) -> Message {
        self.object.packet = Some(packet);
        self
    }

    /// Its name, where it is any, is none of these.
    #[must_use]
    pub fn other_than(mut self, names: &[&'static str]) -> Message {
        self.object.other_than = names.to_vec();
        self
    }

    /// A request that is answered with one of these messages; with none of them, it is not answered.
    pub fn answered(self, replies: &'static [&'static str]) -> Request {
        Request {
            message: self,
            replies,
        }
    }
}

/// The JSON of a frame's one message, as an example.
///
/// # Panics
///
/// If it is no frame of JSON.
pub fn example(frame: &Frame) -> Box<RawValue> {
    let text = frame.messages().next().map(|(_, payload)| payload);
    let text = text.and_then(|payload| String::from_utf8(payload.to_vec()).ok());
    text.and_then(|text| RawValue::from_string(text).ok())
        .expect("Invariant: what the gateways write is one message of JSON")
}

/// JSON that is written in the source, as an example.
///
/// # Panics
///
/// If it is none.
pub fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("Invariant: examples are JSON")
}

/// The last event of a stream: why it ends, and when to come back.
///
/// # Panics
///
/// Never: numbers and a word are JSON.
pub fn closing() -> Message {
    let close = Close::new(CloseCode::ShuttingDown, Some(Duration::from_millis(4_200)));
    let codes = STREAM_ENDS.iter().map(|code| code.code());
    let code = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(codes.collect::<BTreeSet<_>>()));
    let retry_ms = count()
        .schema_type([Type::Integer, Type::Null].into_iter().collect::<SchemaType>())
        .description(Some(
            "How long to wait before coming back; null: not with the same token.",
        ));
    let payload = object()
        .property("code", code)
        .required("code")
        .property("reason", words(STREAM_ENDS.iter().map(|code| code.reason())))
        .required("reason")
        .property("retry_ms", retry_ms)
        .required("retry_ms");
    let example = serde_json::value::to_raw_value(&close).expect("Invariant: numbers and a word are JSON");
    Message::new(
        "close",
        "The stream ends: why, and when to come back.",
        payload,
        example,
    )
    .sse_event("close")
}
