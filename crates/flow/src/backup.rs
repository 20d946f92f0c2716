//! Backups as jobs: of the command `start_backup`, and of an operator's.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_backup::{BackupError, BackupLimits, BackupRequest, BackupTarget, BackupType, Manifest};
use tidings_store::{Actor, Job, JobId, JobKind, JobPriority, NewJob, Store, StoreError, TenantId};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::envelope::Origin;
use crate::jobs::{self, JobFailure};

/// How backups are made.
#[derive(Clone, Debug)]
pub struct BackupSettings {
    /// Where they are kept.
    pub target: BackupTarget,
    /// How many.
    pub limits: BackupLimits,
    /// How long one may take.
    pub timeout: Duration,
}

/// What a backup's job says of how to do it.
#[derive(Serialize, Deserialize)]
struct BackupParameters {
    r#type: BackupType,
}

/// Why an operator's backup was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupFailure {
    /// The database does not take its beginning or its end.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It failed, and the tenant's clients were told so.
    #[error("{service}: {error}")]
    Failed {
        /// What failed.
        service: &'static str,
        /// How.
        error: String,
    },
}

/// A backup that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupResult<'a> {
    id: JobId,
    r#type: BackupType,
    /// The backup that an incremental one stands upon.
    #[schema(required = true)]
    base: Option<JobId>,
    /// In bytes.
    size: u64,
    rows: u64,
    leads: u64,
    sha256: &'a str,
    #[serde(rename = "auditHead")]
    audit_head: String,
}

/// Carries a backup's job out.
pub(crate) async fn run(
    store: &Store,
    settings: &BackupSettings,
    job: &Job,
) -> Result<Box<RawValue>, JobFailure> {
    let manifest = manifest(store, settings, job).await?;
    serde_json::value::to_raw_value(&BackupResult::of(&manifest))
        .map_err(|_| JobFailure::internal("its manifest"))
}

async fn manifest(store: &Store, settings: &BackupSettings, job: &Job) -> Result<Manifest, JobFailure> {
    let parameters: BackupParameters =
        serde_json::from_str(job.parameters.get()).map_err(|_| JobFailure::internal("its parameters"))?;
    let request = BackupRequest {
        tenant: job.tenant.clone(),
        id: job.id,
        backup_type: parameters.r#type,
    };
    let made = tidings_backup::create(store, &settings.target, &request, settings.limits);
    match tokio::time::timeout(settings.timeout, Box::pin(made)).await {
        Ok(made) => Ok(made?),
        Err(_) => Err(JobFailure {
            service: "backup_target",
            error: format!("it took longer than {} ms", settings.timeout.as_millis()),
            retryable: true,
        }),
    }
}

/// Makes a backup for an operator, beside the server or without one. The tenant's clients are told as if it had been a
/// command of theirs.
pub async fn make(
    store: &Store,
    settings: &BackupSettings,
    tenant: &TenantId,
    backup_type: BackupType,
) -> Result<Manifest, BackupFailure> {
    let start = Instant::now();
    let parameters = BackupParameters { r#type: backup_type };
    let new = NewJob {
        tenant: tenant.clone(),
        kind: JobKind::Backup,
        priority: JobPriority::Normal,
        parameters: jobs::raw(&parameters),
        actor: Actor::command(),
    };
    let begun = store
        .begin_job(new, |job| {
            jobs::started(job, &parameters, "backup create", Origin::System)
        })
        .await?;
    let made = manifest(store, settings, &begun.value).await;
    let outcome = match &made {
        Ok(manifest) => serde_json::value::to_raw_value(&BackupResult::of(manifest))
            .map_err(|_| JobFailure::internal("its manifest")),
        Err(failure) => Err(failure.clone()),
    };
    let ended = jobs::end(store, &begun.value, &outcome, start).await?;
    // For the server to publish at once.
    let events: Vec<_> = begun
        .event
        .into_iter()
        .chain(ended.event)
        .map(|event| event.number)
        .collect();
    store.let_go_of_outbox(&events).await?;
    made.map_err(|failure| BackupFailure::Failed {
        service: failure.service,
        error: failure.error,
    })
}

impl From<BackupError> for JobFailure {
    fn from(error: BackupError) -> JobFailure {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, cause, "a backup was not made");
        JobFailure {
            service: error.service().unwrap_or("tidings"),
            error: error.to_string(),
            retryable: error.is_retryable(),
        }
    }
}

impl<'a> BackupResult<'a> {
    fn of(manifest: &'a Manifest) -> BackupResult<'a> {
        BackupResult {
            id: manifest.id,
            r#type: manifest.backup_type,
            base: manifest.base.as_ref().map(|base| base.id),
            size: manifest.data.bytes,
            rows: manifest.rows.total(),
            leads: manifest.rows.leads,
            sha256: &manifest.data.sha256,
            audit_head: manifest.point.audit_head.to_string(),
        }
    }
}
