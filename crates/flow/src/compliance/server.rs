//! How the server is set up: TLS, mode, keys that everybody knows.

use serde_json::json;
use tidings_store::KeyStanding;

use super::check::Area::{Gdpr, Nis2, Security};
use super::check::{Rule, Severity};
use super::report::{CouldNotRun, Findings};
use super::settings::{ComplianceSettings, ListenerReach, ListenerSecurity};
use super::subject::Subject;

pub(super) const LISTENER_TLS: Rule = Rule {
    name: "listener_tls",
    areas: &[Gdpr, Nis2, Security],
    severities: &[
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
    ],
    about: "The flow listener does not speak TLS, and no trusted proxy does so for it. Critical on an address that anybody \
            reaches, high on a private network, low on loopback. Behind a trusted proxy it passes, unless clients can go \
            past the proxy because the listener has an address that anybody reaches: medium.",
    recommendation: "Name `flow` in `tls.listeners` with a certificate, or let it listen on loopback behind a proxy that is \
                     named in `proxies.trusted` and speaks through `proxies.header` or the PROXY protocol.",
};

pub(super) const DEVELOPMENT_MODE: Rule = Rule {
    name: "development_mode",
    areas: &[Nis2, Security],
    severities: &[Severity::High],
    about: "The server runs in development mode, in which keys are made that everybody knows and tokens are not asked for.",
    recommendation: "Start it with `--mode production`, which says what is missing.",
};

pub(super) const DEMO_KEY: Rule = Rule {
    name: "demo_key",
    areas: &[Gdpr, Nis2, Security],
    severities: &[Severity::Critical],
    about: "A key of the tenant is good that everybody knows: one of those that development mode makes \
            (`demo-tenant-key-1`, `demo-tenant-key-2`).",
    recommendation: "Revoke it: `tidings key revoke ID`.",
};

pub(super) fn listener_tls(settings: &ComplianceSettings) -> Findings {
    let ListenerSecurity {
        speaks_tls,
        is_behind_proxy,
        reach,
    } = settings.listener;
    if speaks_tls {
        return Findings::new();
    }
    let (severity, message) = match (is_behind_proxy, reach) {
        (true, ListenerReach::Loopback | ListenerReach::Private) => return Findings::new(),
        (true, ListenerReach::Public) => (
            Severity::Medium,
            "clients can go past the proxy to a listener without TLS",
        ),
        (false, ListenerReach::Public) => (
            Severity::Critical,
            "keys and leads travel in the clear on an address that anybody reaches",
        ),
        (false, ListenerReach::Private) => (
            Severity::High,
            "keys and leads travel in the clear on a private network",
        ),
        (false, ListenerReach::Loopback) => (
            Severity::Low,
            "no TLS on loopback, and no trusted proxy in front of it",
        ),
    };
    let reach = match reach {
        ListenerReach::Loopback => "loopback",
        ListenerReach::Private => "private",
        ListenerReach::Public => "public",
    };
    let evidence = json!({"tls": false, "trustedProxy": is_behind_proxy, "address": reach});
    vec![LISTENER_TLS.finding(severity, message.to_owned(), evidence)]
}

pub(super) fn development_mode(settings: &ComplianceSettings) -> Findings {
    if !settings.is_development {
        return Findings::new();
    }
    let message = "the server runs in development mode".to_owned();
    vec![DEVELOPMENT_MODE.finding(Severity::High, message, json!({"mode": "development"}))]
}

pub(super) async fn demo_key(subject: &Subject<'_>) -> Result<Findings, CouldNotRun> {
    let mut keys = Vec::new();
    for hash in &subject.settings.known_key_hashes {
        let found = subject.store().key_by_hash(hash).await?;
        keys.extend(found.filter(|(key, tenant)| {
            let standing = key.standing(tenant, subject.now);
            key.tenant == *subject.tenant
                && matches!(standing, KeyStanding::Good | KeyStanding::TenantSuspended)
        }));
    }
    if keys.is_empty() {
        return Ok(Findings::new());
    }
    let ids: Vec<_> = keys.iter().map(|(key, _)| key.id).collect();
    let message = format!("{} good key(s) that everybody knows", ids.len());
    Ok(vec![DEMO_KEY.finding(
        Severity::Critical,
        message,
        json!({"count": ids.len(), "keys": ids}),
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_by_where_one_listens() {
        use ListenerReach::{Loopback, Private, Public};
        let table = [
            (true, false, Public, None),
            (true, true, Private, None),
            (false, true, Loopback, None),
            (false, true, Private, None),
            (false, true, Public, Some("medium")),
            (false, false, Loopback, Some("low")),
            (false, false, Private, Some("high")),
            (false, false, Public, Some("critical")),
        ];
        for (speaks_tls, is_behind_proxy, reach, expected) in table {
            let settings = ComplianceSettings {
                listener: ListenerSecurity {
                    speaks_tls,
                    is_behind_proxy,
                    reach,
                },
                ..ComplianceSettings::default()
            };
            let found = serde_json::to_value(listener_tls(&settings)).unwrap();
            let case = format!("{:?}", settings.listener);
            assert_eq!(found[0]["severity"].as_str(), expected, "{case}");
        }
    }
}
