//! The tenant's keys: how old they are, and whether they may do more than they do.

use std::collections::BTreeSet;

use serde_json::json;
use tidings_access::{Permission, Permissions};
use tidings_store::{KeyId, KeyRecord};

use super::check::Area::{Gdpr, Nis2, Security};
use super::check::{Rule, Severity};
use super::report::{CouldNotRun, EXAMPLES_MAX, Finding, Findings};
use super::subject::Subject;
use crate::audit;
use crate::command::CommandName;

pub(super) const AGE: Rule = Rule {
    name: "key_age",
    areas: &[Nis2, Security],
    severities: &[Severity::Medium],
    about: "A good key is older than `compliance.key_age_days_max` days and was never rotated in that time; rotation puts a \
            new key in its place.",
    recommendation: "Rotate it: `tidings key rotate ID --grace 24h` leaves clients a day to take the new one.",
};

pub(super) const WITHOUT_EXPIRY: Rule = Rule {
    name: "key_without_expiry",
    areas: &[Nis2, Security],
    severities: &[Severity::Low],
    about: "A good key does not end by itself.",
    recommendation: "Make keys with `tidings key create --expires 90d`, and revoke those without an end.",
};

pub(super) const UNUSED: Rule = Rule {
    name: "key_unused",
    areas: &[Nis2, Security],
    severities: &[Severity::Medium],
    about: "A good key that is older than `compliance.unused_days_max` days was not used for as long, or never.",
    recommendation: "Revoke it: `tidings key revoke ID`.",
};

pub(super) const PERMISSION_UNUSED: Rule = Rule {
    name: "permission_unused",
    areas: &[Gdpr, Nis2, Security],
    severities: &[Severity::Medium],
    about: "A good key that is in use and older than `compliance.unused_days_max` days holds a permission that it has not \
            used for as long: the audit log has no command or write of the key that needs it and succeeded. `admin` \
            stands for all the others. Reading leads over HTTP and receiving their events is not in the audit log, so \
            that `leads:read` counts as used by every key that was used at all.",
    recommendation: "Make a key with the permissions that are used (`tidings key create --permission …`), and revoke this one.",
};

pub(super) async fn age(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let days = subject.settings.key_age_days_max;
    let limit = subject.days_ago(days);
    let old = chosen(subject, |key| key.created_at < limit).await?;
    let oldest_days = old.iter().map(|key| subject.age_days(key.created_at)).max();
    let message = |count| format!("{count} key(s) older than {days} days");
    Ok(about_keys(&AGE, &old, message, |evidence| {
        evidence.insert("oldestDays".to_owned(), json!(oldest_days));
    }))
}

pub(super) async fn without_expiry(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let endless = chosen(subject, |key| key.expires_at.is_none()).await?;
    let message = |count| format!("{count} key(s) that do not end by themselves");
    Ok(about_keys(&WITHOUT_EXPIRY, &endless, message, |_| {}))
}

pub(super) async fn unused(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let days = subject.settings.unused_days_max;
    let idle = chosen(subject, |key| is_idle(subject, key)).await?;
    let never = idle.iter().filter(|key| key.last_used_at.is_none()).count();
    let message = |count| format!("{count} key(s) not used for {days} days");
    Ok(about_keys(&UNUSED, &idle, message, |evidence| {
        evidence.insert("neverUsed".to_owned(), json!(never));
    }))
}

pub(super) async fn permission_unused(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let days = subject.settings.unused_days_max;
    let since = subject.days_ago(days);
    let in_use = chosen(subject, |key| key.created_at < since && !is_idle(subject, key)).await?;
    if in_use.is_empty() {
        return Ok(Findings::new());
    }
    let actions = subject
        .store()
        .audited_actions(subject.tenant, audit::SUCCESS, since)
        .await?;
    let too_wide: Vec<(KeyId, Vec<&str>)> = in_use
        .into_iter()
        .map(|key| (key.id, unused_permissions(key, &actions)))
        .filter(|(_, unused)| !unused.is_empty())
        .collect();
    if too_wide.is_empty() {
        return Ok(Findings::new());
    }
    let count = too_wide.len();
    let examples: Vec<_> = too_wide
        .iter()
        .take(EXAMPLES_MAX)
        .map(|(key, unused)| json!({"key": key, "unused": unused}))
        .collect();
    Ok(vec![PERMISSION_UNUSED.finding(
        Severity::Medium,
        format!("{count} key(s) with permissions that were not used for {days} days"),
        json!({"count": count, "days": days, "keys": examples}),
    )])
}

/// Whether a key was there for long enough and not used in that time.
fn is_idle(subject: &Subject<'_>, key: &KeyRecord) -> bool {
    let since = subject.days_ago(subject.settings.unused_days_max);
    key.created_at < since && key.last_used_at.is_none_or(|time| time < since)
}

/// What a key in use may do and did not.
fn unused_permissions(key: &KeyRecord, actions: &BTreeSet<(String, String)>) -> Vec<&'static str> {
    let actor = key.id.to_string();
    let used: Permissions = actions
        .iter()
        .filter(|(who, _)| *who == actor)
        .filter_map(|(_, action)| needed_by(action))
        .chain([Permission::LeadsRead])
        .collect();
    let held: Permissions = key
        .permissions
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    Permission::ALL
        .into_iter()
        .filter(|permission| *permission != Permission::Admin)
        .filter(|permission| held.contains(*permission) && !used.contains(*permission))
        .map(Permission::as_str)
        .collect()
}

/// The permission that an action in the audit log needed.
fn needed_by(action: &str) -> Option<Permission> {
    match action {
        "update_lead" | "change_lead_status" | "delete_lead" => Some(Permission::LeadsWrite),
        command => CommandName::parse(command).map(CommandName::permission),
    }
}

async fn chosen<'s>(
    subject: &'s Subject<'_>,
    is_chosen: impl Fn(&KeyRecord) -> bool,
) -> Result<Vec<&'s KeyRecord>, CouldNotRun> {
    Ok(subject
        .keys()
        .await?
        .iter()
        .filter(|key| is_chosen(key))
        .collect())
}

/// A finding about these keys, if there are any.
fn about_keys(
    rule: &Rule,
    keys: &[&KeyRecord],
    message: impl FnOnce(usize) -> String,
    more: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) -> Vec<Finding> {
    if keys.is_empty() {
        return Vec::new();
    }
    let ids: Vec<_> = keys.iter().take(EXAMPLES_MAX).map(|key| key.id).collect();
    let mut evidence = serde_json::Map::new();
    evidence.insert("count".to_owned(), json!(keys.len()));
    evidence.insert("keys".to_owned(), json!(ids));
    more(&mut evidence);
    vec![rule.finding(rule.worst(), message(keys.len()), evidence.into())]
}

#[cfg(test)]
mod tests {
    use tidings_store::TenantId;
    use tidings_wire::time::Timestamp;

    use super::*;

    #[test]
    fn what_is_held_and_was_not_used() {
        let table: [(&[&str], &[&str], &[&str]); 6] = [
            (&["leads:read"], &[], &[]),
            (&["leads:read", "leads:write"], &[], &["leads:write"]),
            (&["leads:read", "leads:write"], &["delete_lead"], &[]),
            (
                &["metrics:read"],
                &["get_leads", "unknown_command"],
                &["metrics:read"],
            ),
            (
                &["admin"],
                &["create_lead", "start_backup"],
                &["metrics:read", "compliance:run"],
            ),
            (
                &["admin"],
                &["update_lead", "get_metrics", "start_backup", "compliance_check"],
                &[],
            ),
        ];
        for (held, done, expected) in table {
            let key = KeyRecord {
                id: KeyId::generate(),
                tenant: TenantId::new("t1").unwrap(),
                hash: [0; 32],
                permissions: held.iter().map(|name| (*name).to_owned()).collect(),
                created_at: Timestamp::from_millis(0),
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
            };
            let other = KeyId::generate().to_string();
            let mut actions: BTreeSet<_> = done
                .iter()
                .map(|action| (key.id.to_string(), (*action).to_owned()))
                .collect();
            // What another key does is not this one's doing.
            actions.extend(["get_metrics", "create_lead"].map(|action| (other.clone(), action.to_owned())));
            assert_eq!(unused_permissions(&key, &actions), expected, "{held:?} {done:?}");
        }
    }
}
