//! An event as it was received, kept with its dead letter so that it can be read again.

use crate::dapr;
use crate::envelope::{structured, unlabelled};
use crate::kafka;
use crate::{DropReason, Received};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rdkafka::message::BorrowedHeaders;

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

/// Reads an event once more, from what its dead letter has of it.
pub(crate) fn read_again(form: &str, headers: &[(String, String)], bytes: &[u8]) -> Received {
    match Form::of(form) {
        Some(Form::Structured) => structured(bytes),
        // Older dead letters do not tell their form.
        Some(Form::Unlabelled) | None => unlabelled(bytes),
        Some(Form::Request) => dapr::one(&http(headers), bytes),
        Some(Form::BulkEntry) => dapr::entry(bytes),
        Some(Form::Record) => {
            let headers = || {
                headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes()))
            };
            kafka::received(headers, bytes)
        }
        Some(Form::Beginning) => Received::Unreadable(DropReason::TooLarge),
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
