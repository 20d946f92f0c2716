//! What checks found, as it is stored and told.

use serde::Serialize;
use serde_json::Value;
use tidings_backup::BackupError;
use tidings_store::{JobId, StoreError};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

use super::check::{CheckType, Rule, Severity};

/// Ids that a finding names as examples.
pub(super) const EXAMPLES_MAX: usize = 10;

/// What one check found; nothing is a pass.
pub(super) type Findings = Vec<Finding>;

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Finding {
    check: &'static str,
    severity: Severity,
    message: String,
    /// Counts, ids and ages.
    #[schema(value_type = Object)]
    evidence: Value,
    recommendation: &'static str,
}

/// A check could not look.
#[derive(Debug)]
pub(super) struct CouldNotRun(String);

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckOutcome)]
pub(crate) enum Outcome {
    Passed,
    Findings,
    CouldNotRun,
}

/// What became of one check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Checked {
    check: &'static str,
    outcome: Outcome,
}

/// How many findings of each severity there were, those included that the report leaves out.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = FindingCounts)]
pub(crate) struct Counts {
    critical: u32,
    high: u32,
    medium: u32,
    low: u32,
}

/// What became of all checks that were asked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ComplianceResult)]
pub(crate) struct Report {
    id: JobId,
    r#type: CheckType,
    severity: Severity,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    completed_at: Timestamp,
    checks: Vec<Checked>,
    counts: Counts,
    findings: Vec<Finding>,
}

impl Rule {
    /// Something that this rule found.
    pub(super) fn finding(&self, severity: Severity, message: String, evidence: Value) -> Finding {
        Finding {
            check: self.name,
            severity,
            message,
            evidence,
            recommendation: self.recommendation,
        }
    }
}

impl CouldNotRun {
    pub(super) fn new(reason: String) -> CouldNotRun {
        CouldNotRun(reason)
    }

    /// What is found instead: as bad as the worst that the check could have found, since nobody knows.
    fn finding(self, rule: &Rule) -> Finding {
        Finding {
            check: rule.name,
            severity: rule.worst().max(Severity::High),
            message: format!("the check could not run: {}", self.0),
            evidence: Value::Object(serde_json::Map::new()),
            recommendation: "Mend what kept it from running, and check again: nothing is known until then.",
        }
    }
}

impl From<BackupError> for CouldNotRun {
    fn from(error: BackupError) -> CouldNotRun {
        tracing::warn!(%error, "a compliance check could not run");
        CouldNotRun(error.to_string())
    }
}

impl From<StoreError> for CouldNotRun {
    fn from(error: StoreError) -> CouldNotRun {
        tracing::warn!(%error, "a compliance check could not run");
        CouldNotRun(error.to_string())
    }
}

impl Report {
    pub(super) fn begin(id: JobId, r#type: CheckType, severity: Severity, now: Timestamp) -> Report {
        Report {
            id,
            r#type,
            severity,
            started_at: now,
            completed_at: now,
            checks: Vec::new(),
            counts: Counts::default(),
            findings: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rule: &Rule, found: Result<Findings, CouldNotRun>) {
        let (outcome, findings) = match found {
            Ok(findings) if findings.is_empty() => (Outcome::Passed, findings),
            Ok(findings) => (Outcome::Findings, findings),
            Err(reason) => (Outcome::CouldNotRun, vec![reason.finding(rule)]),
        };
        self.checks.push(Checked {
            check: rule.name,
            outcome,
        });
        for finding in findings {
            *self.counts.of(finding.severity) += 1;
            if finding.severity >= self.severity {
                self.findings.push(finding);
            }
        }
    }

    /// The worst findings first.
    pub(super) fn complete(mut self, now: Timestamp) -> Report {
        self.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.completed_at = now;
        self
    }
}

impl Counts {
    fn of(&mut self, severity: Severity) -> &mut u32 {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compliance::check::Area;

    const MILD: Rule = Rule {
        name: "mild",
        areas: &[Area::Gdpr],
        severities: &[Severity::Medium, Severity::Low],
        about: "",
        recommendation: "Do better.",
    };
    const GRAVE: Rule = Rule {
        name: "grave",
        severities: &[Severity::Critical],
        ..MILD
    };

    fn report(severity: Severity) -> Value {
        let mut report = Report::begin(
            JobId::generate(),
            CheckType::All,
            severity,
            Timestamp::from_millis(0),
        );
        report.add(&MILD, Ok(Vec::new()));
        let low = MILD.finding(Severity::Low, "one".to_owned(), json!({"count": 1}));
        let medium = MILD.finding(Severity::Medium, "two".to_owned(), json!({"count": 2}));
        report.add(&MILD, Ok(vec![low, medium]));
        report.add(&GRAVE, Err(CouldNotRun::new("the store is away".to_owned())));
        report.add(&MILD, Err(CouldNotRun::new("it was late".to_owned())));
        let report = report.complete(Timestamp::from_millis(7));
        serde_json::to_value(&report).unwrap()
    }

    #[test]
    fn what_could_not_run_is_as_bad_as_the_worst_and_never_mild() {
        let report = report(Severity::Low);
        assert_eq!(
            report["checks"],
            json!([
                {"check": "mild", "outcome": "passed"},
                {"check": "mild", "outcome": "findings"},
                {"check": "grave", "outcome": "could_not_run"},
                {"check": "mild", "outcome": "could_not_run"},
            ])
        );
        assert_eq!(
            report["counts"],
            json!({"critical": 1, "high": 1, "medium": 1, "low": 1})
        );
        let told: Vec<_> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                (
                    finding["severity"].as_str().unwrap(),
                    finding["message"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("critical", "the check could not run: the store is away"),
                ("high", "the check could not run: it was late"),
                ("medium", "two"),
                ("low", "one"),
            ]
        );
    }

    #[test]
    fn milder_findings_are_left_out_and_counted() {
        for (severity, expected) in [
            (Severity::Low, 4),
            (Severity::Medium, 3),
            (Severity::High, 2),
            (Severity::Critical, 1),
        ] {
            let report = report(severity);
            assert_eq!(report["findings"].as_array().unwrap().len(), expected);
            assert_eq!(report["counts"]["low"], 1);
        }
    }
}
