//! The databases' errors as the store's.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::StoreError;

/// Primary result codes of `SQLite`, <https://www.sqlite.org/rescode.html>.
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const CORRUPT: i64 = 11;
const MISMATCH: i64 = 20;
const NOT_A_DATABASE: i64 = 26;
/// Classes of PostgreSQL's codes, <https://www.postgresql.org/docs/15/errcodes-appendix.html>: a value that does not fit
/// its column, and the server's own damage.
const DATA_CORRUPTED: [&str; 2] = ["XX001", "XX002"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::RowNotFound => StoreError::NotFound { what: "row" },
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. } => StoreError::Corrupt(error.into()),
            sqlx::Error::Database(database) => match database.kind() {
                ErrorKind::UniqueViolation => StoreError::Conflict {
                    what: "it exists already",
                },
                ErrorKind::ForeignKeyViolation => StoreError::NotFound {
                    what: "referenced row",
                },
                _ if is_corrupt(database.as_ref()) => StoreError::Corrupt(error.into()),
                _ => StoreError::Unavailable(error.into()),
            },
            _ => StoreError::Unavailable(error.into()),
        }
    }
}

fn is_corrupt(error: &dyn DatabaseError) -> bool {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return DATA_CORRUPTED.contains(&error.code());
    }
    matches!(primary_code(error), Some(CORRUPT | MISMATCH | NOT_A_DATABASE))
}

/// Whether another connection held a lock of `SQLite`.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(primary_code)
        .is_some_and(|code| matches!(code, BUSY | LOCKED))
}

fn primary_code(error: &dyn DatabaseError) -> Option<i64> {
    let extended: i64 = error.try_downcast_ref::<SqliteError>()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
