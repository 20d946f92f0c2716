//! A compliance check as a job: what it is asked, what comes of it, and what the room hears.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{Actor, Job, JobId, JobKind, JobPriority, JobStatus, NewJob};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

use super::check::{CheckType, Severity};
use crate::authentication::Principal;
use crate::flow::Flow;
use crate::jobs::{self, JobFailure};
use crate::parameters::{Members, text};

/// What to check, and from which severity on to tell of it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Asked {
    #[schema(value_type = String)]
    pub(crate) r#type: CheckType,
    #[schema(value_type = String)]
    pub(crate) severity: Severity,
}

/// A check as callers see it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    id: JobId,
    #[serde(flatten)]
    asked: Asked,
    status: &'static str,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

impl Asked {
    /// The job that answers it.
    pub(crate) fn job(self, principal: &Principal) -> serde_json::Result<NewJob> {
        Ok(NewJob {
            tenant: principal.tenant.clone(),
            kind: JobKind::ComplianceCheck,
            priority: JobPriority::Normal,
            parameters: serde_json::value::to_raw_value(&self)?,
            actor: Actor::key(principal.key),
        })
    }

    fn of(job: &Job) -> Option<Asked> {
        let members = Members::read(job.parameters.get(), &["type", "severity"])?;
        Some(Asked {
            r#type: CheckType::parse(&text(members.get("type")?)?)?,
            severity: Severity::parse(&text(members.get("severity")?)?)?,
        })
    }

    /// What to show of a job whose parameters nobody can read: everything.
    fn or_everything(asked: Option<Asked>) -> Asked {
        asked.unwrap_or(Asked {
            r#type: CheckType::All,
            severity: Severity::Low,
        })
    }
}

impl Check {
    pub(crate) fn of(job: &Job) -> Check {
        Check {
            id: job.id,
            asked: Asked::or_everything(Asked::of(job)),
            status: match job.status {
                JobStatus::Waiting | JobStatus::Running => "running",
                JobStatus::Completed => "completed",
                JobStatus::Failed => "failed",
            },
            timestamp: job.requested_at,
        }
    }
}

/// Carries a check out: the report, as JSON.
pub(crate) async fn carry_out(flow: &Flow, job: &Job) -> Result<Box<RawValue>, JobFailure> {
    let Asked { r#type, severity } =
        Asked::of(job).ok_or_else(|| JobFailure::internal("what is to be checked cannot be read"))?;
    let report = super::run(flow, &job.tenant, job.id, r#type, severity).await;
    Ok(jobs::raw(&report))
}
