//! The database behind the store: `SQLite` or PostgreSQL, chosen by the address.
//!
//! What differs between the two is in this module: how they are opened, how writers take turns, how errors read. The
//! statements (`crate::statements`) are written once, in SQL that both understand.

mod error;
mod migrations;
mod postgres;
mod row;
mod sqlite;
mod statement;

use std::fmt;

pub(crate) use row::Row;
pub(crate) use statement::{Statement, sql};

use crate::{StoreError, StoreOptions, TenantId};
use postgres::Postgres;
use sqlite::Sqlite;

/// An open database; a clone is another handle.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Behind whom a writer waits, and whose rows it may touch. Writers that name the same turn come one after the other,
/// so that what one has read still holds when it writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn<'a> {
    /// A tenant's: nothing of another tenant is in reach.
    Tenant(&'a TenantId),
    /// Of a kind of thing and one of them by its name; every tenant is in reach.
    Of(&'static str, &'a str),
}

/// A unit of work under way. Dropped without [`Transaction::commit`], it has not happened.
pub(crate) enum Transaction {
    SqliteRead(sqlite::Reader),
    SqliteWrite(sqlite::Writer),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// A transaction's connection.
enum Link<'c> {
    Sqlite(&'c mut sqlx::SqliteConnection),
    Postgres(&'c mut sqlx::PgConnection),
}

impl Database {
    pub(crate) async fn open(options: &StoreOptions) -> Result<Database, StoreError> {
        if options.url.starts_with("sqlite:") {
            Sqlite::open(options).await.map(Database::Sqlite)
        } else if ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| options.url.starts_with(scheme))
        {
            Postgres::open(options).await.map(Database::Postgres)
        } else {
            let what =
                "a store address begins with sqlite:// or postgres://, or is sqlite::memory:".to_owned();
            Err(StoreError::Configuration { what })
        }
    }

    /// Begins to write.
    pub(crate) async fn write(&self, turn: Turn<'_>) -> Result<Transaction, StoreError> {
        Ok(match self {
            // One connection writes, so that every turn is the same.
            Database::Sqlite(database) => Transaction::SqliteWrite(database.write().await?),
            Database::Postgres(database) => Transaction::Postgres(database.write(turn).await?),
        })
    }

    /// Begins to read: one tenant's rows, or whatever there is.
    pub(crate) async fn read(&self, tenant: Option<&TenantId>) -> Result<Transaction, StoreError> {
        Ok(match self {
            Database::Sqlite(database) => Transaction::SqliteRead(database.read().await?),
            Database::Postgres(database) => Transaction::Postgres(database.read(tenant).await?),
        })
    }

    /// The same for several statements that must see the same state.
    pub(crate) async fn read_snapshot(&self, tenant: Option<&TenantId>) -> Result<Transaction, StoreError> {
        Ok(match self {
            Database::Sqlite(database) => Transaction::SqliteRead(database.read_snapshot().await?),
            Database::Postgres(database) => Transaction::Postgres(database.read(tenant).await?),
        })
    }

    /// Whether tenants are kept apart by the database too.
    pub(crate) fn is_walled(&self) -> bool {
        match self {
            Database::Sqlite(_) => false,
            Database::Postgres(database) => database.is_walled(),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Database::Postgres(_))
    }

    pub(crate) async fn check_health(&self) -> Result<(), StoreError> {
        let mut transaction = self.read(None).await?;
        sql("SELECT 1 FROM tenant LIMIT 1")
            .fetch_optional(&mut transaction)
            .await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        match self {
            Database::Sqlite(database) => database.close().await,
            Database::Postgres(database) => database.close().await,
        }
    }
}

impl Transaction {
    /// Makes it happen: afterwards it survives a power failure.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Transaction::SqliteRead(_) => Ok(()),
            Transaction::SqliteWrite(writer) => writer.commit().await,
            Transaction::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }

    /// The connection that it runs on.
    fn link(&mut self) -> Result<Link<'_>, StoreError> {
        Ok(match self {
            Transaction::SqliteRead(reader) => Link::Sqlite(reader.connection()?),
            Transaction::SqliteWrite(writer) => Link::Sqlite(writer.connection()?),
            Transaction::Postgres(transaction) => Link::Postgres(transaction),
        })
    }

    /// Whether PostgreSQL's dialect is spoken, where it matters.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Transaction::Postgres(_))
    }
}

impl fmt::Display for Turn<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Turn::Tenant(tenant) => write!(formatter, "tenant:{tenant}"),
            Turn::Of(kind, name) => write!(formatter, "{kind}:{name}"),
        }
    }
}
