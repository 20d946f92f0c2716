//! The metric families: name, help text, and the reading behind each.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelValue, NoLabelSet};
use prometheus_client::metrics::MetricType;

use tidings_wire::websocket::DeflateFigures;

use super::{Distribution, Readings, TlsReadings, access, outbox, sources};
use crate::cli::version::VERSION;

/// Writes all families.
pub(super) fn encode(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    connections(readings, to)?;
    counter(
        to,
        "tidings_connections_opened",
        "Connections opened",
        readings.opened,
    )?;
    counters(
        to,
        "tidings_connections_closed",
        "Connections closed, by close code",
        "code",
        &readings.closed,
    )?;
    histogram(
        to,
        "tidings_connection_duration_seconds",
        "How long connections lasted",
        &readings.duration,
    )?;
    counters(
        to,
        "tidings_handshakes_refused",
        "Handshakes refused, by reason",
        "reason",
        &readings.handshakes_refused,
    )?;
    limits(readings, to)?;
    messages(readings, to)?;
    counter(to, "tidings_publishes", "Events published", readings.publishes)?;
    counter(
        to,
        "tidings_deliveries",
        "Events put into connections' outboxes",
        readings.deliveries,
    )?;
    counters(
        to,
        "tidings_drops",
        "Events not delivered, by reason",
        "reason",
        &readings.drops,
    )?;
    counters(
        to,
        "tidings_slow_consumers",
        "Connections that did not keep up, by what was done about it",
        "policy",
        &readings.slow_consumers,
    )?;
    histogram(
        to,
        "tidings_publish_to_write_seconds",
        "Time from publish to socket write",
        &readings.latency,
    )?;
    counter(
        to,
        "tidings_frames_written",
        "Frames written to sockets",
        readings.frames_written,
    )?;
    counter(to, "tidings_writes", "Write calls to sockets", readings.writes)?;
    to.encode_descriptor("tidings_rooms", "Rooms with members", None, MetricType::Gauge)?
        .encode_gauge(&readings.rooms)?;
    compression(readings, to)?;
    sources::encode(readings, to)?;
    access::encode(&readings.access, to)?;
    outbox::encode(&readings.outbox, to)?;
    counter(
        to,
        "tidings_executions_forgotten",
        "Executions deleted because they ended long ago",
        readings.executions_forgotten,
    )?;
    if !readings.jwks_refreshes.is_empty() {
        counters(
            to,
            "tidings_jwks_refresh",
            "Requests for issuers' keys, by result",
            "result",
            &readings.jwks_refreshes,
        )?;
    }
    if let Some(readings) = &readings.tls {
        tls(readings, to)?;
    }
    to.encode_descriptor(
        "tidings_build_info",
        "The build that runs",
        None,
        MetricType::Gauge,
    )?
    .encode_family(&[("version", VERSION)])?
    .encode_gauge(&1_u32)
}

fn messages(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    counter(
        to,
        "tidings_messages_received",
        "Messages from clients",
        readings.messages_received,
    )?;
    counter(
        to,
        "tidings_messages_sent",
        "Messages written to clients",
        readings.messages_sent,
    )?;
    counter(
        to,
        "tidings_bytes_received",
        "Bytes from clients",
        readings.bytes_received,
    )?;
    counter(
        to,
        "tidings_bytes_sent",
        "Bytes written to clients",
        readings.bytes_sent,
    )
}

fn tls(readings: &TlsReadings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    counters(
        to,
        "tidings_tls_handshakes",
        "TLS handshakes, by outcome",
        "outcome",
        &readings.handshakes,
    )?;
    counters(
        to,
        "tidings_tls_reloads",
        "Readings of a changed certificate, by result",
        "result",
        &readings.reloads,
    )?;
    if let Some(not_after) = readings.certificate_not_after {
        to.encode_descriptor(
            "tidings_tls_certificate_expiry_timestamp_seconds",
            "When the certificate in use ends, in seconds since 1970",
            None,
            MetricType::Gauge,
        )?
        .encode_gauge(&not_after.as_millis().div_euclid(1_000))?;
    }
    Ok(())
}

fn connections(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut family = to.encode_descriptor(
        "tidings_connections",
        "Connections at this moment",
        None,
        MetricType::Gauge,
    )?;
    for kind in &readings.connections {
        let labels = [("gateway", kind.gateway), ("transport", kind.transport)];
        family.encode_family(&labels)?.encode_gauge(&kind.count)?;
    }
    Ok(())
}

fn limits(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    counters(
        to,
        "tidings_limits_reached",
        "How often clients reached a limit, by configuration key",
        "limit",
        &readings.limits_reached,
    )?;
    to.encode_descriptor(
        "tidings_sockets_waiting",
        "Sockets that wait for a request: half-open handshakes, and idle ones",
        None,
        MetricType::Gauge,
    )?
    .encode_gauge(&readings.sockets_waiting)?;
    counter(
        to,
        "tidings_sockets_evicted_for_descriptors",
        "Sockets closed while they waited for a request, because no descriptors were left",
        readings.evicted_for_descriptors,
    )?;
    memory(readings, to)
}

fn memory(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut usage = to.encode_descriptor(
        "tidings_memory_bytes",
        "Memory in use, of the process and of its control group",
        None,
        MetricType::Gauge,
    )?;
    for (of, bytes, _) in &readings.memory {
        usage.encode_family(&[("of", *of)])?.encode_gauge(bytes)?;
    }
    let mut bound = to.encode_descriptor(
        "tidings_memory_bound_bytes",
        "Memory beyond which handshakes are refused",
        None,
        MetricType::Gauge,
    )?;
    for (of, _, bytes) in &readings.memory {
        bound.encode_family(&[("of", *of)])?.encode_gauge(bytes)?;
    }
    to.encode_descriptor(
        "tidings_memory_short",
        "Whether handshakes are refused for want of memory",
        None,
        MetricType::Gauge,
    )?
    .encode_gauge(&u32::from(readings.is_memory_short))
}

fn compression(readings: &Readings, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    counter(
        to,
        "tidings_deflated_messages",
        "Messages compressed, an event's once for all who get it in the same form",
        readings.deflated.messages,
    )?;
    counters(
        to,
        "tidings_deflated_bytes",
        "Payloads of messages compressed, before and after",
        "form",
        &forms(&readings.deflated),
    )?;
    counter(
        to,
        "tidings_inflated_messages",
        "Compressed messages from clients",
        readings.inflated.messages,
    )?;
    counters(
        to,
        "tidings_inflated_bytes",
        "Payloads of compressed messages from clients, after and before",
        "form",
        &forms(&readings.inflated),
    )
}

fn forms(figures: &DeflateFigures) -> [(&'static str, u64); 2] {
    [
        ("plain", figures.plain_bytes),
        ("deflated", figures.deflated_bytes),
    ]
}

/// The encoder appends `_total` to a counter's name.
pub(super) fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    to.encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, _, u64>(&value, None)
}

pub(super) fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    to.encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(&value)
}

pub(super) fn counters<V: EncodeLabelValue + Copy>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    values: &[(V, u64)],
) -> fmt::Result {
    let mut family = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in values {
        family
            .encode_family(&[(label, *value)])?
            .encode_counter::<NoLabelSet, _, u64>(count, None)?;
    }
    Ok(())
}

fn histogram(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    distribution: &Distribution,
) -> fmt::Result {
    let bounds = distribution
        .bounds
        .iter()
        .copied()
        .chain(std::iter::once(f64::INFINITY));
    let counts = distribution.counts.iter().copied().chain(std::iter::repeat(0));
    let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
    let count = buckets.iter().map(|(_, count)| count).sum();
    to.encode_descriptor(name, help, None, MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(distribution.sum, count, &buckets, None)
}
