//! Attributes, collected one by one and judged together.

use std::borrow::Cow;

use super::error::Error;
use super::event::{CloudEvent, Data, ExtensionValue};
use crate::json::Value;
use crate::time::Timestamp;

/// Attributes of one event, far above what the specification and its extensions define.
pub(super) const ATTRIBUTES_MAX: usize = 128;

/// The attributes seen so far.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    specversion: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    dataschema: Option<Cow<'a, str>>,
    datacontenttype: Option<Cow<'a, str>>,
    extensions: Vec<(Cow<'a, str>, ExtensionValue<'a>)>,
}

impl<'a> Attributes<'a> {
    /// Takes an attribute that is not null.
    pub(super) fn set(&mut self, name: Cow<'a, str>, value: ExtensionValue<'a>) -> Result<(), Error> {
        let Some(attribute) = self.core(&name) else {
            if name == "data" || !is_attribute_name(&name) {
                return Err(Error::invalid_name(&name));
            }
            return self.set_extension(name, value);
        };
        match value {
            ExtensionValue::Text(text) => set_once(attribute, name, text),
            _ => Err(Error::invalid_value(&name)),
        }
    }

    /// Takes a member of the JSON format: null means absent, and a name that no attribute can have means nothing.
    pub(super) fn set_member(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Result<(), Error> {
        if value.is_null() {
            return Ok(());
        }
        if let Some(attribute) = self.core(&name) {
            let text = value.text().ok_or_else(|| Error::invalid_value(&name))?;
            return set_once(attribute, name, text);
        }
        if !is_attribute_name(&name) {
            return Ok(());
        }
        let value = extension_value(&name, value)?;
        self.set_extension(name, value)
    }

    /// The place of an attribute that the specification names.
    fn core(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match name {
            "id" => &mut self.id,
            "source" => &mut self.source,
            "specversion" => &mut self.specversion,
            "type" => &mut self.kind,
            "subject" => &mut self.subject,
            "time" => &mut self.time,
            "dataschema" => &mut self.dataschema,
            "datacontenttype" => &mut self.datacontenttype,
            _ => return None,
        })
    }

    fn set_extension(&mut self, name: Cow<'a, str>, value: ExtensionValue<'a>) -> Result<(), Error> {
        if self.extensions.len() == ATTRIBUTES_MAX {
            return Err(Error::TooManyAttributes);
        }
        if self.extensions.iter().any(|(existing, _)| *existing == name) {
            return Err(Error::Duplicate(name.into_owned()));
        }
        self.extensions.push((name, value));
        Ok(())
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        self.datacontenttype
            .as_deref()
            .filter(|content_type| !content_type.is_empty())
    }

    /// The event, if nothing it must have is missing. Optional attributes that are empty count as absent.
    pub(super) fn into_event(self, data: Data<'a>) -> Result<CloudEvent<'a>, Error> {
        let required = |value: Option<Cow<'a, str>>, name| present(value).ok_or(Error::Missing(name));
        if required(self.specversion, "specversion")? != "1.0" {
            return Err(Error::UnsupportedVersion);
        }
        let time = present(self.time).map(|time| Timestamp::parse(&time)).transpose();
        Ok(CloudEvent {
            id: required(self.id, "id")?,
            source: required(self.source, "source")?,
            kind: required(self.kind, "type")?,
            subject: present(self.subject),
            time: time.map_err(|_| Error::invalid_value("time"))?,
            datacontenttype: present(self.datacontenttype),
            dataschema: present(self.dataschema),
            data,
            extensions: self.extensions,
        })
    }
}

fn set_once<'a>(
    attribute: &mut Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    text: Cow<'a, str>,
) -> Result<(), Error> {
    match attribute.replace(text) {
        None => Ok(()),
        Some(_) => Err(Error::Duplicate(name.into_owned())),
    }
}

fn extension_value<'a>(name: &str, value: Value<'a>) -> Result<ExtensionValue<'a>, Error> {
    Ok(match value {
        Value::String { .. } => ExtensionValue::Text(value.text().ok_or_else(|| Error::invalid_value(name))?),
        Value::Scalar("true") => ExtensionValue::Boolean(true),
        Value::Scalar("false") => ExtensionValue::Boolean(false),
        Value::Scalar(number) => match number.parse() {
            Ok(number) => ExtensionValue::Integer(number),
            Err(_) => ExtensionValue::Other(value.json().raw()),
        },
        Value::Composite { .. } => ExtensionValue::Other(value.json().raw()),
    })
}

/// Whether this can be the name of an attribute: a-z and 0-9.
fn is_attribute_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty() && name.bytes().all(allowed)
}

fn present(value: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    value.filter(|value| !value.is_empty())
}
