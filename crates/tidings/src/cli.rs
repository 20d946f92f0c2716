//! The command line.

pub(crate) mod asyncapi;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod check_config;
mod claim;
pub(crate) mod dead_letters;
pub(crate) mod demo;
mod duration;
pub(crate) mod healthcheck;
pub(crate) mod key;
pub(crate) mod lead;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod route;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod version;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Flag, Loaded, Sources};
use crate::failure::{Failure, Outcome};

/// A real-time event gateway: publish once, and every client that may see it receives it at once.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Common {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TIDINGS_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Where the database, the lock and the development secret lie (default: data, or `TIDINGS__SERVER__DATA_DIR`)
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<String>,
    /// What the server may be exposed to (default: development, or `TIDINGS__SERVER__MODE`)
    #[arg(long, value_name = "development|production", global = true)]
    mode: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Serve (the default)
    Serve,
    /// Make tokens for users, operators and services, and revoke them
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Make, list, suspend, resume and delete tenants
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Make, list, rotate and revoke tenant keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Import and export leads
    #[command(subcommand)]
    Lead(lead::LeadCommand),
    /// List and check a tenant's audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make, list, check and put back backups of a tenant
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// List, show and delete events that could not be delivered
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Try the rules by which events are routed
    #[command(subcommand)]
    Route(route::RouteCommand),
    /// Bring a PostgreSQL database up to date; SQLite is at every start
    Migrate,
    /// Check the configuration without starting
    CheckConfig(check_config::CheckConfig),
    /// Ask a running server whether it works: exit code 0 if so, 1 if not
    Healthcheck(healthcheck::Healthcheck),
    /// Play an application's backend against the running development server, and print the link to the page that shows it
    Demo(demo::Demo),
    /// Print the version
    Version(version::Version),
    /// Print the OpenAPI document of a gateway, or of all of them
    Openapi(openapi::Openapi),
    /// Print the AsyncAPI document of a gateway, or of all of them
    Asyncapi(asyncapi::Asyncapi),
    /// Print the reference page of all configuration keys
    #[command(subcommand, hide = true)]
    Config(ConfigCommand),
}

/// What to print about the configuration.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// The reference page, in Markdown
    Doc,
}

impl Cli {
    pub(crate) fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }
}

impl Common {
    /// Loads the configuration from file, environment and flags.
    pub(crate) fn load(&self) -> Outcome<Loaded> {
        config::load(&self.sources()).map_err(|errors| Failure::Usage(errors.into()))
    }

    fn sources(&self) -> Sources {
        let flag = |name, path, value: &Option<String>| value.clone().map(|value| Flag { name, path, value });
        Sources {
            file: self.config.clone(),
            variables: config::variables(),
            flags: [
                flag("--data-dir", "server.data_dir", &self.data_dir),
                flag("--mode", "server.mode", &self.mode),
            ]
            .into_iter()
            .flatten()
            .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("tidings").chain(words.split_whitespace()))
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        for words in [
            "",
            "serve",
            "--data-dir d",
            "serve --data-dir d --mode production --config c.toml",
        ] {
            assert!(
                matches!(parse(words).unwrap().command(), Command::Serve),
                "{words}"
            );
        }
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        for words in [
            "--data-dir d --mode production check-config",
            "check-config --mode production --data-dir d",
        ] {
            let flags = parse(words).unwrap().common.sources().flags;
            let pairs: Vec<_> = flags
                .iter()
                .map(|flag| (flag.path, flag.value.as_str()))
                .collect();
            assert_eq!(
                pairs,
                [("server.data_dir", "d"), ("server.mode", "production")],
                "{words}"
            );
        }
    }

    #[test]
    fn commands_take_what_they_need() {
        for words in [
            "token create --user 42",
            "token create --user u --claim a=1 --claim b=x --ttl 15m --quiet",
            "token create --operator",
            "token create --service --ttl 30d",
            "token revoke --jti 0192f0c1",
            "token revoke --sub user@example.com --until 30d",
            "token revoke --sub 42 --until 2027-01-31T12:00:00Z",
            "token revoked --json",
            "key create --tenant demo1 --permission leads:read --quiet",
            "key create --tenant demo1 --permission leads:read --permission admin --expires 90d",
            "key list --tenant demo1",
            "key list --tenant demo1 --json",
            "key rotate key_0192f0c1-7a7b-7c7d-8e8f-909192939495",
            "key rotate key_0192f0c1-7a7b-7c7d-8e8f-909192939495 --grace 0s --quiet",
            "tenant create acme",
            "tenant create acme --name Acme --slug the-acme",
            "tenant list --json",
            "tenant suspend acme",
            "tenant resume acme",
            "tenant delete acme --yes",
            "key revoke key_0192f0c1-7a7b-7c7d-8e8f-909192939495",
            "backup create --tenant demo1 --type incremental",
            "backup list --tenant demo1 --json",
            "backup verify --tenant demo1",
            "backup restore --tenant demo1 --replace job_0192f0c1-7a7b-7c7d-8e8f-909192939495",
            "backup delete --tenant demo1 job_0192f0c1-7a7b-7c7d-8e8f-909192939495",
            "check-config --print-effective",
            "healthcheck",
            "healthcheck http://localhost:9400/livez --timeout 2s",
            "demo",
            "demo --user ada --pace 250ms --executions 3 --seed 7 --patience 1m --ttl 1h",
            "demo --interval 2s",
            "version --json",
            "config doc",
            "openapi",
        ] {
            parse(words).unwrap_or_else(|error| panic!("{words}: {error}"));
        }
        for words in [
            "token create",
            "token create --user a --operator",
            "token create --operator --service",
            "token create --operator --claim a=1",
            "token create --user",
            "token create --user a --claim novalue",
            "token create --user a --ttl soon",
            "token revoke",
            "token revoke --jti a --sub b",
            "token revoke --jti a --until soon",
            "key create --tenant demo1",
            "key create --permission admin",
            "key create --tenant demo1 --permission everything",
            "backup create",
            "backup restore --tenant demo1 newest",
            "backup delete --tenant demo1",
            "key list",
            "key revoke",
            "key rotate",
            "key rotate key_0192f0c1-7a7b-7c7d-8e8f-909192939495 --grace 1",
            "tenant",
            "tenant create",
            "tenant create spa/ce",
            "tenant create acme --slug spa/ce",
            "tenant suspend",
            "tenant delete",
            "key revoke demo-tenant-key-1",
            "key create --tenant spa/ce --permission admin",
            "healthcheck https://localhost/health",
            "healthcheck localhost:9400",
            "healthcheck --timeout 0s",
            "demo --pace 0ms",
            "demo --pace 2h",
            "demo --user",
            "demo --seed x",
            "demo --executions -1",
            "start",
            "serve --port 1",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
