//! The listeners by name, for keys that say which of them something holds for.

use std::fmt;
use std::str::FromStr;

use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

/// A listener, by the name it logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenerName(&'static str);

const NAMES: [&str; 5] = ["flow", "tasks", "workflows", "operators", "ingest"];

impl ListenerName {
    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

/// The text names no listener.
#[derive(Debug)]
pub(crate) struct ListenerNameError;

impl FromStr for ListenerName {
    type Err = ListenerNameError;

    fn from_str(text: &str) -> Result<Self, ListenerNameError> {
        NAMES
            .into_iter()
            .find(|name| *name == text)
            .map(Self)
            .ok_or(ListenerNameError)
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Setting for ListenerName {
    fn expected() -> String {
        "`flow`, `tasks`, `workflows`, `operators` or `ingest`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.0))
    }
}
