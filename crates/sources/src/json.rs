//! Single members of JSON objects and bounded items of arrays, as the texts they are, without building the rest.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The text is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAnObject;

/// The values of several keys, found in one pass; the last one if a key comes twice, as `JSON.parse` has it.
pub(crate) fn members<'a, const N: usize>(
    json: &'a str,
    keys: [&str; N],
) -> Result<[Option<&'a RawValue>; N], NotAnObject> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let values = deserializer
        .deserialize_map(Wanted(keys))
        .map_err(|_| NotAnObject)?;
    deserializer.end().map_err(|_| NotAnObject)?;
    Ok(values)
}

/// The first `items_max` items of an array, and whether there are more; `None` if the text is no JSON array.
pub(crate) fn items(json: &str, items_max: usize) -> Option<(Vec<&RawValue>, bool)> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let items = deserializer.deserialize_seq(First(items_max)).ok()?;
    deserializer.end().ok()?;
    Some(items)
}

struct First(usize);

impl<'de> Visitor<'de> for First {
    type Value = (Vec<&'de RawValue>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < self.0 {
            match sequence.next_element()? {
                Some(item) => items.push(item),
                None => return Ok((items, false)),
            }
        }
        let mut has_more = false;
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            has_more = true;
        }
        Ok((items, has_more))
    }
}

struct Wanted<'k, const N: usize>([&'k str; N]);

impl<'de, const N: usize> Visitor<'de> for Wanted<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        while let Some(place) = map.next_key_seed(Place(&self.0))? {
            match place {
                Some(place) => values[place] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(values)
    }
}

/// Reads a key as its place among the wanted ones.
struct Place<'s>(&'s [&'s str]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // As bytes: a key may hold half a surrogate pair, which no Rust string can.
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|wanted| wanted.as_bytes() == key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        self.visit_bytes(key.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{NotAnObject, items, members};
    use serde_json::value::RawValue;

    fn member(json: &str) -> Result<Option<&str>, NotAnObject> {
        members(json, ["a"]).map(|[value]| value.map(RawValue::get))
    }

    #[test]
    fn members_are_found_by_their_meaning() {
        let table = [
            (r#"{"a":1}"#, Some("1")),
            (r#" { "b" : {"a":2} , "a" : [ 1.0 ] } "#, Some("[ 1.0 ]")),
            (r#"{"a":1,"a":2}"#, Some("2")),
            (r#"{"\u0061":"x"}"#, Some(r#""x""#)),
            (r#"{"\ud800":1,"a":2}"#, Some("2")),
            (r#"{"b":{"a":1}}"#, None),
            ("{}", None),
        ];
        for (json, expected) in table {
            assert_eq!(member(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for json in [
            "",
            "[]",
            "null",
            "\"a\"",
            "1",
            "{",
            "{\"a\":1",
            "{\"a\":1}x",
            "{} {}",
        ] {
            assert_eq!(member(json), Err(NotAnObject), "{json}");
        }
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = format!("{{\"x\":{}{},\"a\":1}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(member(&deep), Ok(Some("1")));
    }

    #[test]
    fn items_are_bounded() {
        let texts = |json, items_max| {
            items(json, items_max)
                .map(|(items, has_more)| (items.iter().map(|item| item.get()).collect::<Vec<_>>(), has_more))
        };
        assert_eq!(
            texts(" [1.0, {\"a\" :1}] ", 2),
            Some((vec!["1.0", "{\"a\" :1}"], false))
        );
        assert_eq!(texts("[1,2,3]", 2), Some((vec!["1", "2"], true)));
        assert_eq!(texts("[]", 2), Some((vec![], false)));
        for json in ["", "{}", "[1", "[1,2,3,", "[1] 2"] {
            assert_eq!(texts(json, 2), None, "{json}");
        }
    }
}
