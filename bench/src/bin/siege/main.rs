//! The siege: clients that mean no good, from many addresses of the loopback network, against one server.
//!
//! Some open a socket and never finish their handshake, some send as fast as they are told to, some never read. Whom the
//! server throws out comes back, at a bounded rate. What became of them is printed as one line of JSON; how honest
//! clients fare meanwhile is `loadgen`'s to say.
#![expect(clippy::print_stdout, reason = "the report is the program's output")]

mod attacker;
mod options;
mod report;
mod siege;

use anyhow::Result;
use clap::Parser;

fn main() -> Result<()> {
    let report = siege::run(&options::Options::parse())?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
