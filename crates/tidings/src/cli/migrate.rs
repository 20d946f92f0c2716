//! `tidings migrate`.

use std::io::{self, Write};

use crate::config::Config;
use crate::failure::Outcome;
use crate::opening;

/// Brings the database up to date.
pub(crate) fn run(config: &Config) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        opening::migrated_store(config).await?.close().await;
        writeln!(io::stdout(), "the store is up to date")?;
        Ok(())
    })
}
