//! `SQLite`: one connection writes, a few others read.
//!
//! With the write-ahead log, readers see the last commit and wait for nobody. Another process (a command beside the
//! running server) is waited for up to the busy timeout.

mod writer;

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlitePool};

use super::{error, migrations};
use crate::{StoreError, StoreOptions};

pub(crate) use writer::Writer;
use writer::{Link, WriterQueue};

/// The write-ahead log is cut back to this after a checkpoint.
const LOG_BYTES_MAX: &str = "67108864";

/// An open database file, or one in memory.
#[derive(Clone)]
pub(crate) struct Sqlite {
    writers: WriterQueue,
    /// A database in memory lives in its one connection, and is read through that.
    readers: Option<SqlitePool>,
}

/// A connection that is read from.
pub(crate) enum Reader {
    Pooled(PoolConnection<sqlx::Sqlite>),
    Snapshot(sqlx::Transaction<'static, sqlx::Sqlite>),
    Shared(Link),
}

impl Sqlite {
    pub(super) async fn open(options: &StoreOptions) -> Result<Sqlite, StoreError> {
        let connect = connect_options(options)?;
        let in_memory = is_in_memory(&options.url);
        if !in_memory {
            create_private_file(&connect)?;
        }
        let mut writer = open_writer(&connect, options.busy_timeout).await?;
        migrations::run_sqlite(&mut writer).await?;
        let readers = if in_memory {
            None
        } else {
            let connect = connect.pragma("query_only", "ON");
            Some(
                pool(options.connections_max.max(1), options.busy_timeout)
                    .connect_with(connect)
                    .await?,
            )
        };
        Ok(Sqlite {
            writers: WriterQueue::new(writer, options.busy_timeout * 2),
            readers,
        })
    }

    pub(super) async fn write(&self) -> Result<Writer, StoreError> {
        self.writers.begin().await
    }

    pub(super) async fn read(&self) -> Result<Reader, StoreError> {
        match &self.readers {
            Some(readers) => Ok(Reader::Pooled(readers.acquire().await?)),
            None => Ok(Reader::Shared(self.writers.link().await?)),
        }
    }

    pub(super) async fn read_snapshot(&self) -> Result<Reader, StoreError> {
        match &self.readers {
            Some(readers) => Ok(Reader::Snapshot(readers.begin().await?)),
            None => self.read().await,
        }
    }

    pub(super) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writers.close().await;
    }
}

impl Reader {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        match self {
            Reader::Pooled(connection) => Ok(connection),
            Reader::Snapshot(transaction) => Ok(transaction),
            Reader::Shared(link) => link.connection(),
        }
    }
}

fn is_in_memory(url: &str) -> bool {
    url == "sqlite::memory:" || url == "sqlite://:memory:"
}

fn connect_options(options: &StoreOptions) -> Result<SqliteConnectOptions, StoreError> {
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
) -> Result<SqliteConnection, StoreError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let connect = connect.clone().journal_mode(SqliteJournalMode::Wal);
    let mut waited = Duration::ZERO;
    loop {
        match connect.connect().await {
            Ok(connection) => return Ok(connection),
            Err(error) if error::is_busy(&error) && waited < busy_timeout => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
