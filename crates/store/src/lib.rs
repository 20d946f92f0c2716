//! Tenants, keys, leads, metrics, workflows and executions, kept in a database.
//!
//! [`Store`] is the interface: its methods take and give types that know no SQL, decide by the rules that hold for
//! every backend (transitions, progress, search terms, bounds) and leave the statements to `statements`, which
//! `database` carries out on `SQLite` or PostgreSQL. This crate publishes nothing and knows no gateway; a change returns
//! what a gateway needs to tell others about it.
//!
//! Invariant: what a method has returned `Ok` for survives a power failure.
//! Invariant: every statement that touches a tenant's data names the tenant.

mod actor;
mod audit;
mod clock;
mod database;
mod dead_letter;
mod error;
mod execution;
mod id;
mod idempotency;
mod isolation;
mod job;
mod key;
mod lead;
mod metric;
mod news;
mod outbox;
mod restore;
mod snapshot;
mod statements;
mod store;
mod tenant;
mod text;
mod token_revocation;
mod workflow;

pub use actor::Actor;
pub use audit::{AUDIT_DETAIL_BYTES_MAX, AUDIT_PAGE_MAX, AuditEntry, AuditFault, AuditHead, NewAuditEntry};
pub use clock::Clock;
pub use dead_letter::{
    DEAD_LETTER_BYTES_MAX, DEAD_LETTER_HEADER_BYTES_MAX, DEAD_LETTERS_PAGE_MAX, DeadLetter,
    DeadLetterAccount, DeadLetterFilter, DeadLetterId, NewDeadLetter,
};
pub use error::{Cause, StoreError};
pub use execution::{
    ENDED_EXECUTIONS_MAX, Execution, ExecutionOutcome, ExecutionReport, ExecutionStatus,
    NODES_PER_EXECUTION_MAX, NewExecution, Node, NodeOutcome, NodeReport, NodeStatus, PutExecution,
};
pub use id::{ExecutionId, JobId, KeyId, LeadId, NodeId, OwnerId, TenantId, WorkflowId};
pub use idempotency::{
    IDEMPOTENCY_KEY_BYTES_MAX, IDEMPOTENCY_TTL_MS, IdempotentRequest, Once, StoredResponse,
};
pub use isolation::IsolationProbe;
pub use job::{
    JOB_ATTEMPTS_MAX, JOB_HOLD, JOBS_KEPT, JOBS_UNFINISHED_MAX, Job, JobEnd, JobKind, JobPriority, JobStatus,
    NewJob,
};
pub use key::{KEYS_PER_TENANT_MAX, KeyRecord, KeyStanding, NewKey, RotatedKey};
pub use lead::{
    ImportedLead, LEAD_CHANGES_MAX, LEAD_IMPORT_MAX, LEAD_PAGE_MAX, LEAD_PAYLOAD_BYTES_MAX, Lead, LeadChange,
    LeadChangeKind, LeadCounts, LeadCursor, LeadEdit, LeadEdited, LeadFilter, LeadHits, LeadPage,
    LeadPayload, LeadPayloadError, LeadSearch, LeadSource, LeadStatus, LeadVersion, LeadWrite, NewLead,
    SEARCH_TOTAL_MAX, TimeRange, UnknownLeadStatus,
};
pub use metric::MetricIncrement;
pub use news::{News, StoredNews, WorkflowChange};
pub use outbox::{
    Attached, NewOutboxEvent, OUTBOX_BATCH_MAX, OUTBOX_LENGTH_MAX, OutboxEvent, OutboxNumber, Written,
};
pub use restore::{RESTORE_PAGE_MAX, Restore};
pub use snapshot::{SNAPSHOT_PAGE_MAX, Snapshot, SnapshotPoint};
pub use store::{Store, StoreOptions};
pub use tenant::{NewTenant, Tenant, TenantDeletion};
pub use text::{MESSAGE_BYTES_MAX, NAME_BYTES_MAX};
pub use token_revocation::{
    RevokedToken, TOKEN_REVOCATIONS_MAX, TOKEN_REVOCATIONS_PAGE_MAX, TokenRevocation, TokenRevocationNumber,
};
pub use workflow::{DATA_BYTES_MAX, DeletedWorkflow, NewWorkflow, PutWorkflow, Workflow};
