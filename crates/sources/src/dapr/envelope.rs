//! Taking a delivery apart: which of its many forms it is in.

use super::bulk::{self, Entry};
use crate::envelope::{structured, unlabelled};
use crate::json::items;
use crate::{DropReason, Received};
use axum::http::{HeaderMap, HeaderName, header};
use serde_json::value::RawValue;
use tidings_wire::cloudevents::{BATCH_EVENTS_MAX, CloudEvent, Mode, has_required_headers};

/// A delivery by its form.
pub(super) enum Envelope<'a> {
    One(Received),
    /// `application/cloudevents-batch+json`
    Batch(Vec<BatchEvent<'a>>),
    /// Dapr's bulk subscription
    Bulk(Vec<Entry<'a>>),
}

/// One event of a batch, as it was sent.
pub(super) struct BatchEvent<'a>(&'a RawValue);

impl BatchEvent<'_> {
    pub(super) fn structured(&self) -> Received {
        structured(self.bytes())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.get().as_bytes()
    }
}

/// Finds out the form of a request and reads it.
pub(super) fn open<'a>(headers: &HeaderMap, body: &'a [u8]) -> Envelope<'a> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    match Mode::detect(
        content_type,
        has_required_headers(headers.keys().map(HeaderName::as_str)),
    ) {
        Mode::Batch => batch(body),
        Mode::Structured => Envelope::One(structured(body)),
        Mode::Binary => Envelope::One(binary(headers, content_type, body)),
        Mode::Bare => match bulk::entries(body) {
            Some(entries) => Envelope::Bulk(entries),
            None => Envelope::One(unlabelled(body)),
        },
    }
}

fn binary(headers: &HeaderMap, content_type: Option<&str>, body: &[u8]) -> Received {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    match CloudEvent::from_binary_headers(headers, content_type, body) {
        Ok(event) => Received::CloudEvent(Box::new(event)),
        Err(_) => Received::Unreadable(DropReason::Mislabelled),
    }
}

fn batch(body: &[u8]) -> Envelope<'_> {
    let events = std::str::from_utf8(body)
        .ok()
        .and_then(|json| items(json, BATCH_EVENTS_MAX));
    match events {
        None => Envelope::One(Received::Unreadable(DropReason::Mislabelled)),
        Some((_, true)) => Envelope::One(Received::Unreadable(DropReason::TooLarge)),
        Some((events, false)) => Envelope::Batch(events.into_iter().map(BatchEvent).collect()),
    }
}
