//! The rules about rooms, in their configured order.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use tidings_access::{BreakerState, ClaimRule, RoomAccess, RoomRule};
use tidings_rules::{HttpRule, SqlRule};
use tidings_store::Store;
use tidings_workflows::registry_rule;

use crate::config::{Config, RuleName};
use crate::failure::{Failure, Outcome};

/// Access to rooms as it is configured.
pub(crate) fn access(config: &Config, store: &Store) -> Outcome<RoomAccess> {
    let access = &config.access;
    let rule = |name: &RuleName| -> anyhow::Result<Arc<dyn RoomRule>> {
        // What is missing here was refused before (`config/production/access.rs`).
        Ok(match name {
            RuleName::Registry => registry_rule(store.clone(), access.registry_ttl()),
            RuleName::Claim => Arc::new(ClaimRule),
            RuleName::Sql => {
                let settings = config.access_sql.settings(access);
                let settings = settings.ok_or_else(|| anyhow!("access.sql: no address or no query"))?;
                Arc::new(SqlRule::new(settings).context("access.sql.url")?)
            }
            RuleName::Http => {
                let settings = config.access_http.settings(access);
                let settings = settings.ok_or_else(|| anyhow!("access.http: no address"))?;
                Arc::new(HttpRule::new(settings).context("access.http.url")?)
            }
        })
    };
    let rules: anyhow::Result<Vec<_>> = access.rules.iter().map(rule).collect();
    rules.map(RoomAccess::new).map_err(Failure::Usage)
}

/// Whether a rule that asks others can be asked, for health.
pub(crate) struct RuleAway {
    /// Its name there.
    pub(crate) part: &'static str,
    /// Whether it asks nobody at the moment, because nobody has answered.
    pub(crate) is_away: bool,
}

/// The rules that ask others.
pub(crate) fn states(access: &RoomAccess) -> impl Iterator<Item = RuleAway> {
    access.figures().into_iter().filter_map(|rule| {
        let breaker = rule.state.breaker?;
        let part = match rule.name {
            SqlRule::NAME => "access_sql",
            _ => "access_http",
        };
        Some(RuleAway {
            part,
            is_away: breaker != BreakerState::Closed,
        })
    })
}
