//! Whether the tenant's data would come back.

use serde_json::json;
use tidings_store::{JOBS_KEPT, Job, JobKind, JobStatus};

use super::check::Area::{Gdpr, Nis2, Security};
use super::check::{Rule, Severity};
use super::report::{CouldNotRun, Findings};
use super::subject::Subject;

const HOUR_MS: i64 = 60 * 60 * 1000;

pub(super) const RECENCY: Rule = Rule {
    name: "backup_recency",
    areas: &[Gdpr, Nis2, Security],
    severities: &[Severity::High],
    about: "The tenant has no completed backup, or the last one began more than `compliance.backup_age_hours_max` hours ago.",
    recommendation: "Make one with the command `start_backup`, regularly, and try now and then whether it can be restored.",
};

pub(super) async fn recency(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let backups = subject
        .store()
        .list_jobs(subject.tenant, JobKind::Backup, JOBS_KEPT)
        .await?;
    Ok(judge(subject, &backups))
}

/// `backups` are the newest, the newest of them first.
fn judge(subject: &Subject<'_>, backups: &[Job]) -> Findings {
    let hours = subject.settings.backup_age_hours_max;
    let is_done = |job: &&Job| job.status == JobStatus::Completed;
    // What it holds is of when it began.
    let begun = |job: &Job| job.started_at.unwrap_or(job.requested_at);
    let last = backups.iter().filter(is_done).max_by_key(|job| begun(job));
    let failed_since = |last: Option<&Job>| {
        let is_later = |job: &&Job| last.is_none_or(|last| job.id > last.id);
        let failed = backups.iter().filter(|job| job.status == JobStatus::Failed);
        failed.filter(is_later).count()
    };
    let Some(last) = last else {
        let message = "the tenant has no backup".to_owned();
        let evidence = json!({"backup": null, "failed": failed_since(None)});
        return vec![RECENCY.finding(Severity::High, message, evidence)];
    };
    let age_hours = (subject.now.as_millis() - begun(last).as_millis()) / HOUR_MS;
    if age_hours < i64::from(hours) {
        return Findings::new();
    }
    let message = format!("the last backup is more than {hours} hours old");
    let evidence = json!({"backup": last.id, "ageHours": age_hours, "failedSince": failed_since(Some(last))});
    vec![RECENCY.finding(Severity::High, message, evidence)]
}
