//! `tidings route`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use tidings_hub::Gateway;
use tidings_sources::Trial;

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::sources;

/// What to do with the rules by which events are routed.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RouteCommand {
    /// Print where an event would go and why
    Test(Test),
}

/// Try the rules on an event.
#[derive(Debug, Clone, Args)]
pub(crate) struct Test {
    /// The event, a `CloudEvent` in JSON or its data alone; `-`: from the standard input
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// The topic that it comes from; that of `tasks.dapr.topic` if not given
    #[arg(long)]
    topic: Option<String>,
}

impl RouteCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        let Self::Test(test) = self;
        let routes = sources::routes(config)?;
        let event = read(&test.event)?;
        let topic = test.topic.as_ref().unwrap_or(&config.tasks_dapr.topic);
        let trial = Trial::of(&routes, Some(topic), &event);

        let mut output = io::stdout().lock();
        for (place, unmet) in (1..).zip(&trial.passed_over) {
            let found = unmet
                .found
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), |found| format!("`{found}`"));
            writeln!(
                output,
                "rule {place} is not met: {}, found {found}",
                unmet.condition
            )?;
        }
        if trial.is_decided {
            writeln!(output, "rule {} decides", trial.passed_over.len() + 1)?;
        }
        let destination = trial.result.map_err(|reason| {
            Failure::Usage(anyhow::anyhow!("the event would become a dead letter: {reason}"))
        })?;
        for room in &destination.rooms {
            writeln!(output, "room: {room}")?;
        }
        writeln!(output, "kind: {}", destination.kind)?;
        let gateways = Gateway::ALL
            .into_iter()
            .filter(|gateway| destination.gateways.contains(*gateway));
        let gateways: Vec<&str> = gateways.map(Gateway::as_str).collect();
        writeln!(output, "gateways: {}", gateways.join(", "))?;
        Ok(())
    }
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    let mut event = Vec::new();
    if file == Path::new("-") {
        io::stdin().read_to_end(&mut event)?;
        return Ok(event);
    }
    fs::read(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(Failure::Usage)
}
