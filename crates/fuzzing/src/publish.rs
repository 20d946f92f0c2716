//! The body of a publish.

#[path = "../../tidings/src/operators/field.rs"]
#[expect(dead_code, reason = "the batch route needs more of it")]
mod field;
// The reader belongs to a program and not to a library.
#[path = "../../tidings/src/operators/request.rs"]
mod request;

use serde_json::Value;
use tidings_hub::{Gateway, RoomName};
use tidings_wire::json::minify;
use tidings_wire::time::Timestamp;

use crate::members::Members;
use request::PublishRequest;

/// What was read is, written anew, read the same.
pub(crate) fn run(body: &[u8]) {
    const FIELDS: [&str; 10] = [
        "body",
        "room",
        "rooms",
        "kind",
        "event",
        "key",
        "data",
        "gateways",
        "exclude",
        "idempotency_key",
    ];
    let now = Timestamp::from_millis(0);
    let PublishRequest {
        event,
        idempotency_key,
    } = match PublishRequest::read(body, now) {
        Ok(request) => request,
        Err(refusal) => return assert!(FIELDS.contains(&refusal.field), "{refusal}"),
    };
    assert_eq!(minify(&event.data), event.data.get(), "white space");
    assert!((1..=100).contains(&event.rooms.len()) && event.exclude.len() <= 1_000);
    if let Some(members) = Members::read(body) {
        let data = serde_json::from_str(event.data.get()).ok();
        assert_eq!(data.as_ref(), members.get("data"));
        assert_eq!(members.get("kind").and_then(Value::as_str), Some(&*event.kind));
    }

    let gateways: Vec<_> = Gateway::ALL
        .into_iter()
        .filter(|gateway| event.gateways.contains(*gateway))
        .map(Gateway::as_str)
        .collect();
    let again = serde_json::json!({
        "rooms": event.rooms.iter().map(RoomName::as_str).collect::<Vec<_>>(),
        "kind": &*event.kind,
        "event": event.name,
        "key": event.key,
        "gateways": gateways,
        "exclude": event.exclude.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "idempotency_key": idempotency_key,
    });
    // The data may be nested more deeply than a value.
    let again = format!("{{\"data\":{},{}", event.data.get(), &again.to_string()[1..]);
    let again = PublishRequest::read(again.as_bytes(), now).expect("what is written can be read");
    assert_eq!(again.idempotency_key, idempotency_key);
    let again = again.event;
    assert_eq!(
        (
            &again.rooms,
            &again.kind,
            &again.name,
            &again.key,
            again.data.get()
        ),
        (
            &event.rooms,
            &event.kind,
            &event.name,
            &event.key,
            event.data.get()
        )
    );
    assert_eq!(again.exclude, event.exclude);
    assert!(
        Gateway::ALL
            .iter()
            .all(|gateway| again.gateways.contains(*gateway) == event.gateways.contains(*gateway))
    );
}
