//! Opening and closing the store.

use std::fmt;
use std::time::Duration;

use tidings_wire::time::Timestamp;

use crate::database::Database;
use crate::{Clock, StoreError};

/// How to open a store.
#[derive(Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// `sqlite://path`, `sqlite::memory:` or `postgres://user:password@host:port/database`.
    pub url: String,
    /// Whether to bring an older PostgreSQL database up to date, which other servers may be using. One of `SQLite`
    /// always is.
    pub migrate: bool,
    /// The most connections to PostgreSQL, or readers of `SQLite` beside its one writer.
    pub connections_max: u32,
    /// How long to wait for a lock that another process holds.
    pub busy_timeout: Duration,
    /// How many dead letters to keep; older ones are dropped and counted.
    pub dead_letters_max: u32,
    /// The same by the bytes of their events.
    pub dead_letter_bytes_max: u64,
    /// Where times come from.
    pub clock: Clock,
}

impl StoreOptions {
    /// The usual options for this address.
    pub fn new(url: &str) -> StoreOptions {
        StoreOptions {
            url: url.to_owned(),
            migrate: false,
            connections_max: 8,
            busy_timeout: Duration::from_secs(5),
            dead_letters_max: 10_000,
            dead_letter_bytes_max: 256 * 1024 * 1024,
            clock: Clock::system(),
        }
    }
}

// Written by hand: an address may hold a password.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreOptions")
            .field("url", &"[redacted]")
            .field("migrate", &self.migrate)
            .field("connections_max", &self.connections_max)
            .field("busy_timeout", &self.busy_timeout)
            .field("dead_letters_max", &self.dead_letters_max)
            .field("dead_letter_bytes_max", &self.dead_letter_bytes_max)
            .finish_non_exhaustive()
    }
}

/// The store: a handle that is cheap to clone. The same database may be open in other processes, whose committed
/// changes are seen at the next call.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) dead_letters_max: u32,
    pub(crate) dead_letter_bytes_max: u64,
}

impl Store {
    /// Opens the store at this address with the usual options, creating and migrating it as needed.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        Store::open_with(StoreOptions::new(url)).await
    }

    /// Opens a store, creating and migrating it as needed.
    pub async fn open_with(options: StoreOptions) -> Result<Store, StoreError> {
        let database = Database::open(&options).await?;
        Ok(Store {
            database,
            clock: options.clock,
            dead_letters_max: options.dead_letters_max,
            dead_letter_bytes_max: options.dead_letter_bytes_max,
        })
    }

    /// Whether PostgreSQL lets this user past its row-level security, the second wall between tenants: it does so for
    /// superusers and roles with BYPASSRLS.
    pub fn bypasses_row_security(&self) -> bool {
        self.database.is_postgres() && !self.database.is_walled()
    }

    /// Whether the database answers, as `/health` asks.
    pub async fn check_health(&self) -> Result<(), StoreError> {
        self.database.check_health().await
    }

    /// Waits for running operations and closes the database. Later operations on any clone are
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.database.close().await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Store")
    }
}
