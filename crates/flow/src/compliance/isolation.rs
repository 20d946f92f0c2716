//! Whether tenants are apart: the tenant's own hands reach for the others' rows.

use serde_json::json;

use super::check::Area::{Gdpr, Nis2, Security};
use super::check::{Rule, Severity};
use super::report::{CouldNotRun, Findings};
use super::subject::Subject;

pub(super) const TENANT_ISOLATION: Rule = Rule {
    name: "tenant_isolation",
    areas: &[Gdpr, Nis2, Security],
    severities: &[Severity::Critical],
    about: "The tenant reaches rows of another one. A lead of another tenant, where there is one, is asked for by its id as \
            this tenant, and what this tenant's lists give is looked through. On PostgreSQL every table is asked, as this \
            tenant and with the query's filter left out, for a row of another's; row-level security must be forced on each \
            table, and the user of `store.url` must not be let past it.",
    recommendation: "Connect as a role without SUPERUSER and BYPASSRLS that owns the tables, undo what was changed in the \
                     schema by hand (`ALTER TABLE … FORCE ROW LEVEL SECURITY`), and report what remains as a vulnerability.",
};

pub(super) async fn tenant_isolation(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let probe = subject.store().probe_isolation(subject.tenant).await?;
    if probe.is_apart() {
        return Ok(Findings::new());
    }
    let message = if !probe.leaks.is_empty() {
        format!("rows of other tenants are in reach: {}", probe.leaks.join(", "))
    } else if probe.bypasses_row_security {
        "the database lets the server past row-level security".to_owned()
    } else {
        format!(
            "row-level security is not forced on {}",
            probe.unwalled_tables.join(", ")
        )
    };
    Ok(vec![TENANT_ISOLATION.finding(
        Severity::Critical,
        message,
        json!({
            "foreignLeadsAskedFor": probe.foreign_leads,
            "leaks": probe.leaks,
            "unwalledTables": probe.unwalled_tables,
            "bypassesRowSecurity": probe.bypasses_row_security,
        }),
    )])
}
