//! `tidings demo`: an application's backend that is made up, for the page in `examples/board`.
//!
//! It has no way of its own into the server: it signs a service token and uses the routes that every backend has.

mod backend;
mod cast;
mod dice;
mod leads;
mod runs;
mod story;
mod tasks;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tidings_access::{JwtSigner, UserId};
use tidings_store::ExecutionStatus;
use tokio::time::Instant;

use self::backend::{Api, Backend, Ending};
use self::leads::Leads;
use self::runs::{Reported, Run};
use self::story::{Script, Step, Story};
use self::tasks::Tasks;
use super::{duration, token};
use crate::config::{Config, Mode};
use crate::failure::{Failure, Outcome};
use crate::running::Running;
use crate::{shutdown, signing};

/// How often the run that goes on, and all tasks, are told of once more. The gateways keep neither notifications nor task events
/// for a page that is not there yet, or not there any more for a moment.
const TELL_AGAIN_INTERVAL: Duration = Duration::from_secs(2);
/// Steps between two runs.
const REST_STEPS: u32 = 3;

/// Play an application's backend.
#[derive(Debug, Clone, Args)]
pub(crate) struct Demo {
    /// Whose runs and tasks they are
    #[arg(long, value_name = "ID", default_value = "demo", value_parser = token::user_id)]
    user: UserId,
    /// How long a step takes: 250ms, 2s
    #[arg(long, visible_alias = "interval", value_name = "TIME", default_value = "1s", value_parser = duration::parse_pace)]
    pace: Duration,
    /// End behind so many runs; 0: go on until interrupted
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    executions: u64,
    /// Tell the same story again: the same names, the same order, the same failures
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How long a request is repeated while the server does not answer: 90s, 15m, 1h, 30d
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    patience: Duration,
    /// How long the link is good: 90s, 15m, 1h, 30d
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = duration::parse)]
    ttl: Duration,
}

impl Demo {
    pub(crate) fn run(&self, config: &Config) -> Outcome {
        if config.server.mode == Mode::Production {
            return Err(Failure::usage(
                "the demo is for a server in development mode: in production there is neither its page nor its tenant",
            ));
        }
        // Before anything else: where no server is, no data directory is made.
        let running = Running::read(config).map_err(|error| {
            let data_dir = config.server.data_dir.display();
            let told = format!("start one first: tidings --data-dir {data_dir}");
            Failure::Unavailable(anyhow::anyhow!("{error:#}; {told}"))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.play(config, &running))
    }

    async fn play(&self, config: &Config, running: &Running) -> Outcome {
        let backend = Backend::new(config, self.patience, shutdown::token()?)?;
        let board = backend.board(running).await?;
        let token = JwtSigner::new(&signing::secret(config)?)
            .sign_user(&self.user, self.ttl, signing::user_claims(config))
            .map_err(|error| Failure::Internal(error.into()))?;
        writeln!(io::stdout(), "{board}#token={}", token.reveal())?;

        let mut random = [0; 14];
        getrandom::fill(&mut random).context("the operating system gives no random bytes")?;
        let (id, seed) = random.split_at(6);
        let demo = hexadecimal(id);
        let seed = self
            .seed
            .unwrap_or_else(|| seed.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        let mut play = Play {
            has_tasks: backend.has_page_of_tasks(running) && backend.has(running, Api::Tasks),
            has_leads: backend.has(running, Api::Flow),
            backend,
            story: Story::new(seed),
            tasks: Tasks::new(self.user.clone(), &demo, &config.tasks_dapr.route),
            leads: Leads::new(&demo),
            user: self.user.clone(),
            demo,
            pace: self.pace,
            run: None,
            told_at: Instant::now(),
        };
        match play.all(self.executions).await {
            Ok(()) => Ok(()),
            Err(Ending::Interrupted) => {
                if let Some(run) = &play.run {
                    run.cancel(&play.backend).await;
                }
                Ok(())
            }
            Err(Ending::Failed(failure)) => {
                // Nobody else would end it.
                if let Some(run) = &play.run {
                    run.cancel(&play.backend).await;
                }
                Err(failure)
            }
        }
    }
}

/// The application that is played.
struct Play<'a> {
    backend: Backend<'a>,
    has_tasks: bool,
    has_leads: bool,
    story: Story,
    tasks: Tasks,
    leads: Leads,
    user: UserId,
    /// Tells this demo from every other one.
    demo: String,
    pace: Duration,
    /// The run that goes on.
    run: Option<Run>,
    told_at: Instant,
}

impl Play<'_> {
    async fn all(&mut self, executions: u64) -> Result<(), Ending> {
        for (gateway, is_there) in [("tasks", self.has_tasks), ("flow", self.has_leads)] {
            if !is_there {
                say(format_args!(
                    "the {gateway} gateway is off, or not to be reached from here; its part of the page stays empty"
                ))?;
            }
        }
        for step in self.story.opening() {
            self.step(&step).await?;
        }
        for number in 1.. {
            let script = self.story.next_run();
            self.one(number, &script).await?;
            if number == executions {
                break;
            }
            for _ in 0..REST_STEPS {
                self.rest().await?;
            }
        }
        self.tell_again().await
    }

    /// A run from its start to its end.
    async fn one(&mut self, number: u64, script: &Script) -> Result<(), Ending> {
        let run = Run::new(self.user.clone(), &self.demo, number, script.workflow);
        say(format_args!(
            "run {number}   {}, execution {}",
            script.workflow.name, run.id
        ))?;
        // From here on it is what an interruption cancels.
        let started = self.run.insert(run).start(&mut self.backend).await?;
        if let Reported::Passed(told) = started {
            say(format_args!("run {number}   left alone: {told}"))?;
            self.run = None;
            return Ok(());
        }
        for step in &script.steps {
            self.rest().await?;
            self.step(step).await?;
        }
        self.rest().await?;
        if let Some(run) = &mut self.run {
            match run.report(&mut self.backend, script.end, script.message).await? {
                Reported::Taken => say(format_args!("run {number}   {}", Ended(script)))?,
                // Somebody else has ended it otherwise.
                Reported::Passed(told) => say(format_args!("run {number}   left alone: {told}"))?,
            }
        }
        self.run = None;
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Ending> {
        let backend = &mut self.backend;
        match step {
            Step::Node {
                index,
                status,
                message,
            } => {
                let Some(run) = &mut self.run else { return Ok(()) };
                let name = run.node_name(*index);
                match run.report_node(backend, *index, *status, *message).await? {
                    Reported::Taken => say(format_args!("node    {name}: {status}"))?,
                    Reported::Passed(told) => say(format_args!("node    {name}: left alone: {told}"))?,
                }
            }
            Step::TaskCreated { title } if self.has_tasks => {
                let id = self.tasks.create(backend, title.clone()).await?;
                say(format_args!("task    {id} created: {title}"))?;
            }
            Step::TaskDone if self.has_tasks => {
                if let Some((id, title)) = self.tasks.finish_one(backend).await? {
                    say(format_args!("task    {id} completed: {title}"))?;
                }
            }
            Step::LeadCreated(person) if self.has_leads => {
                self.leads.create(backend, person).await?;
                say(format_args!("lead    {}, {}: NEW", person.name, person.company))?;
            }
            Step::LeadMoved(number) if self.has_leads => {
                if let Some((name, status)) = self.leads.advance(backend, *number).await? {
                    say(format_args!("lead    {name}: {status}"))?;
                }
            }
            Step::TaskCreated { .. } | Step::TaskDone | Step::LeadCreated(_) | Step::LeadMoved(_) => {}
        }
        Ok(())
    }

    /// Waits for the next step, and tells again what is due.
    async fn rest(&mut self) -> Result<(), Ending> {
        let next_step = Instant::now() + self.pace;
        loop {
            let due = self.told_at + TELL_AGAIN_INTERVAL;
            tokio::select! {
                () = self.backend.interrupted() => return Err(Ending::Interrupted),
                () = tokio::time::sleep_until(due.min(next_step)) => {}
            }
            if Instant::now() >= due {
                self.tell_again().await?;
            }
            if Instant::now() >= next_step {
                return Ok(());
            }
        }
    }

    async fn tell_again(&mut self) -> Result<(), Ending> {
        if let Some(run) = &self.run {
            run.notify(&mut self.backend, "execution_running").await?;
        }
        if self.has_tasks {
            self.tasks.tell_again(&mut self.backend).await?;
        }
        self.told_at = Instant::now();
        Ok(())
    }
}

/// How a run ended, for people.
struct Ended<'a>(&'a Script);

impl std::fmt::Display for Ended<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.end, self.0.message) {
            (ExecutionStatus::Failed, Some(message)) => write!(formatter, "failed: {message}"),
            (status, _) => write!(formatter, "{status}"),
        }
    }
}

fn say(line: std::fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
