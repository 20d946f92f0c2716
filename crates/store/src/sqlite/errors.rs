//! `SQLite`'s errors as the store's.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::StoreError;

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const CORRUPT: i64 = 11;
const MISMATCH: i64 = 20;
const NOT_A_DATABASE: i64 = 26;

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
                _ => match primary_code(database.as_ref()) {
                    Some(CORRUPT | MISMATCH | NOT_A_DATABASE) => StoreError::Corrupt(error.into()),
                    _ => StoreError::Unavailable(error.into()),
                },
            },
            _ => StoreError::Unavailable(error.into()),
        }
    }
}

/// Whether another connection held a lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(primary_code)
        .is_some_and(|code| matches!(code, BUSY | LOCKED))
}

fn primary_code(error: &dyn DatabaseError) -> Option<i64> {
    let extended: i64 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}
