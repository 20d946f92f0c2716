//! Reading an event that came as JSON.

use crate::{DropReason, Received};
use tidings_wire::cloudevents::{CloudEvent, Data};
use tidings_wire::json::members;

/// What must be a `CloudEvent`.
pub(crate) fn structured(json: &[u8]) -> Received<'_> {
    match CloudEvent::from_structured(json) {
        Ok(event) => Received::CloudEvent(event),
        Err(_) => Received::Unreadable(DropReason::Mislabelled),
    }
}

/// What does not say what it is: a `CloudEvent` if it has all that makes one, data otherwise.
pub(crate) fn unlabelled(json: &[u8]) -> Received<'_> {
    // As an event first, which most are: that spares a look.
    match CloudEvent::from_structured(json) {
        Ok(event) => Received::CloudEvent(event),
        Err(_) if has_required_members(json) => Received::Unreadable(DropReason::Mislabelled),
        Err(_) => Received::Bare(Data::Binary(json.into())),
    }
}

fn has_required_members(json: &[u8]) -> bool {
    let required = ["specversion", "id", "source", "type"];
    let found = std::str::from_utf8(json)
        .ok()
        .and_then(|json| members(json, required));
    found.is_some_and(|members| members.iter().all(Option::is_some))
}
