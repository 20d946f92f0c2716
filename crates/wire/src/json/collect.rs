//! Arrays and objects as the texts of what is in them, bounded in number: an array of digits would otherwise take a
//! dozen times its length in memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Why there is nothing to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectError {
    /// No JSON, more than one value, or another kind of value.
    Mismatch,
    /// More entries than wanted.
    TooMany,
}

/// As many members as most objects have.
const USUAL_MEMBERS: usize = 16;

/// The items of an array.
pub(crate) fn array_items(json: &str, items_max: usize) -> Result<Vec<&RawValue>, CollectError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let items = deserializer.deserialize_seq(Items { items_max });
    collected(items, deserializer.end())
}

/// The members of an object in their order, keys that come twice included. A key without escapes is borrowed.
pub(crate) fn object_members(
    json: &str,
    members_max: usize,
) -> Result<Vec<(Cow<'_, str>, &RawValue)>, CollectError> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let members = deserializer.deserialize_map(Members { members_max });
    collected(members, deserializer.end())
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

struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsText;
        impl<'de> Visitor<'de> for AsText {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(AsText)
    }
}

struct Members {
    members_max: usize,
}

impl<'de> Visitor<'de> for Members {
    type Value = Option<Vec<(Cow<'de, str>, &'de RawValue)>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(USUAL_MEMBERS.min(self.members_max));
        while let Some((Key(key), value)) = map.next_entry()? {
            if members.len() == self.members_max {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            members.push((key, value));
        }
        Ok(Some(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{CollectError, array_items, object_members};

    #[test]
    fn entries_keep_their_text_and_order() {
        let items: Vec<_> = array_items(" [1.0, {\"b\" :1}] ", 2)
            .expect("items")
            .iter()
            .map(|item| item.get())
            .collect();
        assert_eq!(items, ["1.0", "{\"b\" :1}"]);
        let members = object_members("{\"b\":1,\"a\":2,\"\\u0062\":3}", 3).expect("members");
        let members: Vec<_> = members.iter().map(|(key, value)| (&**key, value.get())).collect();
        assert_eq!(members, [("b", "1"), ("a", "2"), ("b", "3")]);
    }

    #[test]
    fn anything_else_is_refused() {
        for json in ["", "{}", "1", "[1", "[1]]", "[1] [2]"] {
            assert_eq!(array_items(json, 9).expect_err(json), CollectError::Mismatch);
        }
        for json in ["", "[]", "null", "{\"a\":1", "{1:2}", "{} {}"] {
            assert_eq!(object_members(json, 9).expect_err(json), CollectError::Mismatch);
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
            object_members("{\"a\":1,\"b\":2}", 1).expect_err("too many"),
            CollectError::TooMany
        );
    }
}
