//! Rules about rooms.

use std::time::Duration;

use super::super::access::RuleName;
use super::super::*;
use super::{effective, from_file, from_variables, written};

fn refused(config: &Config) -> Vec<String> {
    refusals(config, None)
        .into_iter()
        .filter(|refusal| refusal.subject.starts_with("access"))
        .map(|refusal| format!("{}: {}", refusal.subject, refusal.reason))
        .collect()
}

#[test]
fn rules_stand_in_a_file_or_in_variables() {
    let password = written("postgres://app:secret@db/app\n");
    let text = format!(
        "[access]\nrules = [\"http\", \"sql\", \"registry\"]\nregistry_ttl_ms = 60_000\n\
         [access.sql]\nurl_file = \"{}\"\nquery = \"SELECT true\"\nttl_ms = 5_000\n\
         [access.http]\nurl = \"https://app.example/may-enter\"\ntoken = \"known\"\n",
        password.path().display()
    );
    let from_file = from_file(&text).unwrap();
    let from_variables = from_variables(&[
        ("TIDINGS__ACCESS__RULES", "http, sql,registry"),
        ("TIDINGS__ACCESS__REGISTRY_TTL_MS", "60000"),
        ("TIDINGS__ACCESS__SQL__URL", "postgres://app:secret@db/app"),
        ("TIDINGS__ACCESS__SQL__QUERY", "SELECT true"),
        ("TIDINGS__ACCESS__SQL__TTL_MS", "5000"),
        ("TIDINGS__ACCESS__HTTP__URL", "https://app.example/may-enter"),
        ("TIDINGS__ACCESS__HTTP__TOKEN", "known"),
    ])
    .unwrap();
    for loaded in [from_file, from_variables] {
        let config = &loaded.config;
        let access = &config.access;
        assert_eq!(access.rules, [RuleName::Http, RuleName::Sql, RuleName::Registry]);
        assert_eq!(access.registry_ttl(), Some(Duration::from_mins(1)));
        let sql = config.access_sql.settings(access).unwrap();
        assert_eq!(sql.url, "postgres://app:secret@db/app");
        assert_eq!(
            (sql.query.as_str(), sql.holds),
            ("SELECT true", Duration::from_secs(5))
        );
        assert_eq!(sql.breaker.failures_max, 5);
        let http = config.access_http.settings(access).unwrap();
        assert_eq!(http.url.as_str(), "https://app.example/may-enter");
        assert_eq!(http.token.as_deref(), Some("known"));
        assert_eq!(refused(config), Vec::<String>::new());
        let printed = effective(&loaded);
        assert!(
            !printed.contains("app:secret") && !printed.contains("known"),
            "{printed}"
        );
    }
}

#[test]
fn by_default_the_registry_and_the_claim() {
    let config = from_variables(&[]).unwrap().config;
    assert_eq!(config.access.rules, [RuleName::Registry, RuleName::Claim]);
    assert_eq!(config.access.registry_ttl(), None);
    let config = from_variables(&[("TIDINGS__ACCESS__RULES", "")]).unwrap().config;
    assert_eq!(config.access.rules, []);
    assert_eq!(refused(&config), Vec::<String>::new());
}

#[test]
fn rules_that_cannot_be_asked_are_refused() {
    let url = ("TIDINGS__ACCESS__HTTP__URL", "http://app.example/");
    let near = ("TIDINGS__ACCESS__HTTP__URL", "http://[::1]:3000/");
    let production = ("TIDINGS__SERVER__MODE", "production");
    let rules = |names| ("TIDINGS__ACCESS__RULES", names);
    let database = ("TIDINGS__ACCESS__SQL__URL", "postgres://db/app");
    let query = ("TIDINGS__ACCESS__SQL__QUERY", "SELECT true");
    for (variables, expected) in [
        (vec![rules("sql")], "access.rules: `sql` has no database"),
        (
            vec![rules("sql"), database],
            "access.rules: `sql` has no database",
        ),
        (vec![rules("sql"), query], "access.rules: `sql` has no database"),
        (vec![rules("sql"), database, query], ""),
        (vec![rules("http")], "access.rules: `http` has no route"),
        (vec![rules("http"), url], ""),
        (
            vec![rules("http"), url, production],
            "access.http.url: the route is asked without TLS",
        ),
        (vec![rules("claim"), url, production], ""),
        (vec![rules("http"), near, production], ""),
        (
            vec![rules("registry,claim,registry")],
            "access.rules: `registry` is there twice",
        ),
    ] {
        let config = from_variables(&variables).unwrap().config;
        let found = refused(&config).join("\n");
        assert!(
            found.starts_with(expected) && found.is_empty() == expected.is_empty(),
            "{variables:?}: {found}"
        );
    }
}

#[test]
fn what_is_no_rule_and_no_address_is_told() {
    for (name, value, expected) in [
        (
            "TIDINGS__ACCESS__RULES",
            "ldap",
            "`registry`, `claim`, `sql` or `http`",
        ),
        (
            "TIDINGS__ACCESS__HTTP__URL",
            "app.example",
            "begins with `https://`",
        ),
        (
            "TIDINGS__ACCESS__HTTP__URL",
            "ftp://app.example",
            "begins with `https://`",
        ),
        (
            "TIDINGS__ACCESS__HTTP__URL",
            "https://me@app.example",
            "without a password",
        ),
        ("TIDINGS__ACCESS__SQL__CONNECTIONS_MAX", "0", "from 1 to 1000"),
        (
            "TIDINGS__ACCESS__SQL__QUERIES",
            "x",
            "did you mean `TIDINGS__ACCESS__SQL__QUERY`?",
        ),
    ] {
        let error = from_variables(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}={value}: {error}");
    }
}
