//! The JSON format: one event, or an array of them.

use std::borrow::Cow;

use super::attributes::{ATTRIBUTES_MAX, Attributes};
use super::error::Error;
use super::event::{CloudEvent, Data};
use super::media::is_json;
use crate::json::{CollectError, Value, array_items, each_member};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Events that one batch may hold.
pub const BATCH_EVENTS_MAX: usize = 1_000;

impl<'a> CloudEvent<'a> {
    /// Reads `application/cloudevents+json`. Members whose names no attribute can have (`event_type`) are passed over:
    /// publishers put them beside the attributes, and an event is not lost over something nobody reads.
    pub fn from_structured(json: &'a [u8]) -> Result<Self, Error> {
        let json = std::str::from_utf8(json).map_err(|_| Error::NotAnObject)?;
        let mut members = Members::default();
        // The two members for data come on top of the attributes.
        each_member(json, ATTRIBUTES_MAX + 2, |name, value| members.take(name, value)).map_err(
            |error| match error {
                CollectError::Mismatch => Error::NotAnObject,
                CollectError::TooMany => Error::TooManyAttributes,
            },
        )??;
        let Members {
            attributes,
            data,
            data_base64,
        } = members;
        let data = self::data(data, data_base64, attributes.content_type())?;
        attributes.into_event(data)
    }

    /// Reads `application/cloudevents-batch+json`. Each event is judged on its own.
    pub fn from_batch(json: &'a [u8]) -> Result<Vec<Result<Self, Error>>, Error> {
        let json = std::str::from_utf8(json).map_err(|_| Error::NotAnArray)?;
        let events = array_items(json, BATCH_EVENTS_MAX).map_err(|error| match error {
            CollectError::Mismatch => Error::NotAnArray,
            CollectError::TooMany => Error::TooManyEvents,
        })?;
        Ok(events
            .into_iter()
            .map(|event| Self::from_structured(event.get().as_bytes()))
            .collect())
    }
}

/// The members seen so far.
#[derive(Default)]
struct Members<'a> {
    attributes: Attributes<'a>,
    data: Option<Value<'a>>,
    data_base64: Option<Value<'a>>,
}

impl<'a> Members<'a> {
    fn take(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Result<(), Error> {
        let previous = match &*name {
            "data" => self.data.replace(value),
            "data_base64" => self.data_base64.replace(value),
            _ => return self.attributes.set_member(name, value),
        };
        match previous {
            Some(_) => Err(Error::Duplicate(name.into_owned())),
            None => Ok(()),
        }
    }
}

fn data<'a>(
    data: Option<Value<'a>>,
    data_base64: Option<Value<'a>>,
    content_type: Option<&str>,
) -> Result<Data<'a>, Error> {
    let data_base64 = data_base64.filter(|value| !value.is_null());
    match (data, data_base64) {
        (Some(data), Some(_)) if !data.is_null() => Err(Error::DataTwice),
        (_, Some(base64)) => {
            let base64 = base64.text().ok_or(Error::InvalidBase64)?;
            STANDARD
                .decode(&*base64)
                .map(|bytes| Data::Binary(bytes.into()))
                .map_err(|_| Error::InvalidBase64)
        }
        (None, None) => Ok(Data::None),
        (Some(data), None) if content_type.is_none_or(is_json) => Ok(Data::Json(data.json())),
        // Data that should be a text but is none is kept as what it is.
        (Some(data), None) => Ok(data.text().map_or_else(|| Data::Json(data.json()), Data::Text)),
    }
}
