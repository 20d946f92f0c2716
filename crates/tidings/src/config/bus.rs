//! What carries events between nodes.

use std::fmt;
use std::str::FromStr;

use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// What carries events between nodes.
    ["bus"] Bus(base) {
        /// `memory://`: one node, nothing between.
        url: BusUrl = BusUrl::Memory;
    }
}

/// A bus this build has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BusUrl {
    /// One node.
    Memory,
}

/// The text names no bus.
#[derive(Debug)]
pub(crate) struct BusUrlError;

impl FromStr for BusUrl {
    type Err = BusUrlError;

    fn from_str(text: &str) -> Result<Self, BusUrlError> {
        match text {
            "memory" | "memory:" | "memory://" => Ok(Self::Memory),
            _ => Err(BusUrlError),
        }
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("memory://")
    }
}

impl Setting for BusUrl {
    fn expected() -> String {
        "`memory://`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}
