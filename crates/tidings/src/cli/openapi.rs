//! `tidings openapi`.

use std::io::{self, Write};

use clap::Args;
use tidings_sources::dapr::DaprSettings;

use crate::documents::{Documented, GatewayName};
use crate::failure::Outcome;
use crate::openapi;

/// Prints what a listener with the default settings serves at `/openapi.json`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Openapi {
    /// The gateway; without it, the document of a listener that all of them share
    gateway: Option<GatewayName>,
}

impl Openapi {
    pub(crate) fn run(&self) -> Outcome {
        let parts = Documented::of_gateway(self.gateway);
        let document = openapi::document(parts, &DaprSettings::default()).unwrap_or_default();
        io::stdout().lock().write_all(document.as_bytes())?;
        Ok(())
    }
}
