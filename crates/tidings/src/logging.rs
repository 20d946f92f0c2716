//! Log lines on standard error: for people on a terminal, JSON otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};
use crate::failure::{Failure, Outcome};

/// How this process logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts logging; once in a process.
pub(crate) fn start(log: &Log) -> Outcome<Style> {
    let is_terminal = io::stderr().is_terminal();
    let style = match log.format {
        LogFormat::Human => Style::Human,
        LogFormat::Auto if is_terminal => Style::Human,
        LogFormat::Json | LogFormat::Auto => Style::Json,
    };
    let filter = EnvFilter::try_new(log.level.as_str()).map_err(Failure::usage)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would print that it cannot print, and the task that has something to say would end with that.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let started = match style {
        Style::Human => {
            let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            lines.with_ansi(has_colour).with_target(false).finish().try_init()
        }
        // `message` and the fields at the top level, where queries look for them.
        Style::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .try_init(),
    };
    started.map_err(|error| Failure::Internal(error.into()))?;
    Ok(style)
}
