//! `tidings dead-letters`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use tidings_store::{DeadLetterFilter, DeadLetterId, Store};
use tidings_wire::time::Timestamp;

use super::duration;
use super::tenant::json_line;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::opening;
use crate::time::now;

/// As many are read at once, each with its event.
const READ_AT_ONCE: u32 = 100;

/// What to do with events that could not be delivered.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Print them, newest first, a line of JSON for each, without the events
    List(List),
    /// Print one's event as it was received
    Show(Show),
    /// Delete them, for good
    Purge(Purge),
}

/// Which of them.
#[derive(Debug, Clone, Args)]
struct Which {
    /// Those of this source: dapr
    #[arg(long)]
    source: Option<String>,
    /// Those with this reason: `no_route`, `no_user`, `invalid_user`, `not_json`, `mislabelled`, `too_large`
    #[arg(long)]
    reason: Option<String>,
    /// Those that are older: 90s, 15m, 1h, 30d
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    older_than: Option<Duration>,
}

/// Print them.
#[derive(Debug, Clone, Args)]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// Begin behind the one of this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    /// Print no more than so many
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: u64,
}

/// Print one.
#[derive(Debug, Clone, Args)]
pub(crate) struct Show {
    /// Its number
    number: i64,
}

/// Delete them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    which: Which,
    /// All of them
    #[arg(long, conflicts_with_all = ["source", "reason", "older_than"])]
    all: bool,
}

impl DeadLettersCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        opening::on_store(config, async |store| match self {
            Self::List(list) => list.run(store).await,
            Self::Show(show) => show.run(store).await,
            Self::Purge(purge) => purge.run(store).await,
        })
    }
}

impl Which {
    fn filter(self) -> DeadLetterFilter {
        let before = |age: Duration| {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millis(now().as_millis().saturating_sub(age))
        };
        DeadLetterFilter {
            source: self.source,
            reason: self.reason,
            received_before: self.older_than.map(before),
        }
    }
}

impl List {
    async fn run(self, store: &Store) -> Outcome {
        let filter = self.which.filter();
        let mut output = io::stdout().lock();
        let (mut before, mut left) = (self.before.map(DeadLetterId), self.limit);
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(READ_AT_ONCE).min(READ_AT_ONCE);
            let letters = store.list_dead_letters(&filter, before, limit).await;
            let letters = letters.map_err(opening::failure)?;
            let Some(last) = letters.last() else { break };
            before = Some(last.id);
            left -= letters.len() as u64;
            for letter in &letters {
                let line = serde_json::json!({
                    "number": letter.id,
                    "receivedAt": letter.received_at,
                    "source": letter.source,
                    "reason": letter.reason,
                    "eventBytes": letter.event_bytes,
                });
                json_line(&mut output, &line)?;
            }
        }
        Ok(())
    }
}

impl Show {
    async fn run(self, store: &Store) -> Outcome {
        let letter = store.dead_letter(DeadLetterId(self.number)).await;
        let letter = letter
            .map_err(opening::failure)?
            .ok_or_else(|| Failure::usage(format!("there is no dead letter {}", self.number)))?;
        writeln!(
            io::stderr(),
            "received {} from {}: {}; {} bytes",
            letter.received_at,
            letter.source,
            letter.reason,
            letter.event_bytes
        )?;
        if letter.event_bytes > letter.event.len() as u64 {
            writeln!(
                io::stderr(),
                "only its first {} bytes were kept",
                letter.event.len()
            )?;
        }
        let mut output = io::stdout().lock();
        output.write_all(&letter.event)?;
        output.flush()?;
        Ok(())
    }
}

impl Purge {
    async fn run(self, store: &Store) -> Outcome {
        let filter = self.which.filter();
        if !self.all && filter == DeadLetterFilter::default() {
            return Err(Failure::usage(
                "expected --all, or which ones: --source, --reason, --older-than",
            ));
        }
        let purged = store
            .purge_dead_letters(&filter)
            .await
            .map_err(opening::failure)?;
        writeln!(io::stdout(), "{purged} dead letters deleted")?;
        Ok(())
    }
}
