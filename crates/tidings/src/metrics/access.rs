//! The metric families of the rules about rooms.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use tidings_access::{BreakerState, RULE_BOUNDS_SECONDS, RuleFigures};
use tidings_workflows::Rechecked;

use super::families::{counters, gauge};

/// What was counted of access to rooms.
#[derive(Debug, Default, Clone)]
pub(crate) struct AccessReadings {
    /// The rules, in their order.
    pub(crate) rules: Vec<RuleFigures>,
    /// What became of connections in rooms whose rules were asked again.
    pub(crate) rechecked: Rechecked,
    /// Connections in rooms about which the rules will be asked again.
    pub(crate) answers: u64,
}

/// Writes the families.
pub(super) fn encode(readings: &AccessReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut decisions = to.encode_descriptor(
        "tidings_access_decisions",
        "Answers of the rules about rooms: allowed, nothing, or failed where nobody could be asked",
        None,
        MetricType::Counter,
    )?;
    for rule in &readings.rules {
        let outcomes = [
            ("allowed", rule.allowed),
            ("nothing", rule.nothing),
            ("failed", rule.failed),
        ];
        for (outcome, count) in outcomes {
            decisions
                .encode_family(&[("rule", rule.name), ("outcome", outcome)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    durations(readings, to)?;
    breakers(readings, to)?;
    caches(readings, to)?;
    let Rechecked {
        kept,
        ended,
        deferred,
        overdue,
    } = readings.rechecked;
    counters(
        to,
        "tidings_access_rechecks",
        "What became of connections in rooms whose rules were asked again",
        "outcome",
        &[
            ("kept", kept),
            ("ended", ended),
            ("deferred", deferred),
            ("overdue", overdue),
        ],
    )?;
    gauge(
        to,
        "tidings_access_answers",
        "Connections in rooms about which the rules will be asked again",
        readings.answers,
    )
}

fn durations(readings: &AccessReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut family = to.encode_descriptor(
        "tidings_access_rule_seconds",
        "How long the rules about rooms took to answer",
        None,
        MetricType::Histogram,
    )?;
    for rule in &readings.rules {
        let bounds = RULE_BOUNDS_SECONDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(rule.durations.iter().copied()).collect();
        let count = rule.durations.iter().sum();
        family
            .encode_family(&[("rule", rule.name)])?
            .encode_histogram::<NoLabelSet>(rule.durations_sum_seconds, count, &buckets, None)?;
    }
    Ok(())
}

fn breakers(readings: &AccessReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut family = to.encode_descriptor(
        "tidings_access_breaker_open",
        "Whether a rule asks nobody at the moment, or only to see: 1",
        None,
        MetricType::Gauge,
    )?;
    for rule in &readings.rules {
        if let Some(state) = rule.state.breaker {
            family
                .encode_family(&[("rule", rule.name)])?
                .encode_gauge(&u32::from(state != BreakerState::Closed))?;
        }
    }
    Ok(())
}

fn caches(readings: &AccessReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let caches = || {
        let cache = |rule: &RuleFigures| Some((rule.name, rule.state.cache?));
        readings.rules.iter().filter_map(cache)
    };
    let mut entries = to.encode_descriptor(
        "tidings_access_cache_entries",
        "Answers that a rule remembers",
        None,
        MetricType::Gauge,
    )?;
    for (rule, cache) in caches() {
        entries
            .encode_family(&[("rule", rule)])?
            .encode_gauge(&cache.entries)?;
    }
    let mut questions = to.encode_descriptor(
        "tidings_access_cache",
        "Questions to a rule that remembers: answered from memory, by a call that was under way, by one of their own",
        None,
        MetricType::Counter,
    )?;
    for (rule, cache) in caches() {
        let results = [
            ("hit", cache.hits),
            ("joined", cache.joined),
            ("miss", cache.misses),
        ];
        for (result, count) in results {
            questions
                .encode_family(&[("rule", rule), ("result", result)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
    }
    Ok(())
}
