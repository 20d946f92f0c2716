//! The members of an object, one after the other, each looked at once.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::CollectError;
use super::extent::{Extent, extent};
use super::raw::Json;
use super::scan::{Spelled, scalar_end, skip_white_space, string};

/// The value of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A string, as it is spelled.
    String { json: &'a str, has_escapes: bool },
    /// A number or a literal.
    Scalar(&'a str),
    /// An object or an array.
    Composite { json: &'a str, has_white_space: bool },
}

impl<'a> Value<'a> {
    /// The text that a string is; `None` for another value, and for one with half a surrogate pair.
    #[inline]
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::String {
                json,
                has_escapes: false,
            } => Some(Cow::Borrowed(&json[1..json.len() - 1])),
            Value::String { json, .. } => serde_json::from_str(json).ok().map(Cow::Owned),
            _ => None,
        }
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self, Value::Scalar("null"))
    }

    pub(crate) fn json(self) -> Json<'a> {
        match self {
            Value::Composite {
                json,
                has_white_space,
            } => Json::scanned(json, has_white_space),
            Value::String { json, .. } | Value::Scalar(json) => Json::scanned(json, false),
        }
    }
}

/// Gives each member of an object to `take`, in their order, keys that come twice included. A key without escapes is borrowed. The
/// first error of `take` is the result, unless what follows is no JSON.
pub(crate) fn each_member<'a, E>(
    json: &'a str,
    members_max: usize,
    mut take: impl FnMut(Cow<'a, str>, Value<'a>) -> Result<(), E>,
) -> Result<Result<(), E>, CollectError> {
    let (mut result, mut count, mut are_texts) = (Ok(()), 0, true);
    let end = each(json, |key, value| {
        let Some(key) = key.text() else {
            are_texts = false;
            return;
        };
        count += 1;
        if count <= members_max
            && result.is_ok()
            && let Err(error) = take(key, value)
        {
            result = Err(error);
        }
    });
    if end.is_none() || !are_texts {
        return Err(CollectError::Mismatch);
    }
    if count > members_max && result.is_ok() {
        return Err(CollectError::TooMany);
    }
    Ok(result)
}

/// The value of the member `key`, the last one if it comes twice, as `JSON.parse` has it. `None` if there is none, or `json` is no
/// object.
pub fn member<'a>(json: &'a RawValue, key: &str) -> Option<&'a RawValue> {
    let [value] = members(json.get(), [key])?;
    value
}

/// The values of several members, as [`member`] gives one; `None` if `json` is no object.
pub fn members<'a, const N: usize>(json: &'a str, keys: [&str; N]) -> Option<[Option<&'a RawValue>; N]> {
    let mut found = [None; N];
    each(json, |name, value| {
        let Some(name) = name.text() else { return };
        if let Some(place) = keys.iter().position(|key| *key == name) {
            found[place] = Some(value);
        }
    })?;
    Some(found.map(|value| value.map(|value| value.json().raw())))
}

/// Gives key and value of each member to `take`; `None` if `json` is not one object.
fn each<'a>(json: &'a str, mut take: impl FnMut(Value<'a>, Value<'a>)) -> Option<()> {
    let bytes = json.as_bytes();
    let mut index = skip_white_space(bytes, 0);
    if bytes.get(index)? != &b'{' {
        return None;
    }
    index = skip_white_space(bytes, index + 1);
    let mut is_end = bytes.get(index)? == &b'}';
    while !is_end {
        if bytes.get(index)? != &b'"' {
            return None;
        }
        let (key, key_end) = string_at(json, index)?;
        let colon = skip_white_space(bytes, key_end);
        if bytes.get(colon)? != &b':' {
            return None;
        }
        let (value, value_end) = value_at(json, skip_white_space(bytes, colon + 1))?;
        take(key, value);
        index = skip_white_space(bytes, value_end);
        is_end = match bytes.get(index)? {
            b'}' => true,
            b',' => false,
            _ => return None,
        };
        if !is_end {
            index = skip_white_space(bytes, index + 1);
        }
    }
    (skip_white_space(bytes, index + 1) == bytes.len()).then_some(())
}

/// The value that begins at `start`, and where it ends.
#[expect(
    clippy::inline_always,
    reason = "the value would go through memory, at a tenth of what an event costs"
)]
#[inline(always)]
fn value_at(json: &str, start: usize) -> Option<(Value<'_>, usize)> {
    let bytes = json.as_bytes();
    match bytes.get(start)? {
        b'"' => string_at(json, start),
        b'{' | b'[' => {
            let Extent { end, has_white_space } = extent(bytes, start)?;
            let json = &json[start..end];
            Some((
                Value::Composite {
                    json,
                    has_white_space,
                },
                end,
            ))
        }
        _ => {
            let end = scalar_end(bytes, start)?;
            Some((Value::Scalar(&json[start..end]), end))
        }
    }
}

/// The string whose quote stands at `start`, and where it ends.
#[inline]
fn string_at(json: &str, start: usize) -> Option<(Value<'_>, usize)> {
    let Spelled { end, has_escapes } = string(json.as_bytes(), start + 1)?;
    let json = &json[start..end];
    Some((Value::String { json, has_escapes }, end))
}

#[cfg(test)]
mod tests;
