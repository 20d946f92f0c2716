//! An event, whatever form it came in, borrowed from there as far as it can be.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::Json;
use crate::time::Timestamp;

/// A `CloudEvent` of version 1.0.
#[derive(Clone, Debug)]
pub struct CloudEvent<'a> {
    /// `id`: with the source it identifies the event.
    pub id: Cow<'a, str>,
    /// `source`
    pub source: Cow<'a, str>,
    /// `type`
    pub kind: Cow<'a, str>,
    /// `subject`
    pub subject: Option<Cow<'a, str>>,
    /// `time`
    pub time: Option<Timestamp>,
    /// `datacontenttype`; in binary mode the `Content-Type`.
    pub datacontenttype: Option<Cow<'a, str>>,
    /// `dataschema`
    pub dataschema: Option<Cow<'a, str>>,
    /// The payload.
    pub data: Data<'a>,
    /// All other attributes, in their order.
    pub extensions: Vec<(Cow<'a, str>, ExtensionValue<'a>)>,
}

/// The payload of an event.
#[derive(Clone, Debug, Default)]
pub enum Data<'a> {
    /// No payload; an explicit JSON null is a payload.
    #[default]
    None,
    /// JSON as it was spelled. A JSON string is a string, whatever its text looks like.
    Json(Json<'a>),
    /// Text of a content type other than JSON.
    Text(Cow<'a, str>),
    /// Bytes: `data_base64`, or a body of another content type.
    Binary(Cow<'a, [u8]>),
}

/// The value of an extension attribute.
#[derive(Clone, Debug)]
pub enum ExtensionValue<'a> {
    /// A string, or any type of the specification that has no other JSON form.
    Text(Cow<'a, str>),
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// JSON that the specification does not provide for, carried nevertheless.
    Other(&'a RawValue),
}

impl<'a> CloudEvent<'a> {
    /// Source and id: two events that have them in common are the same event.
    pub fn identity(&self) -> (&str, &str) {
        (&self.source, &self.id)
    }

    /// An extension attribute.
    pub fn extension(&self, name: &str) -> Option<&ExtensionValue<'a>> {
        self.extensions
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}
