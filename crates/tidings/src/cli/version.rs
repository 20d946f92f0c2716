//! `tidings version`.

use std::io::{self, Write};

use clap::Args;

use crate::failure::Outcome;

/// The version of this build.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Print the version.
#[derive(Debug, Clone, Args)]
pub(crate) struct Version {
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(crate) fn run(&self) -> Outcome {
        let mut output = io::stdout().lock();
        if self.json {
            let version = serde_json::json!({
                "name": "tidings",
                "version": VERSION,
                "os": std::env::consts::OS,
                "architecture": std::env::consts::ARCH,
            });
            writeln!(output, "{version}")?;
        } else {
            writeln!(output, "tidings {VERSION}")?;
        }
        Ok(())
    }
}
