//! The `tidings` binary: configuration, command line, wiring, operators' listener.

mod assembly;
mod asyncapi;
mod authentication;
mod backups;
mod banner;
mod board;
mod certificates;
mod cli;
mod compliance;
mod config;
mod data_dir;
mod demo;
mod descriptors;
mod documents;
mod failure;
mod health;
mod hub;
mod jwks;
mod listeners;
mod listening;
mod logging;
mod memory;
mod metrics;
mod openapi;
mod opening;
mod operators;
mod readings;
mod rules;
mod running;
mod serve;
mod shutdown;
mod signing;
mod sources;
mod time;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::failure::Outcome;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything could use cryptography: with two providers in the tree, none would be chosen.
    tidings_access::install_crypto_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody may be reading; the exit code tells it too.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(64)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "tidings: {:#}", failure.error());
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Outcome {
    match cli.command() {
        Command::Serve => serve::run(&cli.common.load()?),
        Command::Token(command) => command.run(&cli.common.load()?.config),
        Command::Tenant(command) => command.run(&cli.common.load()?.config),
        Command::Key(command) => command.run(&cli.common.load()?.config),
        Command::Lead(command) => command.run(&cli.common.load()?.config),
        Command::Audit(command) => command.run(&cli.common.load()?.config),
        Command::Backup(command) => command.run(&cli.common.load()?.config),
        Command::DeadLetters(command) => command.run(&cli.common.load()?.config),
        Command::Route(command) => command.run(&cli.common.load()?.config),
        Command::Migrate => cli::migrate::run(&cli.common.load()?.config),
        Command::CheckConfig(command) => command.run(&cli.common.load()?),
        Command::Healthcheck(command) => command.run(&cli.common),
        Command::Demo(command) => command.run(&cli.common.load()?.config),
        Command::Version(command) => command.run(),
        Command::Openapi(command) => command.run(),
        Command::Asyncapi(command) => command.run(),
        Command::Config(cli::ConfigCommand::Doc) => {
            io::stdout().lock().write_all(config::reference().as_bytes())?;
            Ok(())
        }
    }
}
