//! Reading JSON objects from clients into typed parameters, with every fault told at once.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use tidings_transport::openapi::schema;

/// One thing that is wrong with the parameters. Never holds what the client sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Detail {
    /// Which parameter.
    pub(crate) parameter: &'static str,
    /// What it should have been.
    pub(crate) expected: &'static str,
    /// The same as a sentence.
    pub(crate) message: String,
}

impl Detail {
    /// Stands for the object itself, where that is wrong.
    pub(crate) const WHOLE: &str = "parameters";

    pub(crate) fn wrong(parameter: &'static str, expected: &'static str) -> Detail {
        Detail {
            parameter,
            expected,
            message: format!("{parameter} must be {expected}"),
        }
    }

    pub(crate) fn missing(parameter: &'static str, expected: &'static str) -> Detail {
        Detail {
            parameter,
            expected,
            message: format!("{parameter} is required"),
        }
    }
}

/// The members of an object that somebody asked for. Others are skipped without being kept, so that reading costs
/// no more memory than there are names.
pub(crate) struct Members<'a>(Vec<(&'static str, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads the members called `names`; `None` if `json` is no object. Of keys given twice the last counts.
    pub(crate) fn read(json: &'a str, names: &[&'static str]) -> Option<Members<'a>> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let members = Names(names).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(members)
    }

    /// A member's value. A null is as good as nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }
}

struct Names<'n>(&'n [&'static str]);

/// A key that is borrowed where the text has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Members<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members: Vec<(&'static str, &'de RawValue)> = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let Some(name) = self.0.iter().find(|name| **name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            members.retain(|(known, _)| known != name);
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// Reads parameters one by one and remembers what is wrong with them.
pub(crate) struct Reader<'a> {
    members: Members<'a>,
    details: Vec<Detail>,
}

impl<'a> Reader<'a> {
    /// A reader of the object `json`, in which only `names` matter.
    pub(crate) fn new(json: &'a str, names: &[&'static str]) -> Result<Reader<'a>, Vec<Detail>> {
        match Members::read(json, names) {
            Some(members) => Ok(Reader {
                members,
                details: Vec::new(),
            }),
            None => Err(vec![Detail::wrong(Detail::WHOLE, "an object")]),
        }
    }

    /// A parameter that may be absent. `read` says `None` to what is not `expected`.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.members.get(name)?);
        if value.is_none() {
            self.details.push(Detail::wrong(name, expected));
        }
        value
    }

    /// A parameter that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Option<T> {
        if self.members.get(name).is_none() {
            self.details.push(Detail::missing(name, expected));
        }
        self.optional(name, expected, read)
    }

    /// The parameters, if nothing was wrong.
    pub(crate) fn finish<T>(self, parameters: Option<T>) -> Result<T, Vec<Detail>> {
        parameters.filter(|_| self.details.is_empty()).ok_or(self.details)
    }
}

/// A string.
pub(crate) fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// One line of text with as many characters as `length` says. White space around it counts, and is cut off; without it
/// the least number must be left.
pub(crate) fn line(json: &RawValue, length: RangeInclusive<usize>) -> Option<String> {
    let text = text(json)?;
    let line = text.trim();
    let is_good = text.chars().count() <= *length.end()
        && line.chars().count() >= *length.start()
        && !line.chars().any(char::is_control);
    is_good.then(|| line.to_owned())
}

/// What [`line`] takes, as a schema.
pub(crate) fn line_schema(length: &RangeInclusive<usize>) -> ObjectBuilder {
    let string = schema::string().max_length(Some(*length.end()));
    match length.start() {
        0 => string.pattern(Some(schema::LINE)),
        least => string.min_length(Some(*least)).pattern(Some(schema::FILLED_LINE)),
    }
}

/// Text of any number of lines, at most so many characters.
pub(crate) fn lines(json: &RawValue, characters_max: usize) -> Option<String> {
    let is_plain = |character: char| !character.is_control() || matches!(character, '\n' | '\r' | '\t');
    text(json).filter(|text| text.chars().count() <= characters_max && text.chars().all(is_plain))
}

/// What [`lines`] takes, as a schema.
pub(crate) fn lines_schema(characters_max: usize) -> ObjectBuilder {
    schema::string()
        .max_length(Some(characters_max))
        .pattern(Some(schema::PLAIN_LINES))
}

/// An integer in a range.
pub(crate) fn integer(json: &RawValue, range: &RangeInclusive<u32>) -> Option<u32> {
    serde_json::from_str(json.get())
        .ok()
        .filter(|number| range.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn members_are_found_and_others_skipped() {
        let json = r#"{"x":{"a":[1]},"a":1,"b":null,"\u0061":2,"c":"3"}"#;
        let members = Members::read(json, &["a", "b"]).unwrap();
        assert_eq!(members.get("a").map(RawValue::get), Some("2"));
        assert!(members.get("b").is_none() && members.get("c").is_none());
        assert_eq!(members.0.len(), 2);
        for wrong in ["", "[]", "null", "1", "{", "{} x", "{\"a\":}"] {
            assert!(Members::read(wrong, &["a"]).is_none(), "{wrong}");
        }
    }

    #[test]
    fn every_fault_is_told() {
        let mut reader = Reader::new(r#"{"limit":0,"name":7}"#, &["limit", "name", "email"]).unwrap();
        reader.optional("limit", "an integer from 1 to 100", |json| {
            integer(json, &(1..=100))
        });
        reader.required("name", "text", text);
        reader.required("email", "an email address", text);
        let details = reader.finish(Some(())).unwrap_err();
        let messages: Vec<_> = details.iter().map(|detail| detail.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "limit must be an integer from 1 to 100",
                "name must be text",
                "email is required"
            ]
        );
    }

    #[test]
    fn texts_and_integers() {
        assert_eq!(line(raw(r#"" Ann ""#), 1..=5).as_deref(), Some("Ann"));
        assert_eq!(line(raw(r#"" Ann ""#), 1..=4), None);
        for wrong in [r#""  ""#, r#""Annas""#, r#""A\nb""#, "1", r#""\ud800""#] {
            assert_eq!(line(raw(wrong), 1..=3), None, "{wrong}");
        }
        assert_eq!(lines(raw(r#""a\nb""#), 3).as_deref(), Some("a\nb"));
        assert_eq!(lines(raw(r#""a\u0000""#), 3), None);
        for (json, expected) in [
            ("1", Some(1)),
            ("100", Some(100)),
            ("101", None),
            ("-1", None),
            ("1.5", None),
            ("\"5\"", None),
        ] {
            assert_eq!(integer(raw(json), &(1..=100)), expected, "{json}");
        }
    }
}
