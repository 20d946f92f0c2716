//! Compliance checks: small rules over a tenant's real state.
//!
//! A [`Check`] looks at what there is (keys, the audit log, leads, the configuration in force) and says what it found,
//! with evidence that holds counts, ids and ages and never personal data. The files beside this one hold the rules, by what
//! they look at; docs/reference/compliance.md has a section for each, which a test compares with [`Rule`].
//!
//! Invariant: a check that could not look is itself a finding, never a pass.

mod audit_log;
mod backup;
mod check;
mod isolation;
pub(crate) mod job;
mod keys;
mod leads;
mod report;
mod server;
mod settings;
mod subject;

use std::time::Duration;

use tidings_store::{JobId, TenantId};

pub(crate) use check::{CheckType, Severity};
pub(crate) use report::Report;
pub use settings::{ComplianceSettings, ListenerReach, ListenerSecurity};

use check::Check;
use report::{CouldNotRun, Findings};
use subject::Subject;

use crate::flow::Flow;

/// How long one check may look. Longer than a walk through leads goes on before it says how far it came.
const CHECK_TIME_MAX: Duration = Duration::from_mins(5);

/// Carries the checks of a type out, one after the other; the report leaves out what is less severe.
async fn run(flow: &Flow, tenant: &TenantId, id: JobId, r#type: CheckType, severity: Severity) -> Report {
    let subject = Subject::new(flow, tenant);
    let mut report = Report::begin(id, r#type, severity, subject.now);
    for check in Check::ALL {
        if r#type.includes(check.rule()) {
            let found = look(check, &subject).await;
            report.add(check.rule(), found);
        }
    }
    report.complete(flow.now())
}

async fn look(check: Check, subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let found = tokio::time::timeout(CHECK_TIME_MAX, Box::pin(check.look(subject))).await;
    found.unwrap_or_else(|_| {
        Err(CouldNotRun::new(format!(
            "it took longer than {} s",
            CHECK_TIME_MAX.as_secs()
        )))
    })
}
