//! What can go wrong in the store, in the cases that callers tell apart.

/// The backend's own error behind one of ours.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An operation of the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What the operation names does not exist.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The operation contradicts what is stored, such as an id that is taken.
    #[error("{what}")]
    Conflict {
        /// What stands in the way.
        what: &'static str,
    },
    /// A bound on how much of something there may be is reached.
    #[error("{what}")]
    Full {
        /// Which bound.
        what: &'static str,
    },
    /// A status cannot follow the present one.
    #[error("status cannot change from {from} to {to}")]
    IllegalTransition {
        /// The present status.
        from: &'static str,
        /// The status asked for.
        to: &'static str,
    },
    /// What is stored is of another version than the caller knows.
    #[error("it was changed meanwhile")]
    VersionMismatch,
    /// The input breaks a bound or form that the store demands.
    #[error("{what}")]
    Invalid {
        /// Which bound or form.
        what: &'static str,
    },
    /// The database cannot be reached, is locked for too long, or has no space. Trying again later may help.
    #[error("store is unavailable")]
    Unavailable(#[source] Cause),
    /// The database holds something that this program never writes.
    #[error("store is corrupt")]
    Corrupt(#[source] Cause),
    /// The store's address cannot be used.
    #[error("{what}")]
    Configuration {
        /// What is wrong with it. Never the address itself, which may hold a password.
        what: String,
    },
    /// The database was made by an older version of this program, and nobody said to bring it up to date.
    #[error("store has schema version {found}, this version needs {known}: run `tidings migrate`")]
    TooOld {
        /// The database's version.
        found: i64,
        /// The version this program needs.
        known: i64,
    },
    /// The database was written by a newer version of this program.
    #[error("store has schema version {found}, newer than the {known} this version knows")]
    TooNew {
        /// The database's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
}

impl StoreError {
    pub(crate) fn corrupt(what: &'static str) -> StoreError {
        StoreError::Corrupt(what.into())
    }
}
