//! Proxies that would be believed by mistake, or not at all.

use super::super::listener_name::ListenerName;
use super::{Config, Mode, Refusal};

/// What of the proxies' configuration cannot be meant. All of it holds in both modes but the last.
pub(super) fn refusals(config: &Config) -> Vec<Refusal> {
    let proxies = &config.proxies;
    let mut refusals = Vec::new();
    if proxies.trusted.is_empty() && (proxies.header.is_some() || !proxies.protocol_listeners.is_empty()) {
        refusals.push(Refusal::new(
            "proxies.trusted",
            "is empty, so that no proxy would be believed",
            "export TIDINGS__PROXIES__TRUSTED=ADDRESS, the proxies' addresses or ranges",
        ));
    }
    refusals.extend(shared(
        config,
        "proxies.protocol_listeners",
        &proxies.protocol_listeners,
    ));
    if config.server.mode == Mode::Production
        && let Some(everybody) = proxies.trusted.iter().find(|network| network.is_everybody())
    {
        refusals.push(Refusal::new(
            "proxies.trusted",
            format!("{everybody} is everybody: any client could name any address as its own"),
            "export TIDINGS__PROXIES__TRUSTED=ADDRESS, the proxies' addresses or ranges alone",
        ));
    }
    refusals
}

/// Gateways that share a listener must both be named, or neither.
pub(super) fn shared(config: &Config, key: &str, named: &[ListenerName]) -> Option<Refusal> {
    let is_named = |gateway: &str| named.iter().any(|name| name.as_str() == gateway);
    let ingest = config.tasks.ingest_listen.map(|listen| ("ingest", listen));
    let listens: Vec<_> = config.listens().into_iter().chain(ingest).collect();
    let (with, without) = listens.iter().find_map(|(one, listen)| {
        let other = listens
            .iter()
            .find(|(other, theirs)| listen.shares_with(*theirs) && is_named(one) && !is_named(other))?;
        Some((*one, other.0))
    })?;
    Some(Refusal::new(
        key,
        format!("names {with} and not {without}, and they share a listener"),
        format!(
            "name both or neither, or export TIDINGS__{}__LISTEN=ADDRESS for one of them",
            without.to_uppercase()
        ),
    ))
}
