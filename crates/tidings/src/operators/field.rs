//! Reads a JSON object field by field, so that each refusal names the field and what it must be.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of a request, not yet judged. Unknown fields are ignored; of a repeated one the last counts.
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

/// A field that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: expected {expected}")]
pub(super) struct FieldError {
    /// The field, or `body`.
    pub(super) field: &'static str,
    /// What it must be.
    pub(super) expected: String,
}

impl FieldError {
    pub(super) fn new(field: &'static str, expected: impl Into<String>) -> Self {
        Self {
            field,
            expected: expected.into(),
        }
    }
}

impl<'a> Fields<'a> {
    /// Reads a JSON object.
    pub(super) fn read(json: &'a [u8]) -> Result<Self, FieldError> {
        serde_json::from_slice(json)
            .map(Self)
            .map_err(|error| FieldError::new("body", format!("a JSON object ({error})")))
    }

    /// An optional field; `null` counts as absent.
    pub(super) fn optional<T>(&self, field: &'static str, expected: &str) -> Result<Option<T>, FieldError>
    where
        T: Deserialize<'a>,
    {
        match self.raw(field) {
            None => Ok(None),
            Some(json) if json.get() == "null" => Ok(None),
            Some(json) => serde_json::from_str(json.get())
                .map(Some)
                .map_err(|_| FieldError::new(field, expected)),
        }
    }

    /// A field that must be there.
    pub(super) fn required<T>(&self, field: &'static str, expected: &str) -> Result<T, FieldError>
    where
        T: Deserialize<'a>,
    {
        self.optional(field, expected)?
            .ok_or_else(|| FieldError::new(field, expected))
    }

    /// A field as it was written.
    pub(super) fn raw(&self, field: &str) -> Option<&'a RawValue> {
        self.0.get(field).copied()
    }
}
