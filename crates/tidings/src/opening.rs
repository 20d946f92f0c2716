//! Opening the store, and what its errors mean for a command.

use tidings_store::{Store, StoreError, StoreOptions};

use crate::config::{Config, Refusal};
use crate::data_dir::DataDir;
use crate::failure::{Failure, Outcome};

/// Opens the configured store. It may be the one of a running server.
pub(crate) async fn store(config: &Config) -> Outcome<Store> {
    open(config, config.store.migrate).await
}

/// The same, brought up to date.
pub(crate) async fn migrated_store(config: &Config) -> Outcome<Store> {
    open(config, true).await
}

/// Runs a command on the configured store.
pub(crate) fn on_store(config: &Config, command: impl AsyncFnOnce(&Store) -> Outcome) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = store(config).await?;
        let done = command(&store).await;
        store.close().await;
        done
    })
}

async fn open(config: &Config, migrate: bool) -> Outcome<Store> {
    DataDir::open(&config.server.data_dir)?;
    let mut options = StoreOptions::new(config.store.url.expose());
    options.migrate = migrate;
    options.connections_max = config.store.connections_max;
    options.dead_letters_max = config.store.dead_letters_max;
    options.dead_letter_bytes_max = config.store.dead_letter_bytes_max;
    Store::open_with(options).await.map_err(|error| match error {
        StoreError::Configuration { .. } => Failure::Usage(anyhow::Error::new(error).context("store.url")),
        error => failure(error),
    })
}

/// Why this store is not fit for production, as far as its database tells.
pub(crate) fn refusal(store: &Store) -> Option<Refusal> {
    store.bypasses_row_security().then(|| {
        Refusal::new(
            "store.url",
            "its user is let past the row-level security that keeps tenants apart",
            "connect as another: CREATE ROLE tidings LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS",
        )
    })
}

/// A store's refusal as a failure of the command that asked.
pub(crate) fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::NotFound { .. }
        | StoreError::Conflict { .. }
        | StoreError::Invalid { .. }
        | StoreError::TooOld { .. } => Failure::Usage(error.into()),
        StoreError::Unavailable(_) | StoreError::Full { .. } | StoreError::TooNew { .. } => {
            Failure::Unavailable(error.into())
        }
        error => Failure::Internal(error.into()),
    }
}
