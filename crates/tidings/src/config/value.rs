//! A value as it was written: in the file, in a variable or behind a flag.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// A value before it is known what it must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// From a variable or a flag: text whose type the key decides.
    Word(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    List(Vec<Value>),
    /// A TOML table that is no section.
    Table(Vec<(String, Value)>),
    /// Anything else, by its name; no key takes it.
    Other(&'static str),
}

/// The value is not what its key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) expected: String,
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
        }
    }
}

impl Value {
    /// The text of a value that may be text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list that a variable holds in TOML.
    pub(super) fn list_in_toml(text: &str) -> Option<Vec<Value>> {
        let document = format!("list = {text}");
        let table = DeTable::parse(&document).ok()?;
        // No more than the list: a line break would begin another key.
        match (
            table.get_ref().len(),
            table.get_ref().get("list")?.get_ref().into(),
        ) {
            (1, Value::List(items)) => Some(items),
            _ => None,
        }
    }
}

impl From<&DeValue<'_>> for Value {
    fn from(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Self::Other("a number out of range"), Self::Integer),
            DeValue::Boolean(boolean) => Self::Boolean(*boolean),
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| Self::from(item.get_ref())).collect())
            }
            DeValue::Float(_) => Self::Other("a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Table(table) => Self::Table(
                table
                    .iter()
                    .map(|(name, value)| (name.get_ref().to_string(), Self::from(value.get_ref())))
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Integer(integer) => write!(formatter, "{integer}"),
            Self::Boolean(boolean) => write!(formatter, "{boolean}"),
            Self::List(_) => formatter.write_str("a list"),
            Self::Table(_) => formatter.write_str("a table"),
            Self::Other(name) => formatter.write_str(name),
        }
    }
}
