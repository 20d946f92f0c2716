//! The metric families of the sources.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use tidings_sources::kafka::PartitionLag;

use super::Readings;
use super::families::{counter, gauge};

/// What was counted of Kafka.
#[derive(Debug, Clone)]
pub(crate) struct KafkaReadings {
    /// Whether a broker answers and the group has this node.
    pub(crate) is_up: bool,
    /// Records read.
    pub(crate) records: u64,
    /// Errors of the client.
    pub(crate) errors: u64,
    /// How often partitions came or went.
    pub(crate) rebalances: u64,
    /// Records written to the dead letter topic.
    pub(crate) dead_letters: u64,
    /// Partitions that this node reads.
    pub(crate) partitions: u64,
    /// Those of them that are paused.
    pub(crate) partitions_paused: u64,
    /// How far behind it is.
    pub(crate) lags: Vec<PartitionLag>,
}

/// Writes the families.
pub(super) fn encode(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut events = to.encode_descriptor(
        "tidings_source_events",
        "Events from the backend's side, by what became of them; what is retried counts each time",
        None,
        MetricType::Counter,
    )?;
    for (outcome, reason, count) in &readings.events {
        events
            .encode_family(&[("outcome", *outcome), ("reason", *reason)])?
            .encode_counter::<prometheus_client::encoding::NoLabelSet, _, u64>(count, None)?;
    }
    readings
        .kafka
        .as_ref()
        .map_or(Ok(()), |readings| kafka(readings, to))
}

fn kafka(readings: &KafkaReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    gauge(
        to,
        "tidings_kafka_up",
        "Whether a broker answers and the consumer group has this node",
        u64::from(readings.is_up),
    )?;
    counter(
        to,
        "tidings_kafka_records",
        "Records read, repetitions too",
        readings.records,
    )?;
    counter(
        to,
        "tidings_kafka_errors",
        "Errors of the client: brokers out of reach, refused commits, topics that are not there",
        readings.errors,
    )?;
    counter(
        to,
        "tidings_kafka_rebalances",
        "How often partitions came or went",
        readings.rebalances,
    )?;
    counter(
        to,
        "tidings_kafka_dead_letters",
        "Records written to the dead letter topic",
        readings.dead_letters,
    )?;
    gauge(
        to,
        "tidings_kafka_partitions",
        "Partitions that this node reads",
        readings.partitions,
    )?;
    gauge(
        to,
        "tidings_kafka_partitions_paused",
        "Partitions paused because too much of them waits",
        readings.partitions_paused,
    )?;
    let mut lags = to.encode_descriptor(
        "tidings_kafka_lag_records",
        "Records that are there and not done",
        None,
        MetricType::Gauge,
    )?;
    for lag in &readings.lags {
        let partition = lag.partition.to_string();
        let labels = [("topic", lag.topic.as_str()), ("partition", partition.as_str())];
        lags.encode_family(&labels)?.encode_gauge(&lag.records)?;
    }
    Ok(())
}
