//! What clients say.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_access::ROOM_BYTES_MAX;
use tidings_hub::RoomName;
use tidings_transport::openapi::schema::{object, plain, string, word};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::form::Form;

/// A message of a client. Keys that it does not know are ignored.
#[derive(Debug)]
pub(crate) enum ClientMessage<'a> {
    /// Enter a room; without a room, it says so. Whether it is to be shown how the room stands.
    Subscribe(Option<AskedRoom<'a>>, bool),
    /// Leave a room.
    Unsubscribe(Option<AskedRoom<'a>>),
    /// Go on with this token; none if there is no text.
    Refresh(Option<Cow<'a, str>>),
    /// Are you there?
    Ping,
    /// Another type, or none.
    Unknown(Cow<'a, str>),
}

/// A room that a client asks for.
#[derive(Debug)]
pub(crate) struct AskedRoom<'a> {
    /// The JSON that stood there, to be said back as it was.
    pub(crate) sent: &'a RawValue,
    /// The room it names, if it can name one at all.
    pub(crate) name: Option<RoomName>,
}

/// The text is no JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room_id: Option<&'a RawValue>,
}

/// Read for a refresh alone: elsewhere the key is unknown, and ignored whatever it is.
#[derive(Deserialize)]
struct Refresh<'a> {
    #[serde(borrow, default)]
    token: Option<&'a RawValue>,
}

/// Read for a subscription alone, as above.
#[derive(Deserialize)]
struct Catching<'a> {
    #[serde(borrow, default)]
    snapshot: Option<&'a RawValue>,
    #[serde(borrow, default)]
    recover: Option<&'a RawValue>,
}

impl<'a> ClientMessage<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<ClientMessage<'a>, NotJson> {
        // serde would also take an array for a struct.
        if !text.trim_start().starts_with('{') {
            return Err(NotJson);
        }
        let envelope: Envelope<'a> = serde_json::from_str(text).map_err(|_| NotJson)?;
        Ok(ClientMessage::of(kind_of(envelope.kind), envelope.room_id, text))
    }

    /// A message whose type is told beside it, as the name of an event: its members, which may be missing if there are none.
    pub(crate) fn of_event(
        kind: &'a str,
        members: Option<&'a RawValue>,
    ) -> Result<ClientMessage<'a>, NotJson> {
        let text = members.map_or("{}", RawValue::get);
        if !text.starts_with('{') {
            return Err(NotJson);
        }
        let envelope: Envelope<'a> = serde_json::from_str(text).map_err(|_| NotJson)?;
        Ok(ClientMessage::of(Cow::Borrowed(kind), envelope.room_id, text))
    }

    fn of(kind: Cow<'a, str>, room: Option<&'a RawValue>, text: &'a str) -> ClientMessage<'a> {
        let room = || room.map(AskedRoom::new);
        match &*kind {
            "subscribe" => ClientMessage::Subscribe(room(), wants_snapshot(text)),
            "unsubscribe" => ClientMessage::Unsubscribe(room()),
            "ping" => ClientMessage::Ping,
            "refresh" => ClientMessage::Refresh(token_of(text)),
            _ => ClientMessage::Unknown(kind),
        }
    }
}

/// The messages that [`ClientMessage::parse`] knows.
pub(crate) mod schemas {
    use super::{Form, ObjectBuilder, ROOM_BYTES_MAX, Schema, Type, object, plain, string, word};

    pub(crate) fn subscribe(form: Form) -> Schema {
        let snapshot = ObjectBuilder::new()
            .schema_type(Type::Boolean)
            .description(Some("Whether to be shown how the room stands before it goes on."));
        let recover = object().description(Some(
            "Where one has come. There are no logs, so it is answered like `snapshot`.",
        ));
        about_room("subscribe", form)
            .property("snapshot", snapshot)
            .property("recover", recover)
            .into()
    }

    pub(crate) fn unsubscribe(form: Form) -> Schema {
        about_room("unsubscribe", form).into()
    }

    pub(crate) fn ping(form: Form) -> Schema {
        of_type("ping", form).into()
    }

    pub(crate) fn refresh(form: Form) -> Schema {
        let token = string().description(Some("Another token of the same user."));
        of_type("refresh", form)
            .property("token", token)
            .required("token")
            .into()
    }

    fn about_room(kind: &str, form: Form) -> ObjectBuilder {
        let room =
            plain(ROOM_BYTES_MAX).description(Some("`execution:ID`, `workflow:ID` or one's own `user:ID`."));
        of_type(kind, form).property("room_id", room).required("room_id")
    }

    /// Over Socket.IO the type is the event's name.
    fn of_type(kind: &str, form: Form) -> ObjectBuilder {
        match form {
            Form::Json => object().property("type", word(kind)).required("type"),
            Form::SocketIo => object(),
        }
    }
}

impl<'a> AskedRoom<'a> {
    fn new(sent: &'a RawValue) -> AskedRoom<'a> {
        let name = serde_json::from_str::<Text<'a>>(sent.get()).ok();
        AskedRoom {
            sent,
            name: name.and_then(|name| RoomName::new(&name.0).ok()),
        }
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// `"snapshot": true`. Who asks for a recovery, for which there are no logs, is shown how the room stands instead.
fn wants_snapshot(text: &str) -> bool {
    let Ok(Catching { snapshot, recover }) = serde_json::from_str(text) else {
        return false;
    };
    snapshot.is_some_and(|snapshot| snapshot.get() == "true")
        || recover.is_some_and(|recover| recover.get().starts_with('{'))
}

fn token_of(text: &str) -> Option<Cow<'_, str>> {
    let Refresh { token } = serde_json::from_str(text).ok()?;
    Some(serde_json::from_str::<Text<'_>>(token?.get()).ok()?.0)
}

/// The type as text; what is no string is shown as the JSON it is.
fn kind_of(kind: Option<&RawValue>) -> Cow<'_, str> {
    let Some(kind) = kind else {
        return Cow::Borrowed("null");
    };
    serde_json::from_str::<Text<'_>>(kind.get()).map_or(Cow::Borrowed(kind.get()), |text| text.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short form of what was understood.
    fn understood(text: &str) -> String {
        let room = |room: Option<AskedRoom<'_>>| match room {
            None => "-".to_owned(),
            Some(AskedRoom { sent, name: None }) => format!("?{}", sent.get()),
            Some(AskedRoom { name: Some(name), .. }) => name.to_string(),
        };
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Subscribe(asked, false)) => format!("subscribe {}", room(asked)),
            Ok(ClientMessage::Subscribe(asked, true)) => format!("show {}", room(asked)),
            Ok(ClientMessage::Unsubscribe(asked)) => format!("unsubscribe {}", room(asked)),
            Ok(ClientMessage::Refresh(token)) => format!("refresh {}", token.as_deref().unwrap_or("-")),
            Ok(ClientMessage::Ping) => "ping".to_owned(),
            Ok(ClientMessage::Unknown(kind)) => format!("unknown {kind}"),
            Err(NotJson) => "no json".to_owned(),
        }
    }

    #[test]
    fn table() {
        let long = format!(r#"{{"type":"subscribe","room_id":"{}"}}"#, "x".repeat(257));
        let table = [
            (
                r#"{"type":"subscribe","room_id":"execution:1"}"#,
                "subscribe execution:1",
            ),
            (
                r#" {"room_id" : "a\u003ab", "type":"subscribe", "more": [{}]} "#,
                "subscribe a:b",
            ),
            (
                r#"{"type":"unsubscribe","room_id":"workflow:1"}"#,
                "unsubscribe workflow:1",
            ),
            (r#"{"type":"subscribe","room_id":"a","snapshot":true}"#, "show a"),
            (r#"{"snapshot" : true,"type":"subscribe"}"#, "show -"),
            (
                r#"{"type":"subscribe","room_id":"a","recover":{"epoch":"e","offset":1}}"#,
                "show a",
            ),
            (
                r#"{"type":"subscribe","room_id":"a","snapshot":false,"recover":null}"#,
                "subscribe a",
            ),
            (
                r#"{"type":"subscribe","room_id":"a","snapshot":"true"}"#,
                "subscribe a",
            ),
            (
                r#"{"type":"subscribe","room_id":"a","snapshot":true,"snapshot":true}"#,
                "subscribe a",
            ),
            (r#"{"type":"subscribe"}"#, "subscribe -"),
            (r#"{"type":"subscribe","room_id":null}"#, "subscribe -"),
            (r#"{"type":"subscribe","room_id":7}"#, "subscribe ?7"),
            (r#"{"type":"subscribe","room_id":""}"#, r#"subscribe ?"""#),
            (
                r#"{"type":"subscribe","room_id":"a\u0000"}"#,
                r#"subscribe ?"a\u0000""#,
            ),
            (
                r#"{"type":"subscribe","room_id":"\ud800"}"#,
                r#"subscribe ?"\ud800""#,
            ),
            (r#"{"type":"refresh","token":"a.b.c"}"#, "refresh a.b.c"),
            (r#"{"token":"a\u002eb","type":"refresh"}"#, "refresh a.b"),
            (r#"{"type":"refresh"}"#, "refresh -"),
            (r#"{"type":"refresh","token":null}"#, "refresh -"),
            (r#"{"type":"refresh","token":["a"]}"#, "refresh -"),
            (r#"{"type":"refresh","token":"a","token":"b"}"#, "refresh -"),
            (r#"{"type":"ping","token":"a","token":"b"}"#, "ping"),
            (r#"{"type":"ping"}"#, "ping"),
            (r#"{"type":"p\u0069ng","room_id":{}}"#, "ping"),
            (r#"{"type":"Ping"}"#, "unknown Ping"),
            (r#"{"type":7}"#, "unknown 7"),
            (r#"{"type":null}"#, "unknown null"),
            ("{}", "unknown null"),
            ("ping", "no json"),
            ("", "no json"),
            ("{", "no json"),
            ("[]", "no json"),
            (r#"["ping"]"#, "no json"),
            ("null", "no json"),
            ("7", "no json"),
            (r#""ping""#, "no json"),
            (r#"{"type":"ping"} x"#, "no json"),
        ];
        for (text, expected) in table {
            assert_eq!(understood(text), expected, "{text}");
        }
        assert!(understood(&long).starts_with("subscribe ?"));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!(
            r#"{{"type":"ping","x":{}1{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(understood(&deep), "ping");
    }
}
