mod assembling;
mod decoding;
mod encoding;
mod properties;

use serde_json::value::RawValue;

use super::{Error, Limits, Packet, Payload};

fn decode(text: &str) -> Result<Packet, Error> {
    Packet::decode(text, &Limits::default())
}

fn raw(json: &str) -> Box<RawValue> {
    serde_json::from_str(json).expect(json)
}

/// A payload on one line: `-`, `value <json>`, `event <name> <args>` or `ack <args>`.
fn describe(payload: &Payload) -> String {
    let join = |items: &[Box<RawValue>]| items.iter().map(|item| item.get()).collect::<Vec<_>>().join(" ");
    match payload {
        Payload::None => "-".to_owned(),
        Payload::Value(value) => format!("value {value}"),
        Payload::Event { name, args } => format!("event {name} {}", join(args)),
        Payload::Ack(items) => format!("ack {}", join(items)),
    }
}
