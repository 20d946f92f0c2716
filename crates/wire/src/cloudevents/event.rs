//! An event, whatever form it came in.

use serde_json::value::RawValue;

use crate::time::Timestamp;

/// A `CloudEvent` of version 1.0.
#[derive(Clone, Debug)]
pub struct CloudEvent {
    /// `id`: with the source it identifies the event.
    pub id: String,
    /// `source`
    pub source: String,
    /// `type`
    pub kind: String,
    /// `subject`
    pub subject: Option<String>,
    /// `time`
    pub time: Option<Timestamp>,
    /// `datacontenttype`; in binary mode the `Content-Type`.
    pub datacontenttype: Option<String>,
    /// `dataschema`
    pub dataschema: Option<String>,
    /// The payload.
    pub data: Data,
    /// All other attributes, in their order.
    pub extensions: Vec<(String, ExtensionValue)>,
}

/// The payload of an event.
#[derive(Clone, Debug)]
pub enum Data {
    /// No payload; an explicit JSON null is a payload.
    None,
    /// JSON as it was spelled. A JSON string is a string, whatever its text looks like.
    Json(Box<RawValue>),
    /// Text of a content type other than JSON.
    Text(String),
    /// Bytes: `data_base64`, or a body of another content type.
    Binary(Vec<u8>),
}

/// The value of an extension attribute.
#[derive(Clone, Debug)]
pub enum ExtensionValue {
    /// A string, or any type of the specification that has no other JSON form.
    Text(String),
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// JSON that the specification does not provide for, carried nevertheless.
    Other(Box<RawValue>),
}

impl CloudEvent {
    /// Source and id: two events that have them in common are the same event.
    pub fn identity(&self) -> (&str, &str) {
        (&self.source, &self.id)
    }

    /// An extension attribute.
    pub fn extension(&self, name: &str) -> Option<&ExtensionValue> {
        self.extensions
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}
