//! Arrays and objects as the texts of what is in them, bounded in number: an array of digits would otherwise take a
//! dozen times its length in memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::{Spelled, scalar_end, skip_white_space, string};

/// Why there is nothing to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectError {
    /// No JSON, more than one value, or another kind of value.
    Mismatch,
    /// More entries than wanted.
    TooMany,
}

/// The items of an array.
pub(crate) fn array_items(json: &str, items_max: usize) -> Result<Vec<&RawValue>, CollectError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let items = deserializer.deserialize_seq(Items { items_max });
    collected(items, deserializer.end())
}

/// The value of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A string, as it is spelled.
    String { json: &'a str, has_escapes: bool },
    /// A number or a literal.
    Scalar(&'a str),
    /// An object or an array.
    Composite(&'a RawValue),
}

impl<'a> Value<'a> {
    /// The text that a string is; `None` for another value, and for one with half a surrogate pair.
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

    /// The value as serde has it.
    pub(crate) fn raw(self) -> &'a RawValue {
        match self {
            Value::Composite(json) => json,
            Value::String { json, .. } | Value::Scalar(json) => {
                serde_json::from_str(json).expect("Invariant: a value that was scanned is JSON")
            }
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
    let mut members = Members::of(json).ok_or(CollectError::Mismatch)?;
    let (mut result, mut count) = (Ok(()), 0);
    while members.has_next().ok_or(CollectError::Mismatch)? {
        let (key, value) = members.next().ok_or(CollectError::Mismatch)?;
        count += 1;
        if count <= members_max && result.is_ok() {
            result = take(key, value);
        }
    }
    if count > members_max && result.is_ok() {
        return Err(CollectError::TooMany);
    }
    Ok(result)
}

/// What is left of an object.
struct Members<'a> {
    json: &'a str,
    index: usize,
    is_first: bool,
}

impl<'a> Members<'a> {
    fn of(json: &'a str) -> Option<Members<'a>> {
        let index = skip_white_space(json.as_bytes(), 0);
        (json.as_bytes().get(index) == Some(&b'{')).then_some(Members {
            json,
            index: index + 1,
            is_first: true,
        })
    }

    /// Goes to the next key; false behind the last member, if nothing follows the object.
    fn has_next(&mut self) -> Option<bool> {
        let bytes = self.json.as_bytes();
        self.index = skip_white_space(bytes, self.index);
        let is_first = std::mem::replace(&mut self.is_first, false);
        match bytes.get(self.index)? {
            b'}' => return (skip_white_space(bytes, self.index + 1) == bytes.len()).then_some(false),
            b',' if !is_first => self.index = skip_white_space(bytes, self.index + 1),
            _ if is_first => {}
            _ => return None,
        }
        Some(true)
    }

    /// The member whose key stands here.
    fn next(&mut self) -> Option<(Cow<'a, str>, Value<'a>)> {
        let bytes = self.json.as_bytes();
        let (key, key_end) = self.string(self.index)?;
        let colon = skip_white_space(bytes, key_end);
        let start = skip_white_space(bytes, (bytes.get(colon) == Some(&b':')).then_some(colon + 1)?);
        let value = match bytes.get(start)? {
            b'"' => {
                let (value, end) = self.string(start)?;
                self.index = end;
                value
            }
            b'{' | b'[' => {
                let rest = serde_json::Deserializer::from_str(&self.json[start..]);
                let mut values = rest.into_iter::<&RawValue>();
                let value = values.next()?.ok()?;
                self.index = start + values.byte_offset();
                Value::Composite(value)
            }
            _ => {
                self.index = scalar_end(bytes, start)?;
                Value::Scalar(&self.json[start..self.index])
            }
        };
        Some((key.text()?, value))
    }

    /// A string, and where it ends.
    fn string(&self, start: usize) -> Option<(Value<'a>, usize)> {
        let bytes = self.json.as_bytes();
        let Spelled { end, has_escapes } = match bytes.get(start)? {
            b'"' => string(bytes, start + 1)?,
            _ => return None,
        };
        let json = &self.json[start..end];
        Some((Value::String { json, has_escapes }, end))
    }
}

fn collected<T>(
    entries: serde_json::Result<Option<T>>,
    end: serde_json::Result<()>,
) -> Result<T, CollectError> {
    match (entries, end) {
        (Ok(entries), Ok(())) => entries.ok_or(CollectError::TooMany),
        _ => Err(CollectError::Mismatch),
    }
}

struct Items {
    items_max: usize,
}

impl<'de> Visitor<'de> for Items {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            if items.len() == self.items_max {
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            items.push(item);
        }
        Ok(Some(items))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{CollectError, array_items, each_member};

    fn members(json: &str, members_max: usize) -> Result<Vec<(String, &str)>, CollectError> {
        let mut members = Vec::new();
        let taken = each_member(json, members_max, |key, value| {
            members.push((key.into_owned(), value.raw().get()));
            Ok::<(), ()>(())
        });
        taken.map(|_| members)
    }

    #[test]
    fn entries_keep_their_text_and_order() {
        let items: Vec<_> = array_items(" [1.0, {\"b\" :1}] ", 2)
            .expect("items")
            .iter()
            .map(|item| item.get())
            .collect();
        assert_eq!(items, ["1.0", "{\"b\" :1}"]);
        let members = members("{\"b\":1,\"a\":2,\"\\u0062\":3}", 3).expect("members");
        let members: Vec<_> = members.iter().map(|(key, value)| (&**key, *value)).collect();
        assert_eq!(members, [("b", "1"), ("a", "2"), ("b", "3")]);
    }

    #[test]
    fn anything_else_is_refused() {
        for json in ["", "{}", "1", "[1", "[1]]", "[1] [2]"] {
            assert_eq!(array_items(json, 9).expect_err(json), CollectError::Mismatch);
        }
        for json in ["", "[]", "null", "{\"a\":1", "{1:2}", "{} {}"] {
            assert_eq!(members(json, 9).expect_err(json), CollectError::Mismatch);
        }
        assert_eq!(
            array_items("[1,2,3,4]", 2).expect_err("too many"),
            CollectError::TooMany
        );
        assert_eq!(
            array_items("[1,2,3,4", 2).expect_err("no JSON"),
            CollectError::Mismatch
        );
        assert_eq!(
            members("{\"a\":1,\"b\":2}", 1).expect_err("too many"),
            CollectError::TooMany
        );
    }

    #[test]
    fn an_error_ends_the_taking_and_not_the_reading() {
        let first = |json| {
            let mut taken = 0;
            let result = each_member(json, 9, |_, value| {
                taken += 1;
                if value.raw().get() == "1" {
                    Err(taken)
                } else {
                    Ok(())
                }
            });
            (result, taken)
        };
        assert_eq!(first(r#"{"a":2,"b":1,"c":1}"#), (Ok(Err(2)), 2));
        assert_eq!(first(r#"{"a":2,"b":1,"c":}"#), (Err(CollectError::Mismatch), 2));
        assert_eq!(first(r#"{"a":1,"b":2"#), (Err(CollectError::Mismatch), 1));
    }

    /// The members as serde reads them.
    struct Reference(Vec<(String, String)>);

    impl<'de> serde::Deserialize<'de> for Reference {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct AsMembers;
            impl<'de> serde::de::Visitor<'de> for AsMembers {
                type Value = Reference;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
                    let mut members = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                        members.push((key, value.get().to_owned()));
                    }
                    Ok(Reference(members))
                }
            }
            deserializer.deserialize_map(AsMembers)
        }
    }

    fn agrees(json: &str) {
        let expected = serde_json::from_str(json).ok().map(|Reference(members)| members);
        let found = members(json, usize::MAX).ok().map(|members| {
            let owned = members.into_iter().map(|(key, value)| (key, value.to_owned()));
            owned.collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    fn what_is_json_is_as_serde_says() {
        let values = [
            "0",
            "-0",
            "01",
            "-",
            "1.",
            "1.0",
            ".5",
            "1e5",
            "1E+05",
            "1e",
            "1e-",
            "+1",
            "12345678901234567890123",
            "null",
            "nul",
            "nullx",
            "true",
            "false",
            "True",
            "\"\"",
            "\"abcdefgh\"",
            "\"abcdefg\\\"h\"",
            "\"\\u00e4\\ud800\"",
            "\"\\u00g0\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"12345678\u{1f}\"",
            "\"\u{7f}äöü𝄞\"",
            "\"open",
            "\"\\",
            "[]",
            "[1,]",
            "{\"a\":[{}]}",
            "[[",
            "{\"a\"}",
            "",
        ];
        for value in values {
            agrees(&format!("{{\"a\":{value}}}"));
            agrees(&format!(" {{ \"a\" : {value} , \"b\":1 }} "));
            agrees(&format!("{{\"a\":1,{value}}}"));
            agrees(&format!("{{{value}:1}}"));
            agrees(&format!("{{}}{value}"));
            agrees(value);
        }
    }

    proptest! {
        #[test]
        fn members_are_those_that_serde_finds(json in "[{]([ \t]{0,2}\"([a-z\\\\\"u0]|é|\\\\u00e9){0,12}\"[ ]?:[ ]?(-?[0-9]{1,3}([.][0-9]+)?(e[+-]?[0-9])?|null|true|\"[^\"]{0,20}\"|\\[[0-9, ]{0,4}\\]|[{][}])[ ]?,?){0,4}[}][ x]?") {
            agrees(&json);
        }

        #[test]
        fn any_text_is_judged_as_serde_judges_it(json in "[{\"a:,}0-9. \\\\n\\[\\]]{0,16}") {
            agrees(&json);
            let object = format!("{{\"a\":{json}}}");
            agrees(&object);
        }
    }
}
