//! The `SQLite` backend: connections here, the statements of each area in its own module.
//!
//! One connection writes; a few others read. With the write-ahead log, readers see the last commit and wait for
//! nobody. Another process (a command beside the running server) is waited for up to the busy timeout.

pub(crate) mod dead_letters;
mod errors;
pub(crate) mod executions;
pub(crate) mod idempotency;
pub(crate) mod keys;
pub(crate) mod leads;
pub(crate) mod metrics;
mod migrations;
pub(crate) mod tenants;
pub(crate) mod workflows;

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::{StoreError, StoreOptions};

/// The write-ahead log is cut back to this after a checkpoint.
const LOG_BYTES_MAX: &str = "67108864";

#[derive(Clone)]
pub(crate) struct Database {
    /// Invariant: at most one connection, so writers of this process queue here and never meet in `SQLite`.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    pub(crate) async fn open(options: &StoreOptions) -> Result<Database, StoreError> {
        let connect = connect_options(options)?;
        let in_memory = is_in_memory(&options.url);
        if !in_memory {
            create_private_file(&connect)?;
        }
        let writer = open_writer(&connect, options.busy_timeout).await?;
        migrations::run(&writer).await?;
        let readers = if in_memory {
            // A database in memory lives in its one connection.
            writer.clone()
        } else {
            pool(options.readers_max.max(1), options.busy_timeout)
                .connect_with(connect.pragma("query_only", "ON"))
                .await?
        };
        Ok(Database { writer, readers })
    }

    /// Begins a writing transaction. It takes the write lock at once: one that reads first and asks for the lock
    /// later fails when another process has written in between.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A connection for a single reading statement.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.readers.acquire().await?)
    }

    /// A transaction whose reads all see the same state.
    pub(crate) async fn read_snapshot(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.readers.begin().await?)
    }

    pub(crate) async fn check_health(&self) -> Result<(), StoreError> {
        let mut connection = self.read().await?;
        sqlx::query("SELECT 1 FROM tenant LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn is_in_memory(url: &str) -> bool {
    url == "sqlite::memory:" || url == "sqlite://:memory:"
}

fn connect_options(options: &StoreOptions) -> Result<SqliteConnectOptions, StoreError> {
    if !options.url.starts_with("sqlite:") {
        let what = "a store address begins with sqlite:// or is sqlite::memory:".to_owned();
        return Err(StoreError::Configuration { what });
    }
    let connect =
        SqliteConnectOptions::from_str(&options.url).map_err(|error| StoreError::Configuration {
            what: format!("store address: {error}"),
        })?;
    Ok(connect
        .create_if_missing(true)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.busy_timeout)
        .pragma("journal_size_limit", LOG_BYTES_MAX))
}

/// `SQLite` would create the file readable by everyone; it holds personal data. The log files take the same mode.
fn create_private_file(connect: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(connect.get_filename())
        .map_err(|error| StoreError::Unavailable(error.into()))?;
    Ok(())
}

fn pool(connections_max: u32, busy_timeout: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        // Longer than one waits for another process, so that the error tells which of the two it was.
        .acquire_timeout(busy_timeout * 2)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Opens the writing connection, which also turns on the write-ahead log. That needs the file alone and heeds no
/// busy timeout, so when several processes start on a new file at once, all but one must come again.
async fn open_writer(
    connect: &SqliteConnectOptions,
    busy_timeout: Duration,
) -> Result<SqlitePool, StoreError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let connect = connect.clone().journal_mode(SqliteJournalMode::Wal);
    let mut waited = Duration::ZERO;
    loop {
        match pool(1, busy_timeout).connect_with(connect.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) if errors::is_busy(&error) && waited < busy_timeout => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
