//! `tidings check-config`.

use std::io::{self, Write};

use clap::Args;

use crate::config::{self, Loaded};
use crate::data_dir::DataDir;
use crate::failure::{Failure, Outcome};

/// Check the configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckConfig {
    /// Print every key in force and where it was set; secrets are redacted
    #[arg(long)]
    print_effective: bool,
}

impl CheckConfig {
    pub(crate) fn run(&self, loaded: &Loaded) -> Outcome {
        let mut output = io::stdout().lock();
        if self.print_effective {
            write!(output, "{}", config::effective(loaded))?;
        }
        refuse_unfit(loaded)?;
        if !self.print_effective {
            writeln!(output, "the configuration is good")?;
        }
        Ok(())
    }
}

/// Refuses a configuration that its mode does not allow, telling everything at once.
pub(crate) fn refuse_unfit(loaded: &Loaded) -> Outcome {
    let config = &loaded.config;
    let development_secret = DataDir::existing_jwt_secret(&config.server.data_dir)?;
    refuse(
        &config::refusals(config, development_secret.as_ref()),
        config.server.mode,
    )
}

/// Turns refusals into a failure.
pub(crate) fn refuse(refusals: &[config::Refusal], mode: config::Mode) -> Outcome {
    if refusals.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    Err(Failure::usage(format!(
        "{mode} mode refuses to start\n{}",
        reasons.join("\n")
    )))
}
