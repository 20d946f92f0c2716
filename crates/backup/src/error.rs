//! What can go wrong with a backup, in the cases that callers tell apart.

use tidings_store::{JobId, StoreError, TenantId};

/// A backup was not made, checked or put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database failed, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target could not be written or read. Trying again later may help.
    #[error("the backup target failed")]
    Target(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The target's settings cannot be used.
    #[error("backup target: {what}")]
    Configuration {
        /// What is wrong with them.
        what: String,
    },
    /// There is no such backup, or it was not finished.
    #[error("there is no backup {id} of tenant {tenant}")]
    NotFound {
        /// Whose.
        tenant: TenantId,
        /// Which.
        id: JobId,
    },
    /// There is no backup of this tenant at all.
    #[error("there is no backup of tenant {tenant}")]
    None {
        /// Whose.
        tenant: TenantId,
    },
    /// A backup is not what was written: cut off, altered, or of another tenant.
    #[error("backup {id} is damaged: {what}")]
    Damaged {
        /// Which.
        id: JobId,
        /// What is wrong with it.
        what: String,
    },
    /// A newer version of this program wrote it.
    #[error("backup {id} has the form {format:?}, which this version does not read")]
    UnknownFormat {
        /// Which.
        id: JobId,
        /// Its form.
        format: String,
    },
}

impl BackupError {
    pub(crate) fn target(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackupError {
        BackupError::Target(error.into())
    }

    pub(crate) fn damaged(id: JobId, what: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            id,
            what: what.into(),
        }
    }

    /// Whether the same may go well later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            BackupError::Target(_) | BackupError::Store(StoreError::Unavailable(_))
        )
    }

    /// Which of the services outside this program failed; none if it was neither.
    pub fn service(&self) -> Option<&'static str> {
        match self {
            BackupError::Store(_) => Some("database"),
            BackupError::Target(_) | BackupError::Configuration { .. } => Some("backup_target"),
            _ => None,
        }
    }
}

impl From<object_store::Error> for BackupError {
    fn from(error: object_store::Error) -> BackupError {
        BackupError::target(error)
    }
}
