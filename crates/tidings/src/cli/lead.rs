//! `tidings lead`: leads from files and into files.

mod export;
mod import;

use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::failure::Outcome;
use crate::opening;

use export::Export;
use import::Import;

/// What to do with leads.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LeadCommand {
    /// Add the leads of a file to a tenant's; rows that are no lead are told by their line, the others are kept
    Import(Import),
    /// Write a tenant's leads, oldest first
    Export(Export),
}

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table whose first row names the columns (RFC 4180)
    Csv,
    /// A JSON object on each line
    Jsonl,
}

impl LeadCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        opening::on_store(config, async |store| match self {
            Self::Import(import) => import.run(store).await,
            Self::Export(export) => export.run(store).await,
        })
    }
}

/// A bar that is shown on a terminal only.
pub(super) fn with_style(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).expect("Invariant: the templates are well-formed"))
}
