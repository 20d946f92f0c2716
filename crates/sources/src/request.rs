//! A request that brings events, by any of HTTP's modes for `CloudEvents` or without one.

use crate::envelope::structured;
use crate::{DropReason, Received};
use axum::http::{HeaderMap, HeaderName, header};
use serde_json::value::RawValue;
use tidings_wire::cloudevents::{BATCH_EVENTS_MAX, CloudEvent, Mode, has_required_headers};
use tidings_wire::json::first_items;

/// What a request brings.
pub(crate) enum Brought<'a> {
    One(Received<'a>),
    /// `application/cloudevents-batch+json`
    Batch(Vec<BatchEvent<'a>>),
    /// It does not say.
    Unlabelled(&'a [u8]),
}

/// One event of a batch, as it was sent.
pub(crate) struct BatchEvent<'a>(&'a RawValue);

impl BatchEvent<'_> {
    pub(crate) fn structured(&self) -> Received<'_> {
        structured(self.bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.get().as_bytes()
    }
}

/// Finds out the mode of a request and reads it.
pub(crate) fn open<'a>(headers: &HeaderMap, body: &'a [u8]) -> Brought<'a> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    match Mode::detect(
        content_type,
        has_required_headers(headers.keys().map(HeaderName::as_str)),
    ) {
        Mode::Batch => batch(body),
        Mode::Structured => Brought::One(structured(body)),
        Mode::Binary => Brought::One(binary(headers, content_type, body)),
        Mode::Bare => Brought::Unlabelled(body),
    }
}

fn binary<'a>(headers: &HeaderMap, content_type: Option<&str>, body: &'a [u8]) -> Received<'a> {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    match CloudEvent::from_binary_headers(headers, content_type, body) {
        Ok(event) => Received::CloudEvent(event),
        Err(_) => Received::Unreadable(DropReason::Mislabelled),
    }
}

fn batch(body: &[u8]) -> Brought<'_> {
    let events = std::str::from_utf8(body)
        .ok()
        .and_then(|json| first_items(json, BATCH_EVENTS_MAX));
    match events {
        None => Brought::One(Received::Unreadable(DropReason::Mislabelled)),
        Some((_, true)) => Brought::One(Received::Unreadable(DropReason::TooLarge)),
        Some((events, false)) => Brought::Batch(events.into_iter().map(BatchEvent).collect()),
    }
}
