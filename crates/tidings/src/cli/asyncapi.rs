//! `tidings asyncapi`.

use std::io::{self, Write};

use clap::Args;

use crate::asyncapi;
use crate::documents::{Documented, GatewayName};
use crate::failure::Outcome;

/// Prints what a listener serves at `/asyncapi.json`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Asyncapi {
    /// The gateway; without it, the document of a listener that all of them share
    gateway: Option<GatewayName>,
}

impl Asyncapi {
    pub(crate) fn run(&self) -> Outcome {
        let document = asyncapi::document(Documented::of_gateway(self.gateway)).unwrap_or_default();
        io::stdout().lock().write_all(document.as_bytes())?;
        Ok(())
    }
}
