//! The process: mode, data directory, stopping.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// The process as a whole.
    ["server"] Server(base) {
        /// `development` serves this machine alone, with demo tenants and a secret of its own.
        /// `production` refuses to start before secrets, origins and listeners are fit for strangers.
        mode: Mode = base.mode;
        /// Where the database, the lock, `listeners.json` and the development secret lie.
        data_dir: PathBuf = base.data_dir.clone();
        /// How many hub shards to run; 0 is one for each processor.
        shards: u32 = 0, within 0..=64;
        /// How long a stopping server gives its connections to leave, in milliseconds.
        drain_timeout_ms: u64 = base.mode.pick(5_000, 20_000), within 0..=3_600_000;
    }
}

/// What the server may be exposed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One developer's machine.
    Development,
    /// The world.
    Production,
}

impl Mode {
    /// The value for this mode.
    pub(crate) fn pick<T>(self, development: T, production: T) -> T {
        match self {
            Self::Development => development,
            Self::Production => production,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        self.pick("development", "production")
    }
}

/// The text is no mode.
#[derive(Debug)]
pub(crate) struct ModeError;

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err(ModeError),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Setting for Mode {
    fn expected() -> String {
        "`development` or `production`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}
