//! The tenant's leads: how long they are kept, and whether there is a reason to.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tidings_store::{Lead, LeadFilter, LeadId, LeadStatus};
use tidings_wire::time::Timestamp;
use tokio::time::Instant;

use super::check::Area::Gdpr;
use super::check::{Rule, Severity};
use super::report::{CouldNotRun, EXAMPLES_MAX, Findings};
use super::subject::Subject;
use crate::parameters::{Members, text};
use crate::period::beginning;

pub(super) const RETENTION: Rule = Rule {
    name: "lead_retention",
    areas: &[Gdpr],
    severities: &[Severity::Medium],
    about: "Leads were not touched for `compliance.lead_retention_days` days.",
    recommendation: "Delete leads that are not needed any more, or write down why they are kept (`DELETE /leads/{id}`).",
};

pub(super) const LOST_RETENTION: Rule = Rule {
    name: "lost_lead_retention",
    areas: &[Gdpr],
    severities: &[Severity::Medium],
    about: "Leads that are LOST were not touched for `compliance.lost_lead_retention_days` days.",
    recommendation: "Delete lost leads, or write down why they are kept (`DELETE /leads/{id}`).",
};

pub(super) const CONSENT: Rule = Rule {
    name: "lead_consent",
    areas: &[Gdpr],
    severities: &[Severity::Medium],
    about: "Leads whose payload tells of no consent: no member `consent`, `gdprConsent`, `marketingConsent`, `privacyConsent`, \
            `consentGiven`, `consentAt`, `consentDate` or the same with underscores (`gdpr_consent`) is true, `yes`, `on`, 1, a \
            date or a timestamp.",
    recommendation: "Send the consent along with a lead (`gdprConsent: true`, `consentAt: \"2026-02-07T12:00:00Z\"`), or write \
                     down on which other ground the data are kept.",
};

pub(super) const CONTACT: Rule = Rule {
    name: "lead_contact",
    areas: &[Gdpr],
    severities: &[Severity::Low],
    about: "Leads without an email address and without a phone number, whom nobody can tell what is kept about them.",
    recommendation: "Complete or delete them.",
};

/// Leads that are read at once: at most 64 MiB of payloads, and mostly 100 KiB.
const PART: u32 = 250;
/// How long a walk goes on. What it has not seen by then is told.
const WALK_TIME_MAX: Duration = Duration::from_mins(3);

/// Members of a payload that tell of consent.
const CONSENT_NAMES: [&str; 13] = [
    "consent",
    "gdprConsent",
    "gdpr_consent",
    "marketingConsent",
    "marketing_consent",
    "privacyConsent",
    "privacy_consent",
    "consentGiven",
    "consent_given",
    "consentAt",
    "consent_at",
    "consentDate",
    "consent_date",
];

/// Leads of one kind.
#[derive(Debug, Default)]
struct Group {
    count: u64,
    /// Those that were met last; the walk goes from the newest to the oldest.
    examples: VecDeque<LeadId>,
    untouched_since: Option<Timestamp>,
}

/// What a walk through all leads saw.
#[derive(Debug, Default)]
pub(super) struct LeadSurvey {
    total: u64,
    looked_at: u64,
    is_whole: bool,
    untouched: Group,
    lost: Group,
    without_consent: Group,
    without_contact: Group,
}

impl LeadSurvey {
    /// Walks through the leads, part by part, with a pause behind each as long as the part took: others come first.
    pub(super) async fn walk(subject: &Subject<'_>) -> Result<LeadSurvey, CouldNotRun> {
        let untouched_limit = subject.days_ago(subject.settings.lead_retention_days);
        let lost_limit = subject.days_ago(subject.settings.lost_lead_retention_days);
        let (filter, begun) = (LeadFilter::default(), Instant::now());
        let mut survey = LeadSurvey::default();
        let mut after = None;
        loop {
            let part_begun = Instant::now();
            let page = subject
                .store()
                .list_leads(subject.tenant, &filter, PART, after.as_ref())
                .await?;
            if after.is_none() {
                survey.total = page.total;
            }
            for lead in &page.leads {
                survey.add(lead, untouched_limit, lost_limit);
            }
            after = page.next_cursor;
            if after.is_none() {
                survey.is_whole = true;
                return Ok(survey);
            }
            if begun.elapsed() > WALK_TIME_MAX {
                return Ok(survey);
            }
            tokio::time::sleep(part_begun.elapsed()).await;
        }
    }

    fn add(&mut self, lead: &Lead, untouched_limit: Timestamp, lost_limit: Timestamp) {
        self.looked_at += 1;
        if lead.updated_at < untouched_limit {
            self.untouched.add(lead);
        }
        if lead.status == LeadStatus::Lost && lead.updated_at < lost_limit {
            self.lost.add(lead);
        }
        let payload = lead.payload.as_raw().get();
        if !tells_of_consent(payload) {
            self.without_consent.add(lead);
        }
        if !has_contact(payload) {
            self.without_contact.add(lead);
        }
    }

    /// What a rule finds in one of the groups. A walk that was cut short and met none of them is no pass.
    fn findings(
        &self,
        rule: &Rule,
        group: &Group,
        message: impl FnOnce(u64) -> String,
        evidence: Value,
    ) -> Result<Findings, CouldNotRun> {
        let (looked_at, total) = (self.looked_at, self.total);
        if group.count == 0 && !self.is_whole {
            return Err(CouldNotRun::new(format!(
                "{looked_at} of {total} leads were looked at in {} s",
                WALK_TIME_MAX.as_secs()
            )));
        }
        if group.count == 0 {
            return Ok(Findings::new());
        }
        let mut all = Map::new();
        all.insert("count".to_owned(), json!(group.count));
        all.insert("lookedAt".to_owned(), json!(looked_at));
        all.insert("total".to_owned(), json!(total));
        all.insert("leads".to_owned(), json!(group.examples));
        if let Value::Object(more) = evidence {
            all.extend(more);
        }
        let cut = if self.is_whole {
            String::new()
        } else {
            format!(" ({looked_at} of {total} looked at)")
        };
        let message = message(group.count) + &cut;
        Ok(vec![rule.finding(rule.worst(), message, all.into())])
    }
}

impl Group {
    fn add(&mut self, lead: &Lead) {
        self.count += 1;
        self.examples.push_back(lead.id);
        if self.examples.len() > EXAMPLES_MAX {
            self.examples.pop_front();
        }
        let since = self.untouched_since.get_or_insert(lead.updated_at);
        *since = (*since).min(lead.updated_at);
    }
}

pub(super) async fn retention(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let survey = subject.leads().await?;
    let days = subject.settings.lead_retention_days;
    let message = |count| format!("{count} lead(s) not touched for {days} days");
    let evidence = ages(subject, days, &survey.untouched);
    survey.findings(&RETENTION, &survey.untouched, message, evidence)
}

pub(super) async fn lost_retention(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let survey = subject.leads().await?;
    let days = subject.settings.lost_lead_retention_days;
    let message = |count| format!("{count} lost lead(s) not touched for {days} days");
    let evidence = ages(subject, days, &survey.lost);
    survey.findings(&LOST_RETENTION, &survey.lost, message, evidence)
}

pub(super) async fn consent(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let survey = subject.leads().await?;
    let message = |count| format!("{count} lead(s) that tell of no consent");
    survey.findings(&CONSENT, &survey.without_consent, message, Value::Null)
}

pub(super) async fn contact(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let survey = subject.leads().await?;
    let message = |count| format!("{count} lead(s) without email and phone");
    survey.findings(&CONTACT, &survey.without_contact, message, Value::Null)
}

fn ages(subject: &Subject<'_>, days: u32, group: &Group) -> Value {
    let oldest = group.untouched_since.map(|since| subject.age_days(since));
    json!({"days": days, "oldestDays": oldest})
}

fn tells_of_consent(payload: &str) -> bool {
    Members::read(payload, &CONSENT_NAMES).is_some_and(|members| {
        CONSENT_NAMES
            .iter()
            .filter_map(|name| members.get(name))
            .any(is_consent)
    })
}

/// What forms and files say for yes, and the time at which it was said.
fn is_consent(json: &RawValue) -> bool {
    if let Some(text) = text(json) {
        let text = text.trim().to_lowercase();
        return matches!(text.as_str(), "true" | "yes" | "on" | "1")
            || beginning(&text.to_uppercase()).is_some();
    }
    matches!(json.get(), "true" | "1")
}

fn has_contact(payload: &str) -> bool {
    let names = ["email", "phone"];
    Members::read(payload, &names).is_some_and(|members| {
        let has = |name: &&str| {
            members
                .get(name)
                .and_then(text)
                .is_some_and(|text| !text.trim().is_empty())
        };
        names.iter().any(has)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_in_its_spellings() {
        for payload in [
            r#"{"consent":true}"#,
            r#"{"consent":null,"gdpr_consent":"Yes"}"#,
            r#"{"marketingConsent":"on"}"#,
            r#"{"consentGiven":1}"#,
            r#"{"name":"Ann","consentAt":"2026-02-07T12:00:00Z"}"#,
            r#"{"consent_date":"2026-02-07"}"#,
            r#"{"privacyConsent":" TRUE "}"#,
        ] {
            assert!(tells_of_consent(payload), "{payload}");
        }
        for payload in [
            "{}",
            r#"{"consent":false}"#,
            r#"{"consent":null}"#,
            r#"{"consent":""}"#,
            r#"{"consent":"no"}"#,
            r#"{"consent":0,"gdprConsent":"false"}"#,
            r#"{"consentAt":"soon"}"#,
            r#"{"consent":{"given":true}}"#,
            r#"{"notes":"consent true"}"#,
        ] {
            assert!(!tells_of_consent(payload), "{payload}");
        }
    }

    #[test]
    fn contact_is_an_address_or_a_number() {
        for (payload, expected) in [
            (r#"{"email":"a@b.dk"}"#, true),
            (r#"{"phone":"+45 12345678","email":null}"#, true),
            (r#"{"email":" ","phone":""}"#, false),
            (r#"{"email":7}"#, false),
            (r#"{"name":"Ann"}"#, false),
        ] {
            assert_eq!(has_contact(payload), expected, "{payload}");
        }
    }

    #[test]
    fn a_walk_that_was_cut_short_is_no_pass() {
        let survey = LeadSurvey {
            total: 10,
            looked_at: 4,
            without_contact: Group {
                count: 2,
                ..Group::default()
            },
            ..LeadSurvey::default()
        };
        let message = |count| format!("{count} lead(s)");
        let none = survey.findings(&CONSENT, &survey.without_consent, message, Value::Null);
        assert!(none.is_err());
        let some = survey.findings(&CONTACT, &survey.without_contact, message, Value::Null);
        let some = serde_json::to_value(some.unwrap()).unwrap();
        assert_eq!(some[0]["message"], "2 lead(s) (4 of 10 looked at)");
        let whole = LeadSurvey {
            is_whole: true,
            ..survey
        };
        let none = whole.findings(&CONSENT, &whole.without_consent, message, Value::Null);
        assert!(none.unwrap().is_empty());
    }
}
