//! Binary mode: attributes in headers, the body is the data. Over HTTP they are called `ce-*` and their values are encoded, in
//! Kafka's records they are called `ce_*` and are plain UTF-8.

use std::borrow::Cow;

use super::attributes::Attributes;
use super::error::Error;
use super::event::{CloudEvent, Data, ExtensionValue};
use super::media::{is_json, is_text};
use crate::json::Json;

impl<'a> CloudEvent<'a> {
    /// Reads a request's headers and body. Headers without the prefix `ce-` are passed over.
    pub fn from_binary_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        content_type: Option<&str>,
        body: &'a [u8],
    ) -> Result<Self, Error> {
        let named = headers
            .into_iter()
            .filter_map(|(header, value)| Some((Cow::Owned(attribute_name(header)?), value)));
        let content_type = content_type.map(|text| Cow::Owned(text.to_owned()));
        event(
            named,
            |value| decode_value(value).map(Cow::Owned),
            content_type,
            body,
        )
    }

    /// Reads the headers and the value of a Kafka record, by the Kafka binding, section 3.2. Headers without the prefix `ce_` are
    /// passed over.
    pub fn from_record_headers(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        content_type: Option<&'a str>,
        value: &'a [u8],
    ) -> Result<Self, Error> {
        let named = headers
            .into_iter()
            .filter_map(|(header, value)| Some((Cow::Borrowed(header.strip_prefix("ce_")?), value)));
        event(named, plain_value, content_type.map(Cow::Borrowed), value)
    }
}

fn event<'a, 'h>(
    attributes: impl Iterator<Item = (Cow<'a, str>, &'h [u8])>,
    decode: impl Fn(&'h [u8]) -> Option<Cow<'a, str>>,
    content_type: Option<Cow<'a, str>>,
    body: &'a [u8],
) -> Result<CloudEvent<'a>, Error> {
    let mut seen = Attributes::default();
    for (name, value) in attributes {
        if name == "datacontenttype" {
            return Err(Error::ContentTypeHeader);
        }
        let value = decode(value).ok_or_else(|| Error::invalid_value(&name))?;
        seen.set(name, ExtensionValue::Text(value))?;
    }
    if let Some(content_type) = content_type {
        seen.set("datacontenttype".into(), ExtensionValue::Text(content_type))?;
    }
    let data = data(seen.content_type(), body)?;
    seen.into_event(data)
}

fn plain_value(value: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(value).ok().map(Cow::Borrowed)
}

fn attribute_name(header: &str) -> Option<String> {
    let (prefix, name) = header.split_at_checked(3)?;
    prefix
        .eq_ignore_ascii_case("ce-")
        .then(|| name.to_ascii_lowercase())
}

fn data<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<Data<'a>, Error> {
    if body.is_empty() {
        return Ok(Data::None);
    }
    if content_type.is_some_and(is_json) {
        return Json::from_slice(body).map(Data::Json).ok_or(Error::InvalidJson);
    }
    match std::str::from_utf8(body) {
        Ok(text) if content_type.is_some_and(is_text) => Ok(Data::Text(text.into())),
        _ => Ok(Data::Binary(body.into())),
    }
}

/// Undoes double-quoted strings, which older senders use, then one round of percent-encoding. `None`: a quote or an
/// escape without its end, or no UTF-8.
fn decode_value(value: &[u8]) -> Option<String> {
    String::from_utf8(percent_decode(&unquote(value)?)?).ok()
}

fn unquote(value: &[u8]) -> Option<Vec<u8>> {
    let mut output = Vec::with_capacity(value.len());
    let mut quoted = false;
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => output.push(*bytes.next()?),
            byte => output.push(*byte),
        }
    }
    (!quoted).then_some(output)
}

fn percent_decode(value: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut output = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        rest = match rest {
            [] => return Some(output),
            [b'%', high, low, after @ ..] => {
                output.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            [b'%', ..] => return None,
            [byte, after @ ..] => {
                output.push(*byte);
                after
            }
        };
    }
}
