//! What is known about a lead: a JSON object in the sender's own spelling.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::StoreError;

/// The longest payload, in bytes of JSON.
pub const LEAD_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// A JSON object: `name`, `email`, `company`, `phone`, `notes` and any other keys. Key order and the spelling of
/// values stay as they came; of keys given twice the last value counts.
#[derive(Clone)]
pub struct LeadPayload(Box<RawValue>);

/// Why a text is no lead payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeadPayloadError {
    /// It is no JSON object.
    #[error("payload is not a JSON object")]
    NotAnObject,
    /// It is longer than [`LEAD_PAYLOAD_BYTES_MAX`].
    #[error("payload is longer than 256 KiB")]
    TooLong,
}

impl LeadPayload {
    /// Takes the text of a JSON object.
    pub fn parse(json: &str) -> Result<LeadPayload, LeadPayloadError> {
        if json.len() > LEAD_PAYLOAD_BYTES_MAX {
            return Err(LeadPayloadError::TooLong);
        }
        let mut entries: Entries<'_> =
            serde_json::from_str(json).map_err(|_| LeadPayloadError::NotAnObject)?;
        entries.keep_last_of_each_key();
        let raw = serde_json::value::to_raw_value(&entries).map_err(|_| LeadPayloadError::NotAnObject)?;
        Ok(LeadPayload(raw))
    }

    /// Takes what serializes as a JSON object.
    pub fn from_serialize(value: &impl Serialize) -> Result<LeadPayload, LeadPayloadError> {
        let json = serde_json::to_string(value).map_err(|_| LeadPayloadError::NotAnObject)?;
        LeadPayload::parse(&json)
    }

    /// This object with the members of another in place of its own or behind them, and without those that are null
    /// there; and what of the other made a difference.
    pub fn merged(&self, patch: &LeadPayload) -> Result<(LeadPayload, LeadPayload), LeadPayloadError> {
        let not_an_object = |_| LeadPayloadError::NotAnObject;
        let mut entries: Entries<'_> = serde_json::from_str(self.0.get()).map_err(not_an_object)?;
        let patch: Entries<'_> = serde_json::from_str(patch.0.get()).map_err(not_an_object)?;
        let mut changes = Entries::default();
        for (key, value) in patch.0 {
            let place = entries.0.iter().position(|(known, _)| *known == key);
            match (place, value.get()) {
                (None, "null") => continue,
                (Some(place), "null") => drop(entries.0.remove(place)),
                (Some(place), new) if entries.0[place].1.get() == new => continue,
                (Some(place), _) => entries.0[place].1 = value,
                (None, _) => entries.0.push((key.clone(), value)),
            }
            changes.0.push((key, value));
        }
        let payload = |entries: &Entries<'_>| {
            let raw = serde_json::value::to_raw_value(entries).map_err(not_an_object)?;
            let is_short = raw.get().len() <= LEAD_PAYLOAD_BYTES_MAX;
            is_short
                .then_some(LeadPayload(raw))
                .ok_or(LeadPayloadError::TooLong)
        };
        Ok((payload(&entries)?, payload(&changes)?))
    }

    /// The value of a key, as JSON.
    pub fn get(&self, key: &str) -> Option<&RawValue> {
        let entries: Entries<'_> = serde_json::from_str(self.0.get()).ok()?;
        entries
            .0
            .into_iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The value of a key that is a string.
    pub fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }

    /// The strings under these keys, in their order, read in one pass.
    pub(crate) fn texts<const N: usize>(&self, keys: [&str; N]) -> [Option<String>; N] {
        // The payload was parsed once before; should it not be, there is nothing to find in it.
        let entries: Entries<'_> = serde_json::from_str(self.0.get()).unwrap_or_default();
        keys.map(|key| {
            let (_, value) = entries.0.iter().find(|(name, _)| name == key)?;
            serde_json::from_str(value.get()).ok()
        })
    }

    /// The object's JSON text.
    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }

    /// A payload that comes out of the database, where only checked ones go in.
    pub(crate) fn stored(json: String) -> Result<LeadPayload, StoreError> {
        RawValue::from_string(json)
            .map(LeadPayload)
            .map_err(|error| StoreError::Corrupt(error.into()))
    }
}

impl PartialSchema for LeadPayload {
    fn schema() -> RefOr<Schema> {
        let about = "What is known about a lead: `name`, `email`, `company`, `phone`, `notes` and any other members, \
                     in the sender's spelling.";
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(about))
            .into()
    }
}

impl ToSchema for LeadPayload {}

impl Default for LeadPayload {
    /// An object without members.
    fn default() -> LeadPayload {
        LeadPayload::parse("{}").expect("Invariant: {} is an object")
    }
}

impl PartialEq for LeadPayload {
    fn eq(&self, other: &LeadPayload) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Serialize for LeadPayload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

// Written by hand: personal data does not belong into logs.
impl fmt::Debug for LeadPayload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LeadPayload({} bytes)", self.0.get().len())
    }
}

/// An object's entries in their order, the values unread.
#[derive(Default)]
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Entries<'_> {
    fn keep_last_of_each_key(&mut self) {
        let mut positions = std::collections::HashMap::with_capacity(self.0.len());
        let mut kept: Vec<(Cow<'_, str>, &RawValue)> = Vec::with_capacity(self.0.len());
        for (key, value) in self.0.drain(..) {
            if let Some(&position) = positions.get(&key) {
                let (_, earlier): &mut (_, _) = &mut kept[position];
                *earlier = value;
            } else {
                positions.insert(key.clone(), kept.len());
                kept.push((key, value));
            }
        }
        self.0 = kept;
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// A key that is borrowed where the text has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_spelling_are_kept() {
        let cases = [
            ("{}", "{}"),
            (
                r#" { "name" : "Ann", "email":"a@b.c" } "#,
                r#"{"name":"Ann","email":"a@b.c"}"#,
            ),
            (
                r#"{"z":1.50,"a":1e2,"m":{"b":1,"a":[1, 2]}}"#,
                r#"{"z":1.50,"a":1e2,"m":{"b":1,"a":[1, 2]}}"#,
            ),
            (
                r#"{"n":123456789012345678901234567890}"#,
                r#"{"n":123456789012345678901234567890}"#,
            ),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
        ];
        for (json, expected) in cases {
            assert_eq!(LeadPayload::parse(json).unwrap().as_raw().get(), expected);
        }
    }

    #[test]
    fn patches() {
        let own = r#"{"name":"Ann","email":"a@b.c","n":1.50,"o":{"a":1}}"#;
        let table = [
            ("{}", own, "{}"),
            (r#"{"name":"Ann","gone":null}"#, own, "{}"),
            (
                r#"{"name":"Bo","n":null,"new":[1]}"#,
                r#"{"name":"Bo","email":"a@b.c","o":{"a":1},"new":[1]}"#,
                r#"{"name":"Bo","n":null,"new":[1]}"#,
            ),
            // Shallow: an object is replaced as a whole.
            (
                r#"{"o":{"b":2}}"#,
                r#"{"name":"Ann","email":"a@b.c","n":1.50,"o":{"b":2}}"#,
                r#"{"o":{"b":2}}"#,
            ),
        ];
        for (patch, expected, changed) in table {
            let (merged, changes) = LeadPayload::parse(own)
                .unwrap()
                .merged(&LeadPayload::parse(patch).unwrap())
                .unwrap();
            assert_eq!(
                (merged.as_raw().get(), changes.as_raw().get()),
                (expected, changed),
                "{patch}"
            );
        }
        let long = format!("{{\"b\":\"{}\"}}", "x".repeat(LEAD_PAYLOAD_BYTES_MAX - 20));
        let long = LeadPayload::parse(&long).unwrap();
        assert_eq!(
            LeadPayload::parse(own).unwrap().merged(&long).err(),
            Some(LeadPayloadError::TooLong)
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let deep = "[".repeat(100_000);
        for json in [
            "",
            "null",
            "[]",
            "\"a\"",
            "{",
            "{\"a\":}",
            "{\"a\":1} x",
            "{1:2}",
            &deep,
            &format!("{{\"a\":{deep}"),
        ] {
            let refusal = LeadPayload::parse(json).err();
            assert_eq!(
                refusal,
                Some(LeadPayloadError::NotAnObject),
                "{}",
                &json[..json.len().min(20)]
            );
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LEAD_PAYLOAD_BYTES_MAX));
        assert_eq!(LeadPayload::parse(&long).err(), Some(LeadPayloadError::TooLong));
    }

    #[test]
    fn values_are_found() {
        let payload = LeadPayload::parse(r#"{"name":"J\u00f8rgen","age":7,"phone":null}"#).unwrap();
        assert_eq!(payload.text("name").as_deref(), Some("Jørgen"));
        assert_eq!(payload.get("age").map(RawValue::get), Some("7"));
        for absent in ["age", "phone", "email"] {
            assert_eq!(payload.text(absent), None, "{absent}");
        }
        assert!(!format!("{payload:?}").contains("rgen"));
    }
}
