//! A piece of an event that a rule names.

use super::Routable;
use crate::DropReason;
use crate::route::RuleError;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use tidings_wire::cloudevents::{CloudEvent, ExtensionValue};
use tidings_wire::json::{member, text};

/// Keys on a path into the data.
const DEPTH_MAX: usize = 8;

/// A piece of an event: `topic`, an attribute of its envelope (`type`, `source`, `subject`, `id`, an extension), or a path
/// into its data (`data.user_id`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The topic that it came from.
    Topic,
    /// An attribute of the envelope, by its name.
    Attribute(Box<str>),
    /// A member of the data, by the keys that lead there.
    Data(Box<[Box<str>]>),
}

impl Field {
    /// Reads a name such as `type` or `data.user_id`.
    pub fn parse(name: &str) -> Result<Field, RuleError> {
        if let Some(path) = name.strip_prefix("data.") {
            return Field::in_data(path);
        }
        // CloudEvents 1.0, section 3.1: lower-case letters and digits.
        let is_attribute = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        match name {
            "topic" => Ok(Field::Topic),
            // No one's name.
            "data" | "time" | "specversion" => Err(RuleError::Field(name.to_owned())),
            _ if !name.is_empty() && name.bytes().all(is_attribute) => Ok(Field::Attribute(name.into())),
            _ => Err(RuleError::Field(name.to_owned())),
        }
    }

    /// Reads a path into the data, keys with dots between them.
    pub(super) fn in_data(path: &str) -> Result<Field, RuleError> {
        let keys: Box<[Box<str>]> = path.split('.').take(DEPTH_MAX + 1).map(Box::from).collect();
        if keys.len() > DEPTH_MAX || keys.iter().any(|key| key.is_empty()) {
            return Err(RuleError::Path(path.to_owned()));
        }
        Ok(Field::Data(keys))
    }

    /// What the event has there, as text: a JSON string is its content, anything else its JSON. `None` for nothing and null.
    pub(super) fn text<'a>(&self, event: Routable<'a>) -> Result<Option<Cow<'a, str>>, DropReason> {
        match self {
            Field::Topic => Ok(event.topic.map(Cow::Borrowed)),
            Field::Attribute(name) => Ok(event.envelope.and_then(|envelope| attribute(envelope, name))),
            Field::Data(keys) => match follow(event.data, keys)? {
                // Half a surrogate pair is no text.
                Some(value) if value.get().starts_with('"') => Ok(text(value)),
                value => Ok(value.map(|value| Cow::Borrowed(value.get()))),
            },
        }
    }

    /// The same as a name that a room is called by: text, or an integer as it is printed.
    pub(super) fn name<'a>(&self, event: Routable<'a>) -> Result<Option<Cow<'a, str>>, DropReason> {
        let keys = match self {
            Field::Topic => return self.text(event),
            Field::Attribute(name) => {
                let extension = event.envelope.and_then(|envelope| envelope.extension(name));
                return match extension {
                    Some(ExtensionValue::Boolean(_) | ExtensionValue::Other(_)) => {
                        Err(DropReason::InvalidUser)
                    }
                    _ => self.text(event),
                };
            }
            Field::Data(keys) => keys,
        };
        match follow(event.data, keys)? {
            None => Ok(None),
            Some(value) if value.get().starts_with('"') => {
                text(value).map(Some).ok_or(DropReason::InvalidUser)
            }
            Some(value) if is_canonical_integer(value.get()) => Ok(Some(Cow::Borrowed(value.get()))),
            Some(_) => Err(DropReason::InvalidUser),
        }
    }
}

/// An attribute as text.
fn attribute<'a>(envelope: &'a CloudEvent<'a>, name: &str) -> Option<Cow<'a, str>> {
    match name {
        "id" => Some(Cow::Borrowed(&envelope.id)),
        "source" => Some(Cow::Borrowed(&envelope.source)),
        "type" => Some(Cow::Borrowed(&envelope.kind)),
        "subject" => envelope.subject.as_deref().map(Cow::Borrowed),
        "datacontenttype" => envelope.datacontenttype.as_deref().map(Cow::Borrowed),
        "dataschema" => envelope.dataschema.as_deref().map(Cow::Borrowed),
        _ => envelope.extension(name).map(|value| match value {
            ExtensionValue::Text(text) => Cow::Borrowed(&**text),
            ExtensionValue::Boolean(truth) => Cow::Owned(truth.to_string()),
            ExtensionValue::Integer(number) => Cow::Owned(number.to_string()),
            ExtensionValue::Other(json) => Cow::Borrowed(json.get()),
        }),
    }
}

/// What stands at the end of a path, if it leads to anything but null. The data itself must be an object; on the way
/// anything may stand.
fn follow<'a>(data: &'a RawValue, path: &[Box<str>]) -> Result<Option<&'a RawValue>, DropReason> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(None);
    };
    if !data.get().starts_with('{') {
        return Err(DropReason::NotJson);
    }
    let mut value = member(data, first);
    for key in rest {
        value = value.and_then(|value| member(value, key));
    }
    Ok(value.filter(|value| value.get() != "null"))
}

/// Whether a JSON number is spelled as an integer is printed: `1.0` and `1e3` name nobody for sure.
fn is_canonical_integer(json: &str) -> bool {
    let digits = json.strip_prefix('-').unwrap_or(json);
    // JSON has no leading zeros anyway.
    json != "-0" && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Topic => f.write_str("topic"),
            Field::Attribute(name) => f.write_str(name),
            Field::Data(keys) => write!(f, "data.{}", keys.join(".")),
        }
    }
}
