//! The floor: the least a server can do for a delivery.
//!
//! It upgrades sockets by hand, builds one frame per `POST /publish` and sends it to every socket: one non-blocking
//! send per socket and frame, or with `--coalesce` one per socket and that many frames. One thread, one epoll. It knows no
//! rooms, no clients' messages and no heartbeat. What another server costs above it is what that server's features cost.
#![expect(clippy::print_stdout, reason = "the address is the program's output")]

mod peer;
mod server;
mod socket;

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Parser;

use crate::server::{Server, Windows};

/// Writes pre-built frames to every WebSocket, and nothing else.
///
/// `GET` with an upgrade header opens a WebSocket, `POST /publish` sends its body to all of them as a text frame,
/// `GET /metrics` tells frames and writes so far.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one. The address is printed as the only line of output.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Frames per write: publishes are collected until so many are there (at most 64, the limit on slices of one write).
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(1..=64))]
    coalesce: u8,
    /// The load generator's `--in-flight`: when so many publishes wait, no more will come, and they are written.
    #[arg(long)]
    window: Option<NonZeroUsize>,
    /// How long publishes wait for company before an incomplete set is written.
    #[arg(long, default_value = "5")]
    wait_ms: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let coalesce = usize::from(options.coalesce);
    let windows = Windows {
        frames_per_write: coalesce,
        enough: options
            .window
            .map_or(coalesce, |window| coalesce.min(window.get())),
        wait: std::time::Duration::from_millis(options.wait_ms),
    };
    let mut server = Server::bind(options.listen, windows)?;
    println!("{}", server.address()?);
    server.run()
}
