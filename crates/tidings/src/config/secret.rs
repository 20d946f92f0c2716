//! Text that is never shown.

use std::fmt;

use super::setting::Setting;
use super::value::{Mismatch, Value};

/// A secret. Printing it in any way gives `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl Setting for Secret {
    const IS_SECRET: bool = true;

    fn expected() -> String {
        "text".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        value
            .text()
            .filter(|text| !text.is_empty())
            .map(Self::new)
            .ok_or_else(Self::mismatch)
    }

    fn show(&self) -> Option<String> {
        Some("\"[redacted]\"".into())
    }
}
