//! Jobs: what a command began and is done behind its answer.
//!
//! A job is stored with the request and its `SYNC_STARTED`. One task for each kind claims what is stored, by priority,
//! carries it out and stores the end with its `SYNC_COMPLETED`, or `EXTERNAL_SERVICE_ERROR` if it failed. A server that
//! dies in the middle lets its job fall, and whoever serves next takes it up again.
//!
//! Invariant: the room hears of a job's end behind the answer to the command that asked for it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_backup::BackupType;
use tidings_store::{
    Actor, Attached, JOB_ATTEMPTS_MAX, Job, JobEnd, JobId, JobKind, JobPriority, NewAuditEntry, NewJob,
    NewOutboxEvent, Store, StoreError, Written,
};
use tidings_transport::Limit;
use tidings_transport::openapi::schema::{count, null, object, words};
use tokio::sync::Notify;
use tokio::time::Instant;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::audit;
use crate::backup::{self, BackupResult};
use crate::compliance::{self, CheckType, Report, Severity};
use crate::envelope::{self, Origin};
use crate::flow::Flow;
use crate::import::ImportResult;
use crate::response::Failure;

/// What tenants are told of when it begins and ends.
const OPERATIONS: [&str; 3] = [
    JobKind::Backup.as_str(),
    JobKind::ComplianceCheck.as_str(),
    "import",
];
/// How often one looks for jobs that others stored.
const ROUND: Duration = Duration::from_secs(1);
/// How long the end of a job waits for the answer to the command that asked for it.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// How often a job under way is held for longer.
const HOLD_INTERVAL: Duration = Duration::from_secs(15);

/// What the tasks that carry jobs out and those who ask for jobs share.
#[derive(Default)]
pub(crate) struct Jobs {
    /// Jobs whose command has not been answered yet.
    unanswered: Mutex<HashSet<JobId>>,
    /// A command was answered.
    answered: Notify,
    /// There may be a backup to make.
    backup: Notify,
    /// There may be a compliance check to carry out.
    compliance_check: Notify,
}

/// Keeps the end of a job back until the command that asked for it has been answered, when this is dropped.
#[derive(Debug)]
pub(crate) struct Unanswered {
    jobs: Arc<Jobs>,
    id: JobId,
}

/// Why a job could not be done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct JobFailure {
    /// What failed: `database`, `backup_target`.
    pub(crate) service: &'static str,
    pub(crate) error: String,
    /// Whether the same may go well later.
    pub(crate) retryable: bool,
}

#[derive(Serialize)]
struct Sync<'a> {
    operation: &'static str,
    result: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
}

/// Something that did not do what was asked of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceError<'a> {
    /// What was being done: `backup`, `compliance_check`, `store`.
    operation: &'static str,
    #[serde(flatten)]
    failure: &'a JobFailure,
}

/// What is told of work that begins: what was asked for, or nothing of an import.
pub(crate) fn started_schema() -> Schema {
    let job = || object().property("id", JobId::schema()).required("id");
    let backup = job()
        .property("type", BackupType::schema())
        .required("type")
        .property("priority", JobPriority::schema());
    let check = job()
        .property("type", CheckType::schema())
        .required("type")
        .property("severity", Severity::schema())
        .required("severity");
    let result = AnyOfBuilder::new().item(backup).item(check).item(null());
    object()
        .property("operation", words(OPERATIONS))
        .required("operation")
        .property("result", result)
        .required("result")
        .into()
}

/// What is told of work that is done: what came of it, and how many milliseconds it took.
pub(crate) fn completed_schema() -> Schema {
    let result = AnyOfBuilder::new()
        .item(Ref::from_schema_name(BackupResult::name()))
        .item(Ref::from_schema_name(Report::name()))
        .item(Ref::from_schema_name(ImportResult::name()));
    object()
        .property("operation", words(OPERATIONS))
        .required("operation")
        .property("result", result)
        .required("result")
        .property("duration", count())
        .required("duration")
        .into()
}

/// What `SYNC_STARTED` says of a job.
#[derive(Serialize)]
struct Begun<'a, Asked> {
    id: JobId,
    #[serde(flatten)]
    asked: &'a Asked,
}

#[derive(Serialize)]
struct Ended<'a> {
    id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Jobs {
    fn wake(&self, kind: JobKind) -> &Notify {
        match kind {
            JobKind::Backup | JobKind::Restore => &self.backup,
            JobKind::ComplianceCheck => &self.compliance_check,
        }
    }

    /// To be called before the job can be claimed.
    pub(crate) fn unanswered(self: &Arc<Self>, id: JobId) -> Unanswered {
        self.unanswered.lock().insert(id);
        Unanswered {
            jobs: self.clone(),
            id,
        }
    }

    async fn until_answered(&self, id: JobId) {
        loop {
            let mut answered = std::pin::pin!(self.answered.notified());
            // Before looking, so that no answer falls in between.
            answered.as_mut().enable();
            if !self.unanswered.lock().contains(&id) {
                return;
            }
            answered.await;
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.jobs.unanswered.lock().remove(&self.id);
        self.jobs.answered.notify_waiters();
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Jobs")
    }
}

impl Flow {
    /// Stores a job with its `SYNC_STARTED` and its entry in the audit log, which say what was `asked`, for the task that
    /// carries it out. The room hears
    /// of its end when what is given back was dropped: behind the command's answer.
    pub(crate) async fn request_job(
        &self,
        new: NewJob,
        asked: &impl Serialize,
        action: &'static str,
        origin: Origin,
    ) -> Result<(Written<Job>, Option<Unanswered>), Failure> {
        let kind = new.kind;
        let mut unanswered = None;
        let attach = |job: &Job| {
            unanswered = Some(self.jobs().unanswered(job.id));
            started(job, asked, action, origin)
        };
        let requested = self.store().request_job(new, attach).await;
        if matches!(requested, Err(StoreError::Full { .. })) {
            self.transport().counters().reached(Limit::JobsPerTenant);
        }
        let requested = requested?;
        self.jobs().wake(kind).notify_one();
        Ok((requested, unanswered))
    }

    /// Carries jobs of a kind out, one after the other, as long as the server runs.
    pub(crate) async fn run_jobs(self, kind: JobKind) {
        let shutdown = self.transport().shutdown().clone();
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.jobs().wake(kind).notified() => {}
                _ = rounds.tick() => {}
            }
            let end_of_all = shutdown.run_until_cancelled(Box::pin(self.run_waiting(kind)));
            if end_of_all.await.is_none() {
                return;
            }
        }
    }

    async fn run_waiting(&self, kind: JobKind) {
        loop {
            match self.store().claim_job(kind).await {
                Ok(Some(job)) => self.run_job(job).await,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "jobs could not be looked for, trying again");
                    return;
                }
            }
        }
    }

    async fn run_job(&self, job: Job) {
        let start = Instant::now();
        let (flow, own_job) = (self.clone(), job.clone());
        // On its own task, so that what should never panic takes one job with it and not all that come after.
        let shutdown = self.transport().shutdown().clone();
        let work = self.finish(async move {
            let work = Box::pin(flow.carry_out(&own_job));
            shutdown.run_until_cancelled(work).await
        });
        let outcome = tokio::select! {
            outcome = work => match outcome {
                Some(Some(outcome)) => outcome,
                // The server stops, and leaves it to whoever claims it next.
                Some(None) => return,
                None => Err(JobFailure::internal("it panicked")),
            },
            () = self.hold(&job) => {
                tracing::warn!(id = %job.id, "a job is in other hands by now");
                return;
            }
        };
        if let Err(failure) = &outcome {
            tracing::warn!(tenant = %job.tenant, id = %job.id, ?failure, "a {} failed", job.kind.as_str());
        }
        self.until_answered(&job).await;
        match end(self.store(), &job, &outcome, start).await {
            Ok(written) => {
                let metric = if outcome.is_ok() {
                    "jobs.completed"
                } else {
                    "jobs.failed"
                };
                self.usage().count(&job.tenant, metric);
                self.publish_stored(written.event).await;
            }
            Err(error) => {
                tracing::warn!(%error, id = %job.id, "the end of a job was not stored; it will be done again");
                if let Err(failure) = &outcome {
                    self.tell_of_failure(&job, failure).await;
                }
            }
        }
    }

    async fn carry_out(&self, job: &Job) -> Result<Box<RawValue>, JobFailure> {
        if job.attempts > JOB_ATTEMPTS_MAX {
            return Err(JobFailure::internal("it was begun too often and never ended"));
        }
        match job.kind {
            JobKind::Backup => backup::run(self.store(), self.backups(), job).await,
            JobKind::ComplianceCheck => compliance::job::carry_out(self, job).await,
            JobKind::Restore => Err(JobFailure::internal("restores are an operator's")),
        }
    }

    async fn until_answered(&self, job: &Job) {
        let answered = self.jobs().until_answered(job.id);
        if tokio::time::timeout(ANSWER_TIME_MAX, answered).await.is_err() {
            tracing::warn!(id = %job.id, "a job ends before its command was answered");
        }
    }

    /// Holds a job until somebody else has it.
    async fn hold(&self, job: &Job) {
        loop {
            tokio::time::sleep(HOLD_INTERVAL).await;
            match self.store().hold_job(job).await {
                Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => return,
                Err(error) => tracing::warn!(%error, id = %job.id, "a job was not held"),
                Ok(()) => {}
            }
        }
    }

    /// Tells of a failure that the store does not take.
    async fn tell_of_failure(&self, job: &Job, failure: &JobFailure) {
        let event = envelope::to_publish(&job.tenant, service_error(job, failure), self.now());
        if let Ok(event) = event {
            let _ = self.publish(&job.tenant, Ok(event)).await;
        }
    }
}

impl JobFailure {
    pub(crate) fn internal(what: &str) -> JobFailure {
        JobFailure {
            service: "tidings",
            error: format!("the job could not be done: {what}"),
            retryable: false,
        }
    }
}

/// What is stored with a job that was asked for.
pub(crate) fn started(job: &Job, asked: &impl Serialize, action: &'static str, origin: Origin) -> Attached {
    let begun = Begun { id: job.id, asked };
    Attached {
        event: Some(sync(job, "SYNC_STARTED", origin, &begun, None)),
        response: None,
        audit: Some(audit::entry(job.actor.clone(), action, audit::SUCCESS, &begun)),
    }
}

/// Stores the end of a job that began at `start`, with what the tenant is told of it.
pub(crate) async fn end(
    store: &Store,
    job: &Job,
    outcome: &Result<Box<RawValue>, JobFailure>,
    start: Instant,
) -> Result<Written<Job>, StoreError> {
    let duration = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let end = JobEnd {
        is_completed: outcome.is_ok(),
        result: match outcome {
            Ok(result) => result.clone(),
            Err(failure) => raw(failure),
        },
    };
    let attach = |job: &Job| Attached {
        event: Some(match outcome {
            Ok(result) => sync(job, "SYNC_COMPLETED", Origin::System, result, Some(duration)),
            Err(failure) => service_error(job, failure),
        }),
        response: None,
        audit: Some(ended(job, outcome.as_ref().err())),
    };
    store.finish_job(job, end, attach).await
}

fn sync(
    job: &Job,
    kind: &'static str,
    origin: Origin,
    result: &impl Serialize,
    duration: Option<u64>,
) -> NewOutboxEvent {
    let data = Sync {
        operation: job.kind.as_str(),
        result: &raw(result),
        duration,
    };
    let time = job.finished_at.unwrap_or(job.requested_at);
    envelope::integration_event(&job.tenant, kind, origin, &data, time)
}

fn service_error(job: &Job, failure: &JobFailure) -> NewOutboxEvent {
    let data = ServiceError {
        operation: job.kind.as_str(),
        failure,
    };
    let time = job.finished_at.unwrap_or(job.requested_at);
    envelope::integration_event(&job.tenant, "EXTERNAL_SERVICE_ERROR", Origin::System, &data, time)
}

/// What the audit log says of a job's end.
fn ended(job: &Job, failure: Option<&JobFailure>) -> NewAuditEntry {
    let detail = Ended {
        id: job.id,
        error: failure.map(|failure| failure.error.as_str()),
    };
    let outcome = if failure.is_some() {
        "failed"
    } else {
        audit::SUCCESS
    };
    audit::entry(Actor::system(), job.kind.as_str(), outcome, &detail)
}

pub(crate) fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value)
        .expect("Invariant: what is told of a job holds texts, numbers and times only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_waits_for_its_own_answer() {
        let jobs = Arc::new(Jobs::default());
        let (first, second) = (JobId::generate(), JobId::generate());
        let (one, two) = (jobs.unanswered(first), jobs.unanswered(second));
        let waits = async |id| {
            tokio::time::timeout(ANSWER_TIME_MAX, jobs.until_answered(id))
                .await
                .is_err()
        };
        assert!(waits(first).await);
        drop(two);
        assert!(waits(first).await && !waits(second).await);
        let ((), ()) = tokio::join!(jobs.until_answered(first), async { drop(one) });
        assert!(!waits(first).await);
    }
}
