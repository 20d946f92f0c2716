//! Reading a record: a `CloudEvent` in structured or binary mode, what Dapr wrote, or plain JSON.
//!
//! By the Kafka binding of `CloudEvents` 1.0.2. Dapr writes structured events without the header that says so.

use crate::envelope::{structured, unlabelled};
use crate::{DropReason, Received};
use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tidings_wire::cloudevents::{CloudEvent, Mode, has_required_record_headers};

/// What can be made of a record of at most so many bytes.
pub(super) fn of<'a>(record: &'a BorrowedMessage<'_>, record_bytes_max: usize) -> Received<'a> {
    let value = record.payload().unwrap_or_default();
    if value.len() > record_bytes_max {
        return Received::Unreadable(DropReason::TooLarge);
    }
    let Some(headers) = record.headers() else {
        return unlabelled(value);
    };
    match pairs(headers) {
        Some(headers) => received(|| headers.iter().copied(), value),
        None => Received::Unreadable(DropReason::Mislabelled),
    }
}

/// Names and values of headers that have one. `None` if a name is no UTF-8: there rdkafka 0.39 panics, and a record that anybody
/// may write would end the source.
pub(crate) fn pairs(headers: &BorrowedHeaders) -> Option<Vec<(&str, &[u8])>> {
    let read = || {
        let pairs = headers
            .iter()
            .filter_map(|header| Some((header.key, header.value?)));
        pairs.collect()
    };
    catch_unwind(AssertUnwindSafe(read)).ok()
}

/// The same by its headers and its value.
pub(crate) fn received<'a, I>(headers: impl Fn() -> I, value: &'a [u8]) -> Received<'a>
where
    I: Iterator<Item = (&'a str, &'a [u8])>,
{
    let content_type = headers()
        .find(|(name, _)| *name == "content-type")
        .and_then(|(_, value)| std::str::from_utf8(value).ok());
    let has_attributes = has_required_record_headers(headers().map(|(name, _)| name));
    match Mode::detect(content_type, has_attributes) {
        // The binding knows no batches.
        Mode::Batch => Received::Unreadable(DropReason::Mislabelled),
        Mode::Structured => structured(value),
        Mode::Binary => match CloudEvent::from_record_headers(headers(), content_type, value) {
            Ok(event) => Received::CloudEvent(event),
            Err(_) => Received::Unreadable(DropReason::Mislabelled),
        },
        Mode::Bare => unlabelled(value),
    }
}
