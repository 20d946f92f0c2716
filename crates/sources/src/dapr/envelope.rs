//! Taking a delivery apart: Dapr has a form of its own beside those of all requests.

use super::bulk::{self, Entry};
use crate::Received;
use crate::envelope::unlabelled;
use crate::request::{self, BatchEvent, Brought};
use axum::http::HeaderMap;

/// A delivery by its form.
pub(super) enum Envelope<'a> {
    One(Received<'a>),
    /// `application/cloudevents-batch+json`
    Batch(Vec<BatchEvent<'a>>),
    /// Dapr's bulk subscription
    Bulk(Vec<Entry<'a>>),
}

/// Finds out the form of a request and reads it.
pub(super) fn open<'a>(headers: &HeaderMap, body: &'a [u8]) -> Envelope<'a> {
    match request::open(headers, body) {
        Brought::One(received) => Envelope::One(received),
        Brought::Batch(events) => Envelope::Batch(events),
        Brought::Unlabelled(body) => match bulk::entries(body) {
            Some(entries) => Envelope::Bulk(entries),
            None => Envelope::One(unlabelled(body)),
        },
    }
}
