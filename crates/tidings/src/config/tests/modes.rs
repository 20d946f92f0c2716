//! What each mode refuses.

use super::super::*;
use super::from_variables;

const SECRET: &str = "TIDINGS__AUTH__JWT__SECRET";
const GOOD_SECRET: &str = "0123456789abcdef0123456789abcdef";
const GOOD_TOKEN: &str = "fedcba9876543210fedcba9876543210";

fn refused(pairs: &[(&str, &str)]) -> Vec<String> {
    let config = from_variables(pairs).unwrap().config;
    let development_secret = Secret::new("d3v310pment-d3v310pment-d3v310pment");
    refusals(&config, Some(&development_secret))
        .into_iter()
        .map(|refusal| refusal.subject)
        .collect()
}

#[test]
fn production_refuses_everything_unfit_at_once_and_names_the_remedy() {
    let production = ("TIDINGS__SERVER__MODE", "production");
    let origins = ("TIDINGS__ORIGINS__ALLOWED", "https://app.example.com");
    let token = ("TIDINGS__TASKS__DAPR__API_TOKEN", GOOD_TOKEN);
    let secret = (SECRET, GOOD_SECRET);
    assert_eq!(
        refused(&[production]),
        ["auth.jwt.secret", "origins.allowed", "tasks.dapr.api_token"]
    );
    assert_eq!(refused(&[production, origins, token, secret]), [""; 0]);
    for weak in [
        "short",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "d3v310pment-d3v310pment-d3v310pment",
    ] {
        assert_eq!(
            refused(&[production, origins, token, (SECRET, weak)]),
            ["auth.jwt.secret"],
            "{weak}"
        );
    }
    for weak in ["token", &GOOD_TOKEN[1..], &"ab".repeat(20)] {
        assert_eq!(
            refused(&[
                production,
                origins,
                secret,
                ("TIDINGS__TASKS__DAPR__API_TOKEN", weak)
            ]),
            ["tasks.dapr.api_token"],
            "{weak}"
        );
    }
    let lax = ("TIDINGS__TASKS__TOKEN_REQUIRED", "false");
    assert_eq!(
        refused(&[production, origins, token, secret, lax]),
        ["tasks.token_required"]
    );
    for (listen, is_refused) in [
        ("off", false),
        ("localhost:8005", false),
        ("10.0.0.1:8005", false),
        ("0.0.0.0:8005", true),
        ("localhost:8004", true),
    ] {
        let found = refused(&[
            production,
            origins,
            secret,
            ("TIDINGS__TASKS__INGEST_LISTEN", listen),
        ]);
        assert_eq!(
            found.contains(&"tasks.dapr.api_token".to_owned()),
            is_refused,
            "{listen}"
        );
    }
    assert_eq!(
        refused(&[production, origins, secret, ("TIDINGS__TASKS__LISTEN", "off")]),
        [""; 0]
    );
    let config = from_variables(&[production]).unwrap().config;
    for refusal in refusals(&config, None) {
        assert!(refusal.to_string().contains("export TIDINGS__"), "{refusal}");
    }
}

#[test]
fn development_stays_on_this_machine() {
    assert_eq!(refused(&[]), [""; 0]);
    assert_eq!(
        refused(&[("TIDINGS__FLOW__LISTEN", "0.0.0.0:4000")]),
        ["flow.listen"]
    );
    assert_eq!(
        refused(&[("TIDINGS__TASKS__INGEST_LISTEN", "10.0.0.1:1")]),
        ["tasks.ingest_listen"]
    );
    assert_eq!(refused(&[(SECRET, "short")]), ["auth.jwt.secret"]);
    assert_eq!(refused(&[("TIDINGS__TASKS__DAPR__API_TOKEN", "short")]), [""; 0]);
}

#[test]
fn the_audience_of_operators_is_no_users() {
    let audience = |audience| ("TIDINGS__AUTH__JWT__AUDIENCE", audience);
    let production = ("TIDINGS__SERVER__MODE", "production");
    assert_eq!(refused(&[audience("tidings")]), ["auth.jwt.audience"]);
    assert_eq!(refused(&[audience("tidings-app")]), [""; 0]);
    assert!(refused(&[production, audience("tidings")]).contains(&"auth.jwt.audience".to_owned()));
}

#[test]
fn a_proxy_is_believed_on_purpose_only() {
    let trusted = |networks| ("TIDINGS__PROXIES__TRUSTED", networks);
    let header = ("TIDINGS__PROXIES__HEADER", "X-Forwarded-For");
    let protocol = |listeners| ("TIDINGS__PROXIES__PROTOCOL_LISTENERS", listeners);
    assert_eq!(refused(&[header]), ["proxies.trusted"]);
    assert_eq!(refused(&[protocol("flow")]), ["proxies.trusted"]);
    assert_eq!(refused(&[header, trusted("10.0.0.0/8, ::1")]), [""; 0]);
    assert_eq!(refused(&[protocol("flow,tasks"), trusted("10.0.0.0/8")]), [""; 0]);
    let shared = ("TIDINGS__FLOW__LISTEN", "localhost:8004");
    assert_eq!(
        refused(&[protocol("flow"), trusted("10.0.0.0/8"), shared]),
        ["proxies.protocol_listeners"]
    );
    assert_eq!(
        refused(&[protocol("tasks,flow"), trusted("10.0.0.0/8"), shared]),
        [""; 0]
    );
    let production = ("TIDINGS__SERVER__MODE", "production");
    for everybody in ["0.0.0.0/0", "10.0.0.0/8,::/0"] {
        assert_eq!(refused(&[trusted(everybody)]), [""; 0]);
        assert!(refused(&[production, trusted(everybody)]).contains(&"proxies.trusted".to_owned()));
    }
    for wrong in [
        trusted("10.0.0.0/33"),
        ("TIDINGS__PROXIES__HEADER", "via"),
        protocol("metrics"),
    ] {
        assert!(from_variables(&[wrong]).is_err(), "{wrong:?}");
    }
}

#[test]
fn tls_has_what_it_needs_before_it_starts() {
    let listeners = |names| ("TIDINGS__TLS__LISTENERS", names);
    let file = |key| (key, "/nowhere/tidings.pem");
    let [certificate, key] = ["TIDINGS__TLS__CERTIFICATE", "TIDINGS__TLS__KEY"].map(file);
    assert_eq!(refused(&[listeners("tasks")]), ["tls.certificate", "tls.key"]);
    assert_eq!(refused(&[listeners("tasks"), certificate]), ["tls.key"]);
    assert_eq!(
        refused(&[listeners("tasks"), certificate, key]),
        ["tls.certificate"]
    );
    assert_eq!(refused(&[certificate, key]), [""; 0]);
    let shared = ("TIDINGS__FLOW__LISTEN", "localhost:8004");
    assert_eq!(
        refused(&[listeners("tasks"), shared]),
        ["tls.listeners", "tls.certificate", "tls.key"]
    );
    for version in ["1.1", "TLSv1.3"] {
        assert!(from_variables(&[("TIDINGS__TLS__VERSION_MIN", version)]).is_err());
    }
}
