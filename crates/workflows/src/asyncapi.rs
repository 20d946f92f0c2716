//! The AsyncAPI document: what is said on `/api/v1/ws`, `/api/v1/sse` and Socket.IO's namespace `/workflows`.

use serde_json::value::RawValue;
use tidings_hub::{ConnectionId, Encoding, Event, EventId, Gateway, Gateways};
use tidings_store::{ExecutionStatus, WorkflowChange};
use tidings_transport::asyncapi::{Channel, Document, Message, Request, closing, example, raw};
use tidings_transport::openapi::schema::{anything, but, object, or_null, string, word, words};
use tidings_transport::openapi::{BEARER_TOKEN, CONNECT_TOKEN, QUERY_TOKEN};
use tidings_wire::close_code::CloseCode;
use tidings_wire::socketio::RESERVED_EVENTS;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, ToSchema};

use crate::encoding::{Gap, frame, frame_schema};
use crate::form::{Form, NAMESPACE};
use crate::frames::{self, Frames, RoomText, UNKNOWN_TYPE, about_message, about_room};
use crate::handshake::Warned;
use crate::messages::schemas;
use crate::socketio::{RefusalData, refusal};
use crate::sse::Rooms;
use crate::updates::{
    EXECUTION_UPDATE, ExecutionEnd, ExecutionUpdate, NODE_UPDATE, NOTIFICATION, NodeUpdate, STATUS_CHANGED,
    WORKFLOW_UPDATE, WorkflowUpdate, end_name,
};

const ABOUT: &str = "\
What happens to workflows and executions, live. The server is the one that this document was read from, and addresses are \
paths on it.

A connection is in the room of its user, `user:ID`, from its first moment, and enters others if it may: `execution:ID` and \
`workflow:ID`. A room that one may not enter and one that does not exist are answered alike. A token is needed and must have an \
expiry; some time after that the connection is closed with 4408, unless another token came in between.

Keys are exactly these, in the order of the examples. Unknown keys of a client's messages are ignored.";

const SOCKET: &str = "\
A WebSocket. Messages are text; a binary message is read like text. Messages of a client are answered in their order, and it \
may send before it has read the first ones of the server.";
const SOCKET_IO: &str = "\
Socket.IO 5 over Engine.IO 4; the namespace stands in `x-socket.io`. A message is an event: its `name` is the event's name, which is \
the `type`, and its payload the event's one argument. A client may also send the event `message` with a whole message of the WebSocket, \
or its text. A client that asks for an acknowledgement gets the answer there, too; of a subscription with a state the last one. A CONNECT \
that is refused is answered with a packet CONNECT_ERROR.

A revoked token (4403) is told by leaving the namespace before the transport is closed, so that the stock client stops. Close \
codes are those of the WebSocket; on polling the session ends with a packet `1`.";
const STREAM: &str = "\
An event stream (`text/event-stream`): each message is the `data` of an event without a name, but for `close`, which has its \
name. `retry` lines say when to come back, comments are signs of life. The rooms are those of the query.";
const SECURITY: [&str; 2] = [BEARER_TOKEN, QUERY_TOKEN];
const JSON: Frames = Frames::new(Form::Json);
const NOW: Timestamp = Timestamp::from_millis(1_770_465_600_000);
const ROOM: &str = "execution:123e4567-e89b-12d3-a456-426614174000";
const EXECUTION: &str = "123e4567-e89b-12d3-a456-426614174000";
/// What the tasks gateway alone asks for.
const NEVER: &[CloseCode] = &[
    CloseCode::MissingUserId,
    CloseCode::InvalidUserId,
    CloseCode::BadRequest,
];

/// The types of frames that are no event's, or of events of this gateway's own.
const TYPES: [&str; 11] = [
    EXECUTION_UPDATE,
    NODE_UPDATE,
    WORKFLOW_UPDATE,
    NOTIFICATION,
    "connection",
    "subscription",
    "pong",
    "error",
    "gap",
    "expiring",
    "refreshed",
];

/// What a stream takes in its query.
enum StreamQuery {}

impl IntoParams for StreamQuery {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = Rooms::into_params(&place);
        parameters.extend(Warned::into_params(&place));
        parameters
    }
}

/// The AsyncAPI document of the gateway.
pub fn asyncapi() -> Document {
    let mut document = Document::new("workflows", env!("CARGO_PKG_VERSION"), ABOUT);
    document.add_tokens();
    document.add_connect_token();
    document.collect::<frames::Connected>();
    document.collect::<frames::Subscribed<'_>>();
    document.collect::<frames::Unsubscribed<'_>>();
    document.collect::<frames::SnapshotTaken<'_>>();
    document.collect::<frames::Pong>();
    document.collect::<frames::Expiring>();
    document.collect::<frames::Refreshed>();
    document.collect::<Gap>();
    document.collect::<RefusalData>();
    document.collect::<ExecutionUpdate<'_>>();
    document.collect::<NodeUpdate<'_>>();
    document.collect::<WorkflowUpdate<'_>>();
    document.collect::<ExecutionEnd<'_>>();
    document.add(
        Channel::websocket::<Warned>("workflows", "/api/v1/ws", "Workflow updates", SOCKET)
            .sends(said())
            .sends(events())
            .sends(answers())
            .sends(errors())
            .receives(requests(Form::Json))
            .security(SECURITY)
            .closes_with_all_but(NEVER),
    );
    let all = said()
        .into_iter()
        .chain(events())
        .chain(answers())
        .chain(errors());
    document.add(
        Channel::socket_io(
            "workflowsSocketIo",
            NAMESPACE,
            "Workflow updates over Socket.IO",
            SOCKET_IO,
        )
        .scope("workflowsSocketIo")
        .sends(all.map(as_event))
        .sends([refused()])
        .receives(requests(Form::SocketIo))
        .security([BEARER_TOKEN, CONNECT_TOKEN])
        .closes_with_all_but(NEVER),
    );
    document.add(
        Channel::stream::<StreamQuery>(
            "workflowsStream",
            "/api/v1/sse",
            "Workflow updates as an event stream",
            STREAM,
        )
        .sends(said())
        .sends(events())
        .sends([closing()])
        .security(SECURITY),
    );
    document
}

fn of<T: ToSchema>(id: &'static str, about: &'static str, frame: &Frame) -> Message {
    Message::new(id, about, Ref::from_schema_name(T::name()), example(frame))
}

/// What the server says on its own account, on either channel.
fn said() -> [Message; 5] {
    let id: ConnectionId = "8b5e8f0a-3c6b-4f0e-9d55-1d3c6f0b7a11"
        .parse()
        .expect("Invariant: it is a UUID");
    [
        of::<frames::Connected>("connected", "The first message.", &JSON.connected(id, NOW)),
        of::<frames::Subscribed<'_>>(
            "subscribed",
            "The connection is in the room: the second message for the user's own, and the answer to `subscribe`.",
            &JSON.subscribed(RoomText::Name(ROOM), NOW),
        ),
        of::<frames::Unsubscribed<'_>>(
            "unsubscribed",
            "The connection is not in the room: the answer to `unsubscribe` or, without one, the room is lost.",
            &JSON.unsubscribed(RoomText::Name(ROOM), NOW),
        ),
        of::<frames::Expiring>(
            "expiring",
            "The token expires in 60 s, or sooner; to who opened with `warn=1`.",
            &JSON.expiring(NOW),
        ),
        of::<Gap>(
            "gap",
            "Events were dropped here, because the client did not keep up; in rooms of the class *drop oldest* alone.",
            &Form::Json.gap(17, NOW),
        ),
    ]
}

/// What a client is answered.
fn answers() -> [Message; 3] {
    [
        of::<frames::SnapshotTaken<'_>>(
            "snapshotTaken",
            "Behind a room's state: what follows is live.",
            &JSON.snapshot_taken(RoomText::Name(ROOM), 0, NOW),
        ),
        of::<frames::Pong>("pong", "The answer to `ping`.", &JSON.pong(NOW)),
        of::<frames::Refreshed>(
            "refreshed",
            "The connection rests on the new token.",
            &JSON.refreshed(NOW),
        ),
    ]
}

fn errors() -> [Message; 8] {
    let room = RoomText::Name(ROOM);
    let about_room = |id, about, text, frame: Frame| {
        // As it was sent, whatever that was.
        let payload = object()
            .property("type", word("error"))
            .required("type")
            .property("message", word(text))
            .required("message")
            .property("room_id", anything())
            .required("room_id");
        Message::new(id, about, payload, example(&frame))
    };
    let about_message = |id, about, text: Schema, frame: Frame| {
        let payload = object()
            .property("type", word("error"))
            .required("type")
            .property("message", text)
            .required("message");
        Message::new(id, about, payload, example(&frame))
    };
    let unknown = string().pattern(Some(format!("^{UNKNOWN_TYPE}")));
    [
        about_room(
            "accessDenied",
            "The user may not enter the room, or there is none.",
            about_room::ACCESS_DENIED,
            JSON.access_denied(room),
        ),
        about_room(
            "tooManyRooms",
            "The connection, or the user, is in as many rooms as it may be.",
            about_room::TOO_MANY,
            JSON.too_many_rooms(room),
        ),
        about_room(
            "snapshotNotAvailable",
            "The room is entered, but how it stands cannot be told at present.",
            about_room::NO_SNAPSHOT,
            JSON.no_snapshot(room),
        ),
        about_message(
            "missingRoomId",
            "The message names no room.",
            word(about_message::MISSING_ROOM_ID).into(),
            JSON.missing_room_id(),
        ),
        about_message(
            "invalidToken",
            "The token is not taken; the connection goes on with the one that it has.",
            word(about_message::INVALID_TOKEN).into(),
            JSON.invalid_token(),
        ),
        about_message(
            "rateLimited",
            "The user sends too much: the message was not handled, and the connection is closed with 4429 if it goes on.",
            word(about_message::RATE_LIMITED).into(),
            JSON.rate_limited(),
        ),
        about_message(
            "invalidJson",
            "The message is no JSON object.",
            word(about_message::INVALID_JSON).into(),
            JSON.invalid_json(),
        ),
        about_message(
            "unknownType",
            "The message's type is none of these; at most 256 bytes of it are said back.",
            unknown.into(),
            JSON.unknown_type("dance"),
        ),
    ]
}

fn events() -> [Message; 6] {
    let of_type = |name: &str| Ref::from_schema_name(name);
    let ends = ExecutionStatus::ALL
        .into_iter()
        .filter(|status| status.is_terminal())
        .map(end_name);
    let ends: Vec<String> = ends.collect();
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    let event = |id, about, (kind, name, data): (Schema, Schema, RefOr<Schema>), frame: Box<RawValue>| {
        Message::new(id, about, frame_schema(kind, name, data), frame)
    };
    [
        event(
            "executionUpdate",
            "How an execution stands: to `execution:ID`, and in its state.",
            (
                word(EXECUTION_UPDATE).into(),
                word(STATUS_CHANGED).into(),
                of_type(&ExecutionUpdate::name()).into(),
            ),
            published(
                EXECUTION_UPDATE,
                STATUS_CHANGED,
                &format!(
                    r#"{{"execution_id":"{EXECUTION}","status":"running","progress_percentage":45.5,"completed_nodes":3,"total_nodes":7,"current_node":"node-3"}}"#
                ),
            ),
        ),
        event(
            "nodeUpdate",
            "How a node of an execution stands: to `execution:ID`, and in its state.",
            (
                word(NODE_UPDATE).into(),
                word(STATUS_CHANGED).into(),
                of_type(&NodeUpdate::name()).into(),
            ),
            published(
                NODE_UPDATE,
                STATUS_CHANGED,
                &format!(
                    r#"{{"execution_id":"{EXECUTION}","node_execution_id":"abc-def-ghi","node_id":"node-1","node_name":"Customer Support Agent","status":"running","message":"Processing customer inquiry..."}}"#
                ),
            ),
        ),
        event(
            "workflowUpdate",
            "What became of a workflow: to `workflow:ID`.",
            (
                word(WORKFLOW_UPDATE).into(),
                words(WorkflowChange::ALL.map(WorkflowChange::as_str)).into(),
                of_type(&WorkflowUpdate::name()).into(),
            ),
            published(
                WORKFLOW_UPDATE,
                WorkflowChange::Updated.as_str(),
                r#"{"workflow_id":"w1","name":"Support","data":{"nodes":7}}"#,
            ),
        ),
        event(
            "executionEnded",
            "An execution has ended: to its owner, `user:ID`.",
            (
                word(NOTIFICATION).into(),
                words(ends.iter().copied()).into(),
                of_type(&ExecutionEnd::name()).into(),
            ),
            published(
                NOTIFICATION,
                &end_name(ExecutionStatus::Completed),
                &format!(
                    r#"{{"execution_id":"{EXECUTION}","workflow_id":"w1","status":"completed","message":null}}"#
                ),
            ),
        ),
        event(
            "notification",
            "What the application tells a user: to `user:ID`.",
            (
                word(NOTIFICATION).into(),
                but(string(), &ends).into(),
                anything().into(),
            ),
            published(NOTIFICATION, "invited", r#"{"by":"ann"}"#),
        ),
        event(
            "event",
            "Anything else that was published to a room of the connection; `event` is null where it has no name.",
            (
                but(string(), &TYPES).into(),
                or_null(string()).into(),
                anything().into(),
            ),
            published("announcement", "planned", r#"{"text":"Maintenance tonight"}"#),
        ),
    ]
}

fn requests(form: Form) -> [Request; 4] {
    let example = |kind: &str, members: &str| {
        let separator = if members.is_empty() { "" } else { "," };
        match form {
            Form::Json => raw(&format!(r#"{{"type":"{kind}"{separator}{members}}}"#)),
            Form::SocketIo => raw(&format!("{{{members}}}")),
        }
    };
    let room = format!(r#""room_id":"{ROOM}""#);
    let token = r#""token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl""#;
    [
        Message::new(
            "subscribe",
            "Enter a room and, with `snapshot`, be shown how it stands: `subscribed`, the state as `executionUpdate` and `nodeUpdate`s, \
             `snapshotTaken`.",
            schemas::subscribe(form),
            example("subscribe", &format!(r#"{room},"snapshot":true"#)),
        )
        .answered(&[
            "subscribed",
            "snapshotTaken",
            "snapshotNotAvailable",
            "accessDenied",
            "tooManyRooms",
            "missingRoomId",
            "rateLimited",
        ]),
        Message::new(
            "unsubscribe",
            "Leave a room.",
            schemas::unsubscribe(form),
            example("unsubscribe", &room),
        )
        .answered(&["unsubscribed", "missingRoomId", "rateLimited"]),
        Message::new("ping", "Are you there?", schemas::ping(form), example("ping", ""))
            .answered(&["pong", "rateLimited"]),
        Message::new(
            "refresh",
            "Go on with another token.",
            schemas::refresh(form),
            example("refresh", token),
        )
        .answered(&["refreshed", "invalidToken", "rateLimited"]),
    ]
}

/// A message of the WebSocket as the event of its type.
fn as_event(message: Message) -> Message {
    let sent = message.example().get().to_owned();
    let name = TYPES
        .into_iter()
        .find(|name| sent.starts_with(&format!(r#"{{"type":"{name}""#)));
    match name {
        Some(name) => message.named(name),
        None => message
            .named("*")
            .other_than(&[&TYPES[..], &RESERVED_EVENTS[..]].concat()),
    }
}

fn refused() -> Message {
    let payload = object()
        .property("message", string())
        .required("message")
        .property("data", Ref::from_schema_name(RefusalData::name()));
    let refusal = refusal(CloseCode::InvalidToken);
    let data = refusal
        .data
        .map_or_else(String::new, |data| format!(r#","data":{}"#, data.get()));
    let example = raw(&format!(r#"{{"message":"{}"{data}}}"#, refusal.message));
    let about = "The token opens nothing, or the namespace is another one: the data of `connect_error`.";
    Message::new("connectionRefused", about, payload, example)
        .named("connect_error")
        .packet("CONNECT_ERROR")
}

/// An event as the gateway writes it.
fn published(kind: &str, name: &str, data: &str) -> Box<RawValue> {
    example(&frame(
        Form::Json,
        &Event {
            id: EventId::generate(),
            rooms: Vec::new(),
            kind: kind.into(),
            name: Some(name.into()),
            key: None,
            data: raw(data),
            time: NOW,
            gateways: Gateways::only(Gateway::Workflows),
            exclude: Vec::new(),
            source: "example".into(),
        },
    ))
}
