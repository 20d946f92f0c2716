//! Which web pages may connect.

use std::fmt;
use std::str::FromStr;

use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// Which web pages may connect. Requests without `Origin` do not come from a page and pass.
    ["origins"] Origins(base) {
        /// The origins allowed, such as `https://app.example.com`, or `*` for all.
        /// Empty in development: http and https on `localhost`, `127.0.0.1` and `[::1]`, any port.
        allowed: Vec<Origin> = Vec::new();
    }
}

/// An origin, lower case as browsers send it, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no origin.
#[derive(Debug)]
pub(crate) struct OriginError;

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "*" {
            return Ok(Self(text.to_owned()));
        }
        // A path, even a lone slash, would never equal what a browser sends.
        let authority = text.split_once("://").ok_or(OriginError)?.1;
        let is_plain = !authority.is_empty()
            && !authority.contains(|character: char| {
                matches!(character, '/' | '?' | '#' | '@') || character.is_whitespace()
            });
        if is_plain {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(OriginError)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Setting for Origin {
    fn expected() -> String {
        "`scheme://host` or `scheme://host:port` without a path, or `*`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}
