//! The statements of each area, in SQL that `SQLite` and PostgreSQL both understand.

pub(crate) mod audit;
pub(crate) mod dead_letters;
pub(crate) mod executions;
pub(crate) mod idempotency;
pub(crate) mod isolation;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod lead_changes;
pub(crate) mod lead_counts;
pub(crate) mod lead_search;
pub(crate) mod leads;
pub(crate) mod metrics;
pub(crate) mod outbox;
pub(crate) mod restore;
pub(crate) mod snapshot;
pub(crate) mod tenant_deletion;
pub(crate) mod tenants;
pub(crate) mod token_revocations;
pub(crate) mod workflows;
