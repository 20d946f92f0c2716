//! The AsyncAPI document: what is said on `/ws` and `/sse`.

use crate::encoding::{EventEncoding, Gap, Pong, Welcome, event_schema, pong, welcome};
use crate::identity::Asker;
use crate::message::{PING, ping_schema};
use serde_json::value::RawValue;
use tidings_access::UserId;
use tidings_hub::{Encoding, Event, EventId, Gateway, Gateways};
use tidings_transport::asyncapi::{Channel, Document, Message, closing, example, raw};
use tidings_transport::openapi::schema::{anything, but, object, string, word};
use tidings_transport::openapi::{BEARER_TOKEN, QUERY_TOKEN};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AdditionalProperties, Schema};

const ABOUT: &str = "\
What happens to a user's tasks, live. The server is the one that this document was read from, and addresses are paths on it. \
A connection is in the room of its user, `user:ID`, and in no other.

In production a token is needed, and its `sub` is the user; in development `user_id` is believed where there is no token.

Keys are exactly these, in the order of the examples. Messages that are not listed here are ignored.";

const SOCKET: &str = "A WebSocket. Messages are text; a binary message is read like text.";
const STREAM: &str = "\
An event stream (`text/event-stream`): each message is the `data` of an event without a name, but for `close`, which has its \
name. `retry` lines say when to come back, comments are signs of life.";
const SECURITY: [&str; 2] = [BEARER_TOKEN, QUERY_TOKEN];
const NOW: Timestamp = Timestamp::from_millis(1_770_465_600_000);

/// The kind of a task's events.
const TASK_UPDATE: &str = "task_update";
/// The types of frames that are no event's.
const TYPES: [&str; 4] = [TASK_UPDATE, "connected", "pong", "gap"];

/// The AsyncAPI document of the gateway.
pub fn asyncapi() -> Document {
    let mut document = Document::new("tasks", env!("CARGO_PKG_VERSION"), ABOUT);
    document.add_tokens();
    document.collect::<Welcome<'_>>();
    document.collect::<Pong>();
    document.collect::<Gap>();
    let ping = Message::new("ping", "Are you there?", ping_schema(), raw(PING));
    let answer = Message::new(
        "pong",
        "Yes.",
        Ref::from_schema_name(Pong::name()),
        example(&pong()),
    );
    document.add(
        Channel::websocket::<Asker>("tasks", "/ws", "Task updates", SOCKET)
            .sends(events())
            .sends([answer])
            .receives([ping.answered(&["pong"])])
            .security(SECURITY)
            .closes_with_all_but(&[]),
    );
    document.add(
        Channel::stream::<Asker>("tasksStream", "/sse", "Task updates as an event stream", STREAM)
            .sends(events())
            .sends([closing()])
            .security(SECURITY),
    );
    document
}

/// What comes on either channel.
fn events() -> [Message; 4] {
    let ann = UserId::new("user-123").expect("Invariant: a short word is a user id");
    let task = object()
        .description(Some(
            "The task's event as it was published: its keys, their order and its numbers.",
        ))
        .property("user_id", anything())
        .property("event_type", string())
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)));
    [
        Message::new(
            "connected",
            "The first message: who the connection belongs to.",
            Ref::from_schema_name(Welcome::name()),
            example(&welcome(&ann, NOW)),
        ),
        Message::new(
            "taskUpdate",
            "Something happened to a task of the user.",
            event_schema(word(TASK_UPDATE), task),
            of_event(
                TASK_UPDATE,
                r#"{"event_type":"task.created","user_id":"user-123","task_id":"456","title":"New Task","timestamp":"2026-02-07T12:00:00.000Z"}"#,
            ),
        ),
        Message::new(
            "event",
            "Anything else that was published to the user's room.",
            event_schema(but(string(), &TYPES), anything()),
            of_event("announcement", r#"{"text":"Maintenance tonight"}"#),
        ),
        Message::new(
            "gap",
            "Events were dropped here, because the client did not keep up; in rooms of the class *drop oldest* alone.",
            Ref::from_schema_name(Gap::name()),
            example(&EventEncoding.gap(17, NOW)),
        ),
    ]
}

/// An event as the gateway writes it.
fn of_event(kind: &str, data: &str) -> Box<RawValue> {
    let event = Event {
        id: EventId::generate(),
        rooms: Vec::new(),
        kind: kind.into(),
        name: None,
        key: None,
        data: raw(data),
        time: NOW,
        gateways: Gateways::only(Gateway::Tasks),
        exclude: Vec::new(),
        source: "example".into(),
    };
    let frame = EventEncoding.frame(&event);
    example(&frame.expect("Invariant: the gateway has a form for every event"))
}
