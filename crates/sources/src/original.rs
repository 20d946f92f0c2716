//! An event as it was received, kept with its dead letter so that it can be read again.

use crate::dapr;
use crate::envelope::{structured, unlabelled};
use crate::kafka;
use crate::{DropReason, Received};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rdkafka::message::BorrowedHeaders;
use tidings_store::DeadLetter;

/// The form that an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A `CloudEvent` in JSON.
    Structured,
    /// JSON that does not say what it is.
    Unlabelled,
    /// A request, which its headers belong to.
    Request,
    /// An entry of Dapr's bulk subscription.
    BulkEntry,
    /// A Kafka record, which its headers belong to.
    Record,
    /// The beginning of something that was too large.
    Beginning,
}

/// An event as it was received.
#[derive(Clone, Copy)]
pub struct Original<'a> {
    /// Its form.
    pub form: Form,
    /// The headers that came with it, if its form has any.
    pub headers: Headers<'a>,
    /// The rest.
    pub bytes: &'a [u8],
}

/// Headers as they were received. Of these only those are kept that say something of the event.
#[derive(Clone, Copy)]
pub enum Headers<'a> {
    /// None.
    None,
    /// A request's.
    Http(&'a HeaderMap),
    /// A record's.
    Record(&'a BorrowedHeaders),
}

impl Form {
    const ALL: [Form; 6] = [
        Form::Structured,
        Form::Unlabelled,
        Form::Request,
        Form::BulkEntry,
        Form::Record,
        Form::Beginning,
    ];

    /// The form in dead letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Form::Structured => "structured",
            Form::Unlabelled => "unlabelled",
            Form::Request => "request",
            Form::BulkEntry => "bulk_entry",
            Form::Record => "record",
            Form::Beginning => "beginning",
        }
    }

    fn of(name: &str) -> Option<Form> {
        Form::ALL.into_iter().find(|form| form.as_str() == name)
    }
}

impl<'a> Original<'a> {
    /// What has no headers.
    pub fn new(form: Form, bytes: &'a [u8]) -> Original<'a> {
        Original {
            form,
            headers: Headers::None,
            bytes,
        }
    }
}

impl Headers<'_> {
    pub(crate) fn kept(self) -> Vec<(String, String)> {
        let is_of_event =
            |name: &str| name == "content-type" || name.starts_with("ce-") || name.starts_with("ce_");
        let kept = |name: &str, value: &[u8]| {
            is_of_event(name).then(|| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
        };
        match self {
            Headers::None => Vec::new(),
            Headers::Http(headers) => headers
                .iter()
                .filter_map(|(name, value)| kept(name.as_str(), value.as_bytes()))
                .collect(),
            Headers::Record(headers) => {
                let pairs = kafka::pairs(headers).unwrap_or_default();
                pairs
                    .into_iter()
                    .filter_map(|(name, value)| kept(name, value))
                    .collect()
            }
        }
    }
}

/// An event as its dead letter has it.
pub(crate) enum Kept<'a> {
    Unreadable(DropReason),
    Json(&'a [u8], fn(&'a [u8]) -> Received<'a>),
    Entry(dapr::Entry<'a>),
    Request(HeaderMap, &'a [u8]),
    Record(&'a [(String, String)], &'a [u8]),
}

impl<'a> Kept<'a> {
    pub(crate) fn of(letter: &'a DeadLetter) -> Kept<'a> {
        let bytes = &letter.event;
        match Form::of(&letter.form) {
            Some(Form::Structured) => Kept::Json(bytes, structured),
            // Older dead letters do not tell their form.
            Some(Form::Unlabelled) | None => Kept::Json(bytes, unlabelled),
            Some(Form::Request) => Kept::Request(http(&letter.headers), bytes),
            Some(Form::BulkEntry) => match dapr::Entry::from_slice(bytes) {
                Some(entry) => Kept::Entry(entry),
                None => Kept::Unreadable(DropReason::Mislabelled),
            },
            Some(Form::Record) => Kept::Record(&letter.headers, bytes),
            Some(Form::Beginning) => Kept::Unreadable(DropReason::TooLarge),
        }
    }

    /// Reads it once more.
    pub(crate) fn received(&self) -> Received<'_> {
        match self {
            Kept::Unreadable(reason) => Received::Unreadable(*reason),
            Kept::Json(bytes, read) => read(bytes),
            Kept::Entry(entry) => entry.received(),
            Kept::Request(headers, bytes) => dapr::one(headers, bytes),
            Kept::Record(headers, bytes) => {
                let pairs = || {
                    headers
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_bytes()))
                };
                kafka::received(pairs, bytes)
            }
        }
    }
}

fn http(headers: &[(String, String)]) -> HeaderMap {
    let headers = headers.iter().filter_map(|(name, value)| {
        Some((
            HeaderName::try_from(name).ok()?,
            HeaderValue::try_from(value).ok()?,
        ))
    });
    headers.collect()
}
