//! `tidings dead-letters`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use tidings_sources::kafka::{self, ExhumationError, Room};
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
    /// Have the running server take them in once more, by the rules that it has now
    Replay(Replay),
    /// Delete them, for good
    Purge(Purge),
}

/// Which of them.
#[derive(Debug, Clone, Args)]
struct Which {
    /// Those of this source: dapr, http, kafka
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

/// Take them in once more.
#[derive(Debug, Clone, Args)]
pub(crate) struct Replay {
    /// The one of this number
    #[arg(conflicts_with_all = ["source", "reason", "older_than", "all", "topic"])]
    number: Option<i64>,
    #[command(flatten)]
    which: Which,
    /// All of them
    #[arg(long, conflicts_with_all = ["source", "reason", "older_than"])]
    all: bool,
    /// What is in Kafka's dead letter topic, `kafka.dead_letter_topic`, and was not replayed before
    #[arg(long, conflicts_with_all = ["source", "reason", "older_than", "all"])]
    topic: bool,
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
            Self::Replay(replay) => replay.run(config, store).await,
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
            id: None,
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
                    "topic": letter.topic,
                    "reason": letter.reason,
                    "eventBytes": letter.event_bytes,
                    "replaying": letter.is_replaying,
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

impl Replay {
    async fn run(self, config: &Config, store: &Store) -> Outcome {
        let asked = if self.topic {
            let settings = config
                .kafka
                .settings()
                .ok_or_else(|| Failure::usage("kafka.brokers is empty"))?;
            let room = Room {
                letters: u64::from(config.store.dead_letters_max),
                bytes: config.store.dead_letter_bytes_max,
            };
            kafka::exhume(&settings, store, room)
                .await
                .map_err(|error| match error {
                    ExhumationError::Store(error) => opening::failure(error),
                    ExhumationError::Kafka(_)
                    | ExhumationError::OutOfReach(_)
                    | ExhumationError::NoRoom(_) => Failure::Unavailable(error.into()),
                    _ => Failure::Usage(error.into()),
                })?
        } else {
            let filter = DeadLetterFilter {
                id: self.number.map(DeadLetterId),
                ..self.which.filter()
            };
            if !self.all && filter == DeadLetterFilter::default() {
                return Err(Failure::usage(
                    "expected a number, --topic, --all, or which ones: --source, --reason, --older-than",
                ));
            }
            store
                .replay_dead_letters(&filter)
                .await
                .map_err(opening::failure)?
        };
        writeln!(io::stdout(), "{asked} dead letters will be taken in once more")?;
        if let Some(number) = self.number.filter(|_| asked == 0) {
            return Err(Failure::usage(format!(
                "there is no dead letter {number}, or not all of it was kept"
            )));
        }
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
