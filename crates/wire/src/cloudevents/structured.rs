//! The JSON format: one event, or an array of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::attributes::{ATTRIBUTES_MAX, Attributes, is_attribute_name};
use super::error::Error;
use super::event::{CloudEvent, Data, ExtensionValue};
use super::media::is_json;
use crate::json::{CollectError, array_items, object_members};

/// Events that one batch may hold.
pub const BATCH_EVENTS_MAX: usize = 1_000;

impl CloudEvent {
    /// Reads `application/cloudevents+json`. Members whose names no attribute can have (`event_type`) are passed over:
    /// publishers put them beside the attributes, and an event is not lost over something nobody reads.
    pub fn from_structured(json: &[u8]) -> Result<Self, Error> {
        let json = std::str::from_utf8(json).map_err(|_| Error::NotAnObject)?;
        // The two members for data come on top of the attributes.
        let members = object_members(json, ATTRIBUTES_MAX + 2).map_err(|error| match error {
            CollectError::Mismatch => Error::NotAnObject,
            CollectError::TooMany => Error::TooManyAttributes,
        })?;
        let mut attributes = Attributes::default();
        let (mut data, mut data_base64) = (None, None);
        for (name, value) in members {
            let previous = match &*name {
                "data" => data.replace(value),
                "data_base64" => data_base64.replace(value),
                name if !is_attribute_name(name) => None,
                _ => {
                    if let Some(value) = attribute_value(&name, value)? {
                        attributes.set(&name, value)?;
                    }
                    None
                }
            };
            if previous.is_some() {
                return Err(Error::Duplicate(name.into_owned()));
            }
        }
        let data = self::data(data, data_base64, attributes.content_type())?;
        attributes.into_event(data)
    }

    /// Reads `application/cloudevents-batch+json`. Each event is judged on its own.
    pub fn from_batch(json: &[u8]) -> Result<Vec<Result<Self, Error>>, Error> {
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

/// The value of an attribute; `None` for null, which means absent.
fn attribute_value(name: &str, value: &RawValue) -> Result<Option<ExtensionValue>, Error> {
    let json = value.get();
    Ok(Some(match json {
        "null" => return Ok(None),
        "true" => ExtensionValue::Boolean(true),
        "false" => ExtensionValue::Boolean(false),
        _ if json.starts_with('"') => {
            ExtensionValue::Text(string(value).ok_or_else(|| Error::invalid_value(name))?)
        }
        _ => match json.parse() {
            Ok(number) => ExtensionValue::Integer(number),
            Err(_) => ExtensionValue::Other(value.to_owned()),
        },
    }))
}

fn data(
    data: Option<&RawValue>,
    data_base64: Option<&RawValue>,
    content_type: Option<&str>,
) -> Result<Data, Error> {
    let data_base64 = data_base64.filter(|value| value.get() != "null");
    match (data, data_base64) {
        (Some(data), Some(_)) if data.get() != "null" => Err(Error::DataTwice),
        (_, Some(base64)) => {
            let text = string(base64).ok_or(Error::InvalidBase64)?;
            STANDARD
                .decode(text)
                .map(Data::Binary)
                .map_err(|_| Error::InvalidBase64)
        }
        (None, None) => Ok(Data::None),
        (Some(data), None) if content_type.is_none_or(is_json) => Ok(Data::Json(data.to_owned())),
        // Data that should be a text but is none is kept as what it is.
        (Some(data), None) => Ok(string(data).map_or_else(|| Data::Json(data.to_owned()), Data::Text)),
    }
}

fn string(value: &RawValue) -> Option<String> {
    let json = value.get();
    // Without escapes, which it hardly ever has, it is spelled as it reads.
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Some(text.to_owned()),
        _ => serde_json::from_str(json).ok(),
    }
}
