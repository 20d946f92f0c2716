//! Rules about rooms that cannot be asked, or that whoever is on the way could answer.

use super::super::access::RuleName;
use super::{Config, Mode, Refusal};

const RULES: &str = "access.rules";

pub(super) fn refusals(config: &Config) -> Vec<Refusal> {
    let rules = &config.access.rules;
    let has = |name| rules.contains(&name);
    let mut refusals = Vec::new();
    if let Some((_, twice)) = (0..)
        .zip(rules)
        .find(|(place, name)| rules[..*place].contains(name))
    {
        refusals.push(Refusal::new(
            RULES,
            format!("`{twice}` is there twice"),
            "leave it where it is to be asked first",
        ));
    }
    if has(RuleName::Sql) && config.access_sql.settings(&config.access).is_none() {
        refusals.push(Refusal::new(
            RULES,
            "`sql` has no database to ask, or nothing to ask it",
            "export TIDINGS__ACCESS__SQL__URL=postgres://USER:PASSWORD@HOST/DATABASE TIDINGS__ACCESS__SQL__QUERY='SELECT true FROM … WHERE owner = $1 AND kind = $2 AND id = $3'",
        ));
    }
    if has(RuleName::Http) && config.access_http.settings(&config.access).is_none() {
        refusals.push(Refusal::new(
            RULES,
            "`http` has no route to ask",
            "export TIDINGS__ACCESS__HTTP__URL=https://app.example.com/may-enter",
        ));
    }
    if config.server.mode == Mode::Production && has(RuleName::Http) && config.access_http.is_insecure() {
        refusals.push(Refusal::new(
            "access.http.url",
            "the route is asked without TLS, so that whoever is on the way can let in whom he likes",
            "use its address with https://, or that of a proxy on this machine",
        ));
    }
    refusals
}
