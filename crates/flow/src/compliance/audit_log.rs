//! Whether the audit log is what was written.

use serde_json::json;

use super::check::Area::{Gdpr, Nis2, Security};
use super::check::{Rule, Severity};
use super::report::{CouldNotRun, Findings};
use super::subject::Subject;

pub(super) const AUDIT_LOG: Rule = Rule {
    name: "audit_log",
    areas: &[Gdpr, Nis2, Security],
    severities: &[Severity::Critical],
    about: "The tenant's audit log was changed, or entries were removed. Every entry is read and its hash compared, and the log \
            must reach the head that this server last wrote to its own log, and have the heads that stand in the tenant's backups.",
    recommendation: "Find out who has access to the database, keep a copy of it as it is, and compare the log with `tidings \
                     audit verify` and the heads in the server's log and in backups.",
};

pub(super) async fn audit_log(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let tenant = subject.store().tenant(subject.tenant).await?;
    let target = &subject.flow.backups().target;
    let mut known = target.audit_heads(subject.tenant, tenant.as_ref()).await?;
    known.extend(subject.flow.audit().anchored(subject.tenant));
    let verified = subject.store().verify_audit(subject.tenant, &known).await?;
    Ok(match verified {
        Ok(_) => Findings::new(),
        Err(fault) => vec![AUDIT_LOG.finding(
            Severity::Critical,
            format!("the audit log is not what was written: {fault}"),
            json!({"fault": fault.to_string()}),
        )],
    })
}
