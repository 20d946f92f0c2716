//! What is logged, and how.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// What is logged to standard error, and how.
    ["log"] Log(base) {
        /// The least level (`error`, `warn`, `info`, `debug`, `trace`), or a filter such as `info,tidings_hub=debug`.
        level: LogFilter = LogFilter("info".into());
        /// `human`, `json`, or `auto`: human on a terminal, JSON otherwise.
        format: LogFormat = LogFormat::Auto;
    }
}

/// A level, or a list of levels and `target=level` directives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is no log filter.
#[derive(Debug)]
pub(crate) struct LogFilterError;

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        // The subscriber would take a misspelt level for a target, and fall silent.
        let is_plain = |directive: &str| {
            let level = directive
                .rsplit_once('=')
                .map_or(directive, |(_, level)| level)
                .trim();
            ["off", "error", "warn", "info", "debug", "trace"]
                .iter()
                .any(|known| level.eq_ignore_ascii_case(known))
        };
        let is_filter = text.split(',').all(is_plain) && EnvFilter::try_new(text).is_ok();
        if is_filter {
            Ok(Self(text.to_owned()))
        } else {
            Err(LogFilterError)
        }
    }
}

impl Setting for LogFilter {
    fn expected() -> String {
        "`error`, `warn`, `info`, `debug`, `trace`, `off`, or a list of such and `target=level`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The text is no log format.
#[derive(Debug)]
pub(crate) struct LogFormatError;

impl FromStr for LogFormat {
    type Err = LogFormatError;

    fn from_str(text: &str) -> Result<Self, LogFormatError> {
        match text {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(LogFormatError),
        }
    }
}

impl Setting for LogFormat {
    fn expected() -> String {
        "`auto`, `human` or `json`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }))
    }
}
