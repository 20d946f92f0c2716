//! Dapr's bulk subscription: many events in one request, each with its own status in the answer.

use super::answer::Status;
use crate::envelope::{structured, unlabelled};
use crate::{DropReason, Received};
use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use tidings_wire::cloudevents::Data;
use tidings_wire::json::{first_items, members, text};
use utoipa::ToSchema;

/// The `type` of the envelope.
const TYPE: &str = "\"com.dapr.event.sent.bulk\"";
/// Entries taken from one request. Dapr sends what it was asked for, 100; entries without an answer are sent again.
const ENTRIES_MAX: usize = 1_000;

/// One event of a bulk delivery.
pub(crate) struct Entry<'a> {
    entry: &'a RawValue,
    id: Option<&'a RawValue>,
    event: Payload<'a>,
    is_cloud_event: bool,
}

/// What an entry has for an event.
enum Payload<'a> {
    Json(Cow<'a, str>),
    /// What was in base64: where the subscription asks for raw payloads.
    Raw(Vec<u8>),
    Text(Cow<'a, str>),
    /// Nothing, or nothing that can be read.
    Unreadable(DropReason),
}

/// What became of the entries of a bulk delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkAnswer)]
pub(super) struct Answer<'a> {
    /// In their order. Entries without an id have no answer.
    statuses: Vec<EntryStatus<'a>>,
}

/// What became of an entry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryStatus<'a> {
    /// As it came.
    #[schema(value_type = Value)]
    entry_id: &'a RawValue,
    /// As of a single delivery.
    status: Status,
}

/// The entries, if the body is a bulk envelope.
pub(super) fn entries(body: &[u8]) -> Option<Vec<Entry<'_>>> {
    let [kind, entries] = members(std::str::from_utf8(body).ok()?, ["type", "entries"])?;
    if kind?.get() != TYPE {
        return None;
    }
    let (entries, _) = first_items(entries?.get(), ENTRIES_MAX)?;
    Some(entries.into_iter().map(Entry::read).collect())
}

/// The answer to a bulk delivery.
pub(super) fn answer(statuses: &[(&Entry<'_>, Status)]) -> Response {
    let statuses = statuses.iter().filter_map(|(entry, status)| {
        entry.id.map(|entry_id| EntryStatus {
            entry_id,
            status: *status,
        })
    });
    Json(Answer {
        statuses: statuses.collect(),
    })
    .into_response()
}

impl<'a> Entry<'a> {
    pub(super) fn read(entry: &'a RawValue) -> Entry<'a> {
        let [id, event, content_type] =
            members(entry.get(), ["entryId", "event", "contentType"]).unwrap_or_default();
        let content_type = content_type.map_or("", RawValue::get).to_ascii_lowercase();
        Entry {
            entry,
            id,
            event: event.map_or(Payload::Unreadable(DropReason::Mislabelled), Payload::read),
            is_cloud_event: content_type.starts_with("\"application/cloudevents"),
        }
    }

    /// An entry that has been here before; `None` if it is no JSON.
    pub(crate) fn from_slice(json: &'a [u8]) -> Option<Entry<'a>> {
        serde_json::from_slice(json).ok().map(Entry::read)
    }

    pub(super) fn original(&self) -> &[u8] {
        self.entry.get().as_bytes()
    }

    pub(crate) fn received(&self) -> Received<'_> {
        match &self.event {
            Payload::Json(json) if self.is_cloud_event => structured(json.as_bytes()),
            Payload::Json(json) => unlabelled(json.as_bytes()),
            Payload::Raw(bytes) => unlabelled(bytes),
            Payload::Text(text) => Received::Bare(Data::Text(Cow::Borrowed(text))),
            Payload::Unreadable(reason) => Received::Unreadable(*reason),
        }
    }
}

impl<'a> Payload<'a> {
    fn read(event: &'a RawValue) -> Payload<'a> {
        let json = event.get();
        if !json.starts_with('"') {
            return Payload::Json(Cow::Borrowed(json));
        }
        let Some(text) = text(event) else {
            return Payload::Unreadable(DropReason::NotJson);
        };
        if text.trim_start().starts_with('{') {
            return Payload::Json(text);
        }
        match STANDARD.decode(&*text) {
            Ok(bytes) => Payload::Raw(bytes),
            Err(_) => Payload::Text(text),
        }
    }
}
