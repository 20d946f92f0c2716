//! Opening the store, and what its errors mean for a command.

use tidings_store::{Store, StoreError};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::{Failure, Outcome};

/// Opens the configured store. It may be the one of a running server.
pub(crate) async fn store(config: &Config) -> Outcome<Store> {
    DataDir::open(&config.server.data_dir)?;
    Store::open(&config.store.url).await.map_err(|error| match error {
        StoreError::Configuration { .. } => Failure::Usage(anyhow::Error::new(error).context("store.url")),
        error => failure(error),
    })
}

/// A store's refusal as a failure of the command that asked.
pub(crate) fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::NotFound { .. } | StoreError::Conflict { .. } | StoreError::Invalid { .. } => {
            Failure::Usage(error.into())
        }
        StoreError::Unavailable(_) | StoreError::TooNew { .. } => Failure::Unavailable(error.into()),
        error => Failure::Internal(error.into()),
    }
}
