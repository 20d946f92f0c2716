//! Numbered migrations, embedded.
//!
//! `SQLite` is migrated at opening; PostgreSQL, which other servers may be using, when somebody says so. All that are
//! missing run in one transaction behind a lock: a second process that opens the same new database waits and then finds
//! nothing to do, and a crash in the middle leaves the old version.

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, SqliteConnection};

use crate::StoreError;

/// Defines the migrations of a backend, in order.
macro_rules! migrations {
    ($backend:literal: $($name:literal),+ $(,)?) => {
        [$(include_str!(concat!("../../migrations/", $backend, "/", $name, ".sql"))),+]
    };
}

/// Invariant: entries are never changed or removed once released; the position is the number.
static SQLITE: [&str; 12] = migrations!("sqlite": "0001_tenants", "0002_leads", "0003_workflows", "0004_requests", "0005_lead_lifecycle", "0006_audit", "0007_jobs", "0008_search", "0009_search_filters", "0010_dead_letter_replay", "0011_token_revocations", "0012_news");
static POSTGRES: [&str; 12] = migrations!("postgres": "0001_tenants", "0002_leads", "0003_workflows", "0004_requests", "0005_lead_lifecycle", "0006_audit", "0007_jobs", "0008_search", "0009_search_filters", "0010_dead_letter_replay", "0011_token_revocations", "0012_news");

/// The version this program brings a database to, on either backend.
const KNOWN: i64 = SQLITE.len().cast_signed() as i64;
const _: () = assert!(SQLITE.len() == POSTGRES.len());

/// The lock behind which PostgreSQL is migrated.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || 'migrations', 0))";

pub(super) async fn run_sqlite(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    if missing(&SQLITE, sqlite_version(connection).await?)?.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Asked again behind the lock: another process may have been quicker.
    let missing = missing(&SQLITE, sqlite_version(&mut transaction).await?)?;
    for migration in missing {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    // The number stands in the file's header, which changes with the transaction. A pragma takes no parameters.
    let set_version = AssertSqlSafe(format!("PRAGMA user_version = {KNOWN}"));
    sqlx::raw_sql(set_version).execute(&mut *transaction).await?;
    transaction.commit().await?;
    tracing::info!(count = missing.len(), version = KNOWN, "store migrated");
    Ok(())
}

/// Migrates if `migrate` says so, and otherwise refuses a database that lacks something.
pub(super) async fn run_postgres(pool: &PgPool, migrate: bool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let found = postgres_version(&mut connection).await?;
    if missing(&POSTGRES, found)?.is_empty() {
        return Ok(());
    }
    if !migrate {
        return Err(StoreError::TooOld { found, known: KNOWN });
    }
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK).execute(&mut *transaction).await?;
    // A migration may move rows, of every tenant, for as long as that takes.
    sqlx::raw_sql("SET LOCAL tidings.tenant = '*'; SET LOCAL statement_timeout = 0")
        .execute(&mut *transaction)
        .await?;
    let missing = missing(&POSTGRES, postgres_version(&mut transaction).await?)?;
    for migration in missing {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM schema_version")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
        .bind(KNOWN)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    tracing::info!(count = missing.len(), version = KNOWN, "store migrated");
    Ok(())
}

/// The migrations that a database of this version has not had.
fn missing(migrations: &'static [&'static str], found: i64) -> Result<&'static [&'static str], StoreError> {
    let done = usize::try_from(found).map_err(|_| StoreError::corrupt("negative schema version"))?;
    migrations
        .get(done..)
        .ok_or(StoreError::TooNew { found, known: KNOWN })
}

async fn sqlite_version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await?)
}

async fn postgres_version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    // By the catalogue's rows, which a statement sees as they are; a name looked up is as the session remembers it.
    let is_there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = current_schema() AND c.relname = 'schema_version')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !is_there {
        return Ok(0);
    }
    Ok(sqlx::query_scalar("SELECT version FROM schema_version")
        .fetch_one(connection)
        .await?)
}
