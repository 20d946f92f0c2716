//! Numbered migrations, embedded and run at opening.
//!
//! The number of the last one stands in the file's header (`user_version`), which changes with the transaction.
//! All that are missing run in one transaction behind the write lock: a second process that opens the same new
//! file waits and then finds nothing to do, and a crash in the middle leaves the old version.

use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::StoreError;

/// Invariant: entries are never changed or removed once released; the position is the number.
static MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/sqlite/0001_tenants.sql"),
    include_str!("../../migrations/sqlite/0002_leads.sql"),
    include_str!("../../migrations/sqlite/0003_workflows.sql"),
    include_str!("../../migrations/sqlite/0004_requests.sql"),
];

/// The version this program brings a database to.
const KNOWN: i64 = MIGRATIONS.len().cast_signed() as i64;

pub(super) async fn run(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await?;
    if missing(&mut connection).await?.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Asked again behind the lock: another process may have been quicker.
    let missing = missing(&mut transaction).await?;
    for migration in missing {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    // A pragma takes no parameters; the number is our own.
    let set_version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {KNOWN}"));
    sqlx::raw_sql(set_version).execute(&mut *transaction).await?;
    transaction.commit().await?;
    tracing::info!(count = missing.len(), version = KNOWN, "store migrated");
    Ok(())
}

/// The migrations that the database has not had.
async fn missing(connection: &mut SqliteConnection) -> Result<&'static [&'static str], StoreError> {
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await?;
    let done = usize::try_from(found).map_err(|_| StoreError::corrupt("negative schema version"))?;
    MIGRATIONS
        .get(done..)
        .ok_or(StoreError::TooNew { found, known: KNOWN })
}
