//! Backups of a real store in a real directory. The same on PostgreSQL and in a bucket: tests/gateways/backup.test.mjs.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod damage;
mod fixture;
mod restoring;
mod retention;
mod under_load;
