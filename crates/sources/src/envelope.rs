//! Reading an event that came as JSON.

use crate::json::members;
use crate::{DropReason, Received};
use tidings_wire::cloudevents::{CloudEvent, Data};

/// What must be a `CloudEvent`.
pub(crate) fn structured(json: &[u8]) -> Received {
    match CloudEvent::from_structured(json) {
        Ok(event) => Received::CloudEvent(Box::new(event)),
        Err(_) => Received::Unreadable(DropReason::Mislabelled),
    }
}

/// What does not say what it is: a `CloudEvent` if it looks like one, data otherwise.
pub(crate) fn unlabelled(json: &[u8]) -> Received {
    let attributes = std::str::from_utf8(json)
        .ok()
        .and_then(|json| members(json, ["specversion", "id", "source", "type"]).ok());
    match attributes {
        Some(attributes) if attributes.iter().all(Option::is_some) => structured(json),
        _ => Received::Bare(Data::Binary(json.to_owned())),
    }
}
