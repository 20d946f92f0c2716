//! Jobs: what a command began and is done behind its answer.
//!
//! A job is stored with the request and its `SYNC_STARTED`. One task for each kind claims what is stored, by priority,
//! carries it out and stores the end with its `SYNC_COMPLETED`, or `EXTERNAL_SERVICE_ERROR` if it failed. A server that
//! dies in the middle lets its job fall, and whoever serves next takes it up again.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{
    Actor, Attached, JOB_ATTEMPTS_MAX, Job, JobEnd, JobId, JobKind, NewAuditEntry, NewJob, NewOutboxEvent,
    Store, StoreError, Written,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::audit;
use crate::backup;
use crate::envelope::{self, Origin};
use crate::flow::Flow;
use crate::response::Failure;

/// How often one looks for jobs that others stored.
const ROUND: Duration = Duration::from_secs(1);
/// How often a job under way is held for longer.
const HOLD_INTERVAL: Duration = Duration::from_secs(20);

/// Tells the tasks that carry jobs out that there is one.
#[derive(Default)]
pub(crate) struct JobsWaiting {
    backup: Notify,
    compliance_check: Notify,
}

/// Why a job could not be done.
#[derive(Clone, Debug, Serialize)]
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

#[derive(Serialize)]
struct ServiceError<'a> {
    operation: &'static str,
    #[serde(flatten)]
    failure: &'a JobFailure,
}

/// What `SYNC_STARTED` says of a job.
#[derive(Serialize)]
struct Begun<'a> {
    id: JobId,
    #[serde(flatten)]
    parameters: &'a serde_json::Value,
}

#[derive(Serialize)]
struct Ended<'a> {
    id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl JobsWaiting {
    fn of(&self, kind: JobKind) -> &Notify {
        match kind {
            JobKind::Backup | JobKind::Restore => &self.backup,
            JobKind::ComplianceCheck => &self.compliance_check,
        }
    }
}

impl Flow {
    /// Stores a job with its `SYNC_STARTED` and its entry in the audit log, for the task that carries it out.
    pub(crate) async fn request_job(
        &self,
        new: NewJob,
        action: &'static str,
        origin: Origin,
    ) -> Result<Written<Job>, Failure> {
        let kind = new.kind;
        let attach = |job: &Job| started(job, action, origin);
        let requested = self.store().request_job(new, attach).await?;
        self.jobs().of(kind).notify_one();
        Ok(requested)
    }

    /// Carries jobs of a kind out, one after the other, as long as the server runs.
    pub(crate) async fn run_jobs(self, kind: JobKind) {
        let shutdown = self.transport().shutdown().clone();
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.jobs().of(kind).notified() => {}
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
        let outcome = tokio::select! {
            outcome = self.carry_out(&job) => outcome,
            () = self.hold(&job) => {
                tracing::warn!(id = %job.id, "a job is in other hands by now");
                return;
            }
        };
        if let Err(failure) = &outcome {
            tracing::warn!(tenant = %job.tenant, id = %job.id, ?failure, "a {} failed", job.kind.as_str());
        }
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
            kind => Err(JobFailure::internal(kind.as_str())),
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
pub(crate) fn started(job: &Job, action: &'static str, origin: Origin) -> Attached {
    let parameters = serde_json::from_str(job.parameters.get()).unwrap_or_default();
    let begun = Begun {
        id: job.id,
        parameters: &parameters,
    };
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
