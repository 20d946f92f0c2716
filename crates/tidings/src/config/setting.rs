//! The types a key can have: what they take, and how they are shown.

use std::path::PathBuf;
use std::str::FromStr;

use super::value::{Mismatch, Value};

/// A type a key can have.
pub(super) trait Setting: Sized {
    /// Whether the value is never shown.
    const IS_SECRET: bool = false;
    /// What a value must be, to complete "expected …".
    fn expected() -> String;
    /// Reads a value.
    fn read(value: &Value) -> Result<Self, Mismatch>;
    /// The value as TOML text; `None` if unset.
    fn show(&self) -> Option<String>;

    /// The refusal of a value that is none of this type.
    fn mismatch() -> Mismatch {
        Mismatch::new(Self::expected())
    }
}

/// Text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Reads text that parses; for types with one spelling.
pub(super) fn parsed<T: Setting + FromStr>(value: &Value) -> Result<T, Mismatch> {
    value
        .text()
        .and_then(|text| text.parse().ok())
        .ok_or_else(T::mismatch)
}

fn number<T>(value: &Value) -> Result<T, Mismatch>
where
    T: Setting + FromStr + TryFrom<i64>,
{
    match value {
        Value::Integer(integer) => T::try_from(*integer).ok(),
        Value::Word(word) => word.parse().ok(),
        _ => None,
    }
    .ok_or_else(T::mismatch)
}

impl Setting for u32 {
    fn expected() -> String {
        "a whole number".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        number(value)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for u64 {
    fn expected() -> String {
        "a whole number".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        number(value)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for bool {
    fn expected() -> String {
        "true or false".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        match value {
            Value::Boolean(boolean) => Some(*boolean),
            Value::Word(word) => word.parse().ok(),
            _ => None,
        }
        .ok_or_else(Self::mismatch)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for String {
    fn expected() -> String {
        "text".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        value
            .text()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .ok_or_else(Self::mismatch)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Setting for PathBuf {
    fn expected() -> String {
        "a path".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        value
            .text()
            .filter(|text| !text.is_empty())
            .map(Self::from)
            .ok_or_else(Self::mismatch)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

/// Empty text unsets the key, so that a variable can take back what the file says.
impl<T: Setting> Setting for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn expected() -> String {
        T::expected()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        if value.text() == Some("") {
            Ok(None)
        } else {
            T::read(value).map(Some)
        }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

/// In a variable or behind a flag, a list's items stand between commas.
impl<T: Setting> Setting for Vec<T> {
    const IS_SECRET: bool = T::IS_SECRET;

    fn expected() -> String {
        format!("a list, each item {}", T::expected())
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        let items = match value {
            Value::List(items) => items.iter().map(T::read).collect::<Result<Self, _>>(),
            Value::Word(words) => words
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(|word| T::read(&Value::Word(word.to_owned())))
                .collect(),
            _ => Err(Self::mismatch()),
        };
        items.map_err(|_| Self::mismatch())
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(T::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}
