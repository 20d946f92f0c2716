//! Which checks there are.

use serde::Serialize;
use utoipa::ToSchema;

use super::report::{CouldNotRun, Findings};
use super::subject::Subject;
use super::{audit_log, backup, isolation, keys, leads, server};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// What a rule serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    Gdpr,
    Nis2,
    Security,
}

/// Which checks somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckType {
    Gdpr,
    Nis2,
    Security,
    All,
}

/// A check as it is documented.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its name in reports.
    pub(crate) name: &'static str,
    /// What it serves.
    pub(super) areas: &'static [Area],
    /// The severities of what it finds, the worst one first.
    pub(super) severities: &'static [Severity],
    /// What it finds wrong, and where it looks.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the reference page is compared with it")
    )]
    pub(super) about: &'static str,
    /// What to do about it.
    pub(super) recommendation: &'static str,
}

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    KeyAge,
    KeyWithoutExpiry,
    KeyUnused,
    PermissionUnused,
    ListenerTls,
    DevelopmentMode,
    DemoKey,
    BackupRecency,
    LeadRetention,
    LostLeadRetention,
    LeadConsent,
    LeadContact,
    TenantIsolation,
    AuditLog,
}

impl Check {
    /// All of them, in the order in which they are carried out.
    pub(super) const ALL: [Check; 14] = [
        Check::KeyAge,
        Check::KeyWithoutExpiry,
        Check::KeyUnused,
        Check::PermissionUnused,
        Check::ListenerTls,
        Check::DevelopmentMode,
        Check::DemoKey,
        Check::BackupRecency,
        Check::LeadRetention,
        Check::LostLeadRetention,
        Check::LeadConsent,
        Check::LeadContact,
        Check::TenantIsolation,
        Check::AuditLog,
    ];

    pub(super) fn rule(self) -> &'static Rule {
        match self {
            Check::KeyAge => &keys::AGE,
            Check::KeyWithoutExpiry => &keys::WITHOUT_EXPIRY,
            Check::KeyUnused => &keys::UNUSED,
            Check::PermissionUnused => &keys::PERMISSION_UNUSED,
            Check::ListenerTls => &server::LISTENER_TLS,
            Check::DevelopmentMode => &server::DEVELOPMENT_MODE,
            Check::DemoKey => &server::DEMO_KEY,
            Check::BackupRecency => &backup::RECENCY,
            Check::LeadRetention => &leads::RETENTION,
            Check::LostLeadRetention => &leads::LOST_RETENTION,
            Check::LeadConsent => &leads::CONSENT,
            Check::LeadContact => &leads::CONTACT,
            Check::TenantIsolation => &isolation::TENANT_ISOLATION,
            Check::AuditLog => &audit_log::AUDIT_LOG,
        }
    }

    pub(super) async fn look(self, subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
        match self {
            Check::KeyAge => keys::age(subject).await,
            Check::KeyWithoutExpiry => keys::without_expiry(subject).await,
            Check::KeyUnused => keys::unused(subject).await,
            Check::PermissionUnused => keys::permission_unused(subject).await,
            Check::ListenerTls => Ok(server::listener_tls(subject.settings)),
            Check::DevelopmentMode => Ok(server::development_mode(subject.settings)),
            Check::DemoKey => server::demo_key(subject).await,
            Check::BackupRecency => backup::recency(subject).await,
            Check::LeadRetention => leads::retention(subject).await,
            Check::LostLeadRetention => leads::lost_retention(subject).await,
            Check::LeadConsent => leads::consent(subject).await,
            Check::LeadContact => leads::contact(subject).await,
            Check::TenantIsolation => isolation::tenant_isolation(subject).await,
            Check::AuditLog => audit_log::audit_log(subject).await,
        }
    }
}

impl Rule {
    /// The worst that it finds.
    pub(super) fn worst(&self) -> Severity {
        self.severities.first().copied().unwrap_or(Severity::High)
    }
}

impl Severity {
    /// What [`Severity::parse`] takes, for people.
    pub(crate) const EXPECTED: &str = "one of low, medium, high, critical";

    pub(crate) fn parse(word: &str) -> Option<Severity> {
        Some(match word {
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            _ => return None,
        })
    }
}

impl CheckType {
    /// What [`CheckType::parse`] takes, for people.
    pub(crate) const EXPECTED: &str = "one of gdpr, nis2, security, all";

    pub(crate) fn parse(word: &str) -> Option<CheckType> {
        Some(match word {
            "gdpr" => CheckType::Gdpr,
            "nis2" => CheckType::Nis2,
            "security" => CheckType::Security,
            "all" => CheckType::All,
            _ => return None,
        })
    }

    pub(super) fn includes(self, rule: &Rule) -> bool {
        match self {
            CheckType::Gdpr => rule.areas.contains(&Area::Gdpr),
            CheckType::Nis2 => rule.areas.contains(&Area::Nis2),
            CheckType::Security => rule.areas.contains(&Area::Security),
            CheckType::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/compliance.md");

    /// A rule as the page has it.
    fn section(rule: &Rule) -> String {
        let list = |words: Vec<String>| words.join(", ").to_lowercase();
        format!(
            "### `{}`\n\n{}\n\n- part of: {}\n- severity: {}\n- recommendation: {}\n",
            rule.name,
            rule.about,
            list(rule.areas.iter().map(|area| format!("{area:?}")).collect()),
            list(
                rule.severities
                    .iter()
                    .map(|severity| format!("{severity:?}"))
                    .collect()
            ),
            rule.recommendation
        )
    }

    #[test]
    fn every_rule_is_documented_as_it_is() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        for check in Check::ALL {
            let section = section(check.rule());
            assert!(page.contains(&section), "{PAGE} should have:\n{section}");
        }
        assert_eq!(page.matches("\n### `").count(), Check::ALL.len(), "and no others");
    }

    #[test]
    fn rules_have_names_of_their_own_and_belong_somewhere() {
        for (position, check) in Check::ALL.into_iter().enumerate() {
            let rule = check.rule();
            assert!(
                !rule.areas.is_empty() && !rule.severities.is_empty(),
                "{}",
                rule.name
            );
            let is_other = |other: &Check| other.rule().name != rule.name;
            assert!(Check::ALL[..position].iter().all(is_other), "{}", rule.name);
        }
    }

    #[test]
    fn words() {
        for (word, severity) in [("low", Severity::Low), ("critical", Severity::Critical)] {
            assert_eq!(Severity::parse(word), Some(severity));
            assert_eq!(serde_json::to_string(&severity).unwrap(), format!("\"{word}\""));
        }
        for word in ["gdpr", "nis2", "security", "all"] {
            let r#type = CheckType::parse(word).unwrap();
            assert_eq!(serde_json::to_string(&r#type).unwrap(), format!("\"{word}\""));
        }
        assert_eq!((Severity::parse("LOW"), CheckType::parse("")), (None, None));
        assert!(Severity::Critical > Severity::High && Severity::Medium > Severity::Low);
    }
}
