//! Binary mode: attributes in headers, the body is the data. Over HTTP they are called `ce-*` and their values are encoded, in
//! Kafka's records they are called `ce_*` and are plain UTF-8.

use serde_json::value::RawValue;

use super::attributes::Attributes;
use super::error::Error;
use super::event::{CloudEvent, Data, ExtensionValue};
use super::media::{is_json, is_text};

impl CloudEvent {
    /// Reads a request's headers and body. Headers without the prefix `ce-` are passed over.
    pub fn from_binary_headers<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Self, Error> {
        let named = headers
            .into_iter()
            .filter_map(|(header, value)| Some((attribute_name(header)?, value)));
        event(named, decode_value, content_type, body)
    }

    /// Reads the headers and the value of a Kafka record, by the Kafka binding, section 3.2. Headers without the prefix `ce_` are
    /// passed over.
    pub fn from_record_headers<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        content_type: Option<&str>,
        value: &[u8],
    ) -> Result<Self, Error> {
        let named = headers
            .into_iter()
            .filter_map(|(header, value)| Some((header.strip_prefix("ce_")?.to_owned(), value)));
        event(named, plain_value, content_type, value)
    }
}

fn event<'a>(
    attributes: impl Iterator<Item = (String, &'a [u8])>,
    decode: impl Fn(&[u8]) -> Option<String>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<CloudEvent, Error> {
    let mut seen = Attributes::default();
    for (name, value) in attributes {
        if name == "datacontenttype" {
            return Err(Error::ContentTypeHeader);
        }
        let value = decode(value).ok_or_else(|| Error::invalid_value(&name))?;
        seen.set(&name, ExtensionValue::Text(value))?;
    }
    if let Some(content_type) = content_type {
        seen.set("datacontenttype", ExtensionValue::Text(content_type.to_owned()))?;
    }
    let data = data(seen.content_type(), body)?;
    seen.into_event(data)
}

fn plain_value(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(str::to_owned)
}

fn attribute_name(header: &str) -> Option<String> {
    let (prefix, name) = header.split_at_checked(3)?;
    prefix
        .eq_ignore_ascii_case("ce-")
        .then(|| name.to_ascii_lowercase())
}

fn data(content_type: Option<&str>, body: &[u8]) -> Result<Data, Error> {
    if body.is_empty() {
        return Ok(Data::None);
    }
    if content_type.is_some_and(is_json) {
        let json: &RawValue = serde_json::from_slice(body).map_err(|_| Error::InvalidJson)?;
        return Ok(Data::Json(json.to_owned()));
    }
    match std::str::from_utf8(body) {
        Ok(text) if content_type.is_some_and(is_text) => Ok(Data::Text(text.to_owned())),
        _ => Ok(Data::Binary(body.to_owned())),
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
