//! What a publisher asks for, checked:
//! `{room | rooms, kind, event?, key?, data, gateways?, exclude?, idempotency_key?}`.

use serde_json::value::RawValue;
use tidings_hub::{ConnectionId, Event, EventId, Gateway, Gateways, RoomName};
use tidings_wire::json;
use tidings_wire::socketio::RESERVED_EVENTS;
use tidings_wire::time::Timestamp;

use super::field::{FieldError, Fields};

/// Rooms one event may name.
const ROOMS_MAX: usize = 100;
/// Connections one event may exclude.
const EXCLUDE_MAX: usize = 1_000;
/// Bytes of a kind, an event name, a key or an idempotency key.
const WORD_BYTES_MAX: usize = 256;

const ROOM: &str = "a room name: 1 to 256 bytes without control characters";
const ONE_OF_ROOM_AND_ROOMS: &str = "either `room`, a name, or `rooms`, a list of 1 to 100 names";

/// A request to publish.
#[derive(Debug)]
pub(super) struct PublishRequest {
    /// The event, with its id.
    pub(super) event: Event,
    /// What makes repeating the request harmless.
    pub(super) idempotency_key: Option<Box<str>>,
}

impl PublishRequest {
    /// Reads and checks a request.
    pub(super) fn read(body: &[u8], now: Timestamp) -> Result<Self, FieldError> {
        let fields = Fields::read(body)?;
        let data = fields
            .raw("data")
            .ok_or_else(|| FieldError::new("data", "any JSON value"))?;
        let event = Event {
            id: EventId::generate(),
            rooms: rooms(&fields)?,
            kind: kind(&fields)?.into(),
            name: word(&fields, "event")?,
            key: word(&fields, "key")?,
            data: minified(data)?,
            time: now,
            gateways: gateways(&fields)?,
            exclude: exclude(&fields)?,
            source: "publish".into(),
        };
        Ok(Self {
            event,
            idempotency_key: word(&fields, "idempotency_key")?,
        })
    }
}

fn rooms(fields: &Fields<'_>) -> Result<Vec<RoomName>, FieldError> {
    let room: Option<String> = fields.optional("room", ROOM)?;
    let rooms: Option<Vec<String>> = fields.optional("rooms", ONE_OF_ROOM_AND_ROOMS)?;
    let (field, names) = match (room, rooms) {
        (Some(room), None) => ("room", vec![room]),
        (None, Some(rooms)) if (1..=ROOMS_MAX).contains(&rooms.len()) => ("rooms", rooms),
        (None, Some(_)) => return Err(FieldError::new("rooms", ONE_OF_ROOM_AND_ROOMS)),
        _ => return Err(FieldError::new("room", ONE_OF_ROOM_AND_ROOMS)),
    };
    names
        .iter()
        .map(|name| RoomName::new(name).map_err(|_| FieldError::new(field, ROOM)))
        .collect()
}

fn kind(fields: &Fields<'_>) -> Result<Box<str>, FieldError> {
    let kind = word(fields, "kind")?.ok_or_else(|| expected_word("kind"))?;
    if RESERVED_EVENTS.contains(&&*kind) {
        let reserved = RESERVED_EVENTS.join(", ");
        return Err(FieldError::new(
            "kind",
            format!("none of the names reserved by Socket.IO ({reserved})"),
        ));
    }
    Ok(kind)
}

fn word(fields: &Fields<'_>, field: &'static str) -> Result<Option<Box<str>>, FieldError> {
    let refusal = expected_word(field);
    let word: Option<Box<str>> = fields.optional(field, &refusal.expected)?;
    match word {
        Some(word) if !(1..=WORD_BYTES_MAX).contains(&word.len()) || word.chars().any(char::is_control) => {
            Err(refusal)
        }
        word => Ok(word),
    }
}

fn expected_word(field: &'static str) -> FieldError {
    FieldError::new(field, "text of 1 to 256 bytes without control characters")
}

fn gateways(fields: &Fields<'_>) -> Result<Gateways, FieldError> {
    let expected = "a list of at least one of flow, tasks, workflows";
    let Some(names) = fields.optional::<Vec<String>>("gateways", expected)? else {
        return Ok(Gateways::ALL);
    };
    if names.is_empty() {
        return Err(FieldError::new("gateways", expected));
    }
    names
        .iter()
        .map(|name| {
            name.parse::<Gateway>()
                .map_err(|_| FieldError::new("gateways", expected))
        })
        .collect()
}

fn exclude(fields: &Fields<'_>) -> Result<Vec<ConnectionId>, FieldError> {
    let expected = "a list of at most 1000 connection ids";
    let ids: Vec<String> = fields.optional("exclude", expected)?.unwrap_or_default();
    if ids.len() > EXCLUDE_MAX {
        return Err(FieldError::new("exclude", expected));
    }
    ids.iter()
        .map(|id| id.parse().map_err(|_| FieldError::new("exclude", expected)))
        .collect()
}

/// Without white space: an event is one line wherever lines matter, and no byte is sent in vain.
fn minified(data: &RawValue) -> Result<Box<RawValue>, FieldError> {
    RawValue::from_string(json::minify(data)).map_err(|_| FieldError::new("data", "any JSON value"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<PublishRequest, FieldError> {
        PublishRequest::read(body.to_string().as_bytes(), Timestamp::from_millis(0))
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = json!({"room": "user:1", "kind": "note", "data": 1});
        body[field] = value;
        body
    }

    #[test]
    fn a_full_request_becomes_an_event() {
        let excluded = ConnectionId::generate();
        let body = format!(
            r#" {{"rooms": ["user:1", "user:2"], "kind": "note", "event": "created", "key": "ada", "data": {{ "b" : 1.0, "a": "x y" }},
                "gateways": ["flow", "tasks"], "exclude": ["{excluded}"], "idempotency_key": "k", "other": 1}} "#
        );
        let request = PublishRequest::read(body.as_bytes(), Timestamp::from_millis(7)).unwrap();
        let event = request.event;
        let rooms: Vec<&str> = event.rooms.iter().map(RoomName::as_str).collect();
        assert_eq!(rooms, ["user:1", "user:2"]);
        assert_eq!((&*event.kind, event.name.as_deref()), ("note", Some("created")));
        assert_eq!(event.key.as_deref(), Some("ada"));
        assert_eq!(
            event.data.get(),
            r#"{"b":1.0,"a":"x y"}"#,
            "keys, order and numbers as written, no white space"
        );
        assert!(event.gateways.contains(Gateway::Flow) && !event.gateways.contains(Gateway::Workflows));
        assert_eq!(event.exclude, [excluded]);
        assert_eq!(
            (event.time, &*event.source),
            (Timestamp::from_millis(7), "publish")
        );
        assert_eq!(request.idempotency_key.as_deref(), Some("k"));
    }

    #[test]
    fn the_least_request_reaches_every_gateway() {
        let request = read(&json!({"room": "r", "kind": "k", "data": null})).unwrap();
        assert!(
            Gateway::ALL
                .into_iter()
                .all(|gateway| request.event.gateways.contains(gateway))
        );
        assert_eq!((request.event.data.get(), request.event.name), ("null", None));
        assert_eq!(request.event.key, None);
        assert!(request.event.exclude.is_empty() && request.idempotency_key.is_none());
    }

    #[test]
    fn a_refusal_names_the_field() {
        for (body, field) in [
            (json!([]), "body"),
            (json!({"kind": "k", "data": 1}), "room"),
            (json!({"room": "r", "data": 1}), "kind"),
            (json!({"room": "r", "kind": "k"}), "data"),
            (with("room", json!("")), "room"),
            (with("room", json!(7)), "room"),
            (with("room", json!("a\nb")), "room"),
            (with("room", json!("r".repeat(257))), "room"),
            (with("rooms", json!(["r"])), "room"),
            (json!({"rooms": [], "kind": "k", "data": 1}), "rooms"),
            (json!({"rooms": "r", "kind": "k", "data": 1}), "rooms"),
            (json!({"rooms": ["r", ""], "kind": "k", "data": 1}), "rooms"),
            (json!({"rooms": vec!["r"; 101], "kind": "k", "data": 1}), "rooms"),
            (with("kind", json!(1)), "kind"),
            (with("kind", json!("")), "kind"),
            (with("kind", json!("disconnect")), "kind"),
            (with("event", json!({})), "event"),
            (with("key", json!(1)), "key"),
            (with("key", json!("")), "key"),
            (with("key", json!("a\tb")), "key"),
            (with("key", json!("k".repeat(257))), "key"),
            (with("gateways", json!(["sms"])), "gateways"),
            (with("gateways", json!([])), "gateways"),
            (with("gateways", json!("flow")), "gateways"),
            (with("exclude", json!(["me"])), "exclude"),
            (with("idempotency_key", json!(1)), "idempotency_key"),
            (with("idempotency_key", json!("k".repeat(257))), "idempotency_key"),
        ] {
            assert_eq!(read(&body).unwrap_err().field, field, "{body}");
        }
        assert_eq!(
            PublishRequest::read(b"{", Timestamp::from_millis(0))
                .unwrap_err()
                .field,
            "body"
        );
        assert_eq!(
            PublishRequest::read(b"\xff", Timestamp::from_millis(0))
                .unwrap_err()
                .field,
            "body"
        );
    }
}
