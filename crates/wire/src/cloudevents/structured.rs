//! The JSON format: one event, or an array of them.

use std::borrow::Cow;

use super::attributes::{ATTRIBUTES_MAX, Attributes, is_attribute_name};
use super::error::Error;
use super::event::{CloudEvent, Data, ExtensionValue};
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
            name if !is_attribute_name(name) => None,
            _ => {
                return match attribute_value(&name, value)? {
                    Some(value) => self.attributes.set(name, value),
                    None => Ok(()),
                };
            }
        };
        match previous {
            Some(_) => Err(Error::Duplicate(name.into_owned())),
            None => Ok(()),
        }
    }
}

/// The value of an attribute; `None` for null, which means absent.
fn attribute_value<'a>(name: &str, value: Value<'a>) -> Result<Option<ExtensionValue<'a>>, Error> {
    Ok(Some(match value {
        Value::String { .. } => ExtensionValue::Text(value.text().ok_or_else(|| Error::invalid_value(name))?),
        Value::Scalar("null") => return Ok(None),
        Value::Scalar("true") => ExtensionValue::Boolean(true),
        Value::Scalar("false") => ExtensionValue::Boolean(false),
        Value::Scalar(number) => match number.parse() {
            Ok(number) => ExtensionValue::Integer(number),
            Err(_) => ExtensionValue::Other(value.raw()),
        },
        Value::Composite(json) => ExtensionValue::Other(json),
    }))
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
        (Some(data), None) if content_type.is_none_or(is_json) => Ok(Data::Json(data.raw())),
        // Data that should be a text but is none is kept as what it is.
        (Some(data), None) => Ok(data.text().map_or_else(|| Data::Json(data.raw()), Data::Text)),
    }
}
