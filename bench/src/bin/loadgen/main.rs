//! The load generator: opens many connections, publishes numbered messages, checks that every connection gets each exactly
//! once and in order, and prints what it cost as one line of JSON.
//!
//! It shares its machine with the server it measures, so it is built to be far cheaper: one thread, one epoll, large
//! reads, frames counted by their headers, no JSON.
#![expect(clippy::print_stdout, reason = "the report is the program's output")]

mod client;
mod cost;
mod options;
mod polling;
mod protocol;
mod publisher;
mod report;
mod run;
mod stream;
mod swarm;
mod tally;

use anyhow::Result;
use clap::Parser;

fn main() -> Result<()> {
    let report = run::run(&options::Options::parse())?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
