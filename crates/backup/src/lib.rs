//! Backups of a tenant: writing them while others write, checking them, putting them back.
//!
//! A backup is two objects in the [`BackupTarget`], a directory or a bucket: the rows (`row`), compressed, and a manifest
//! that says what they are and what they hash to. The manifest is written last: without it there is no backup. A full
//! backup holds all of a tenant at one moment; an incremental one what changed since the backup before it, so that a
//! restore needs the whole chain from the full one on.
//!
//! What is in a backup, and what is not: docs/reference/backup.md.

mod archive;
mod chain;
mod create;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod manifest;
mod restore;
mod retention;
mod row;
mod target;

pub use chain::{Chain, verify};
pub use create::{BackupRequest, create};
pub use error::BackupError;
pub use manifest::{BackupType, Base, Data, Manifest, Point, RowCounts};
pub use restore::{Restored, restore};
pub use target::{BackupTarget, S3Settings};

/// How many backups are kept, and how far a chain goes.
#[derive(Clone, Copy, Debug)]
pub struct BackupLimits {
    /// Full backups of one tenant that are kept, each with the incremental ones behind it; at least 1.
    pub full_backups_max: usize,
    /// Incremental backups behind a full one. One more is a full one.
    pub incrementals_max: u32,
}
