//! The command line.

use std::num::NonZeroU32;

use anyhow::{Result, ensure};
use clap::Parser;
use tidings_bench::http::Url;

/// Half-open handshakes, clients that flood and clients that never read, all at once, from several loopback addresses.
#[derive(Parser)]
pub(crate) struct Options {
    /// The WebSocket address of the clients that never read, best in the room that honest clients are in.
    #[arg(long)]
    pub(crate) url: Url,
    /// The WebSocket address of the clients that flood.
    #[arg(long)]
    pub(crate) flood_url: Url,
    /// The attackers' addresses: so many, from 127.0.0.2 on.
    #[arg(long, default_value = "16")]
    pub(crate) addresses: NonZeroU32,
    /// Sockets that never finish their handshake: half of them send nothing, half a byte a second.
    #[arg(long, default_value = "10000")]
    pub(crate) half_open: usize,
    /// Clients that flood.
    #[arg(long, default_value = "1000")]
    pub(crate) flooding: usize,
    /// Messages a second that each of them sends.
    #[arg(long, default_value = "1000")]
    pub(crate) flood_rate: NonZeroU32,
    /// Clients that never read.
    #[arg(long, default_value = "500")]
    pub(crate) deaf: usize,
    /// Sockets opened each second, first ones and those of attackers that come back.
    #[arg(long, default_value = "4000")]
    pub(crate) open_rate: NonZeroU32,
    /// How long the siege lasts.
    #[arg(long, default_value = "20")]
    pub(crate) seconds: u32,
}

impl Options {
    /// Attackers of all kinds.
    pub(crate) fn attackers(&self) -> usize {
        self.half_open + self.flooding + self.deaf
    }

    /// Only this machine is ever besieged.
    pub(crate) fn check(&self) -> Result<()> {
        for url in [&self.url, &self.flood_url] {
            ensure!(
                url.address()?.ip().is_loopback() && url.address()?.is_ipv4(),
                "only 127.0.0.0/8 is besieged, not {}",
                url.authority
            );
        }
        ensure!(self.addresses.get() <= 60_000, "too many addresses");
        Ok(())
    }
}
