//! Prometheus metrics, read from plain counters when somebody asks.
//!
//! Nothing here is on a hot path: whoever counts, counts in its own atomics, and a scrape reads them. No label holds
//! an id, so the number of series does not grow with use.

mod access;
mod families;
mod outbox;
mod sources;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::DeflateFigures;

pub(crate) use self::access::AccessReadings;
pub(crate) use self::outbox::OutboxReadings;
pub(crate) use self::sources::KafkaReadings;

/// The content type of [`Metrics::render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the server counted, at one moment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Readings {
    /// Connections at this moment.
    pub(crate) connections: Vec<Connections>,
    /// Connections opened since the start.
    pub(crate) opened: u64,
    /// Connections closed, by close code.
    pub(crate) closed: Vec<(u16, u64)>,
    /// How long connections lasted.
    pub(crate) duration: Distribution,
    /// Handshakes refused, by reason.
    pub(crate) handshakes_refused: Vec<(&'static str, u64)>,
    /// How often limits were reached, by configuration key.
    pub(crate) limits_reached: Vec<(&'static str, u64)>,
    /// Sockets that wait for a request.
    pub(crate) sockets_waiting: u64,
    /// Waiting sockets closed because there were no descriptors left.
    pub(crate) evicted_for_descriptors: u64,
    /// Memory of what is watched: its name, what it uses and its bound, in bytes.
    pub(crate) memory: Vec<(&'static str, u64, u64)>,
    /// Whether handshakes are refused for want of memory.
    pub(crate) is_memory_short: bool,
    /// Messages from clients.
    pub(crate) messages_received: u64,
    /// Messages to clients.
    pub(crate) messages_sent: u64,
    /// Bytes from clients.
    pub(crate) bytes_received: u64,
    /// Bytes to clients.
    pub(crate) bytes_sent: u64,
    /// Events published.
    pub(crate) publishes: u64,
    /// Events given to connections.
    pub(crate) deliveries: u64,
    /// Events not given to connections, or not taken in, by reason.
    pub(crate) drops: Vec<(&'static str, u64)>,
    /// Connections that did not keep up, by what was done about it: closed, begun to get the latest only, begun to
    /// have a gap.
    pub(crate) slow_consumers: Vec<(&'static str, u64)>,
    /// Time from publish to write.
    pub(crate) latency: Distribution,
    /// Frames written to sockets.
    pub(crate) frames_written: u64,
    /// Write calls: frames by writes is the coalescing.
    pub(crate) writes: u64,
    /// Rooms with members at this moment.
    pub(crate) rooms: u64,
    /// Messages compressed, each once for all who get it.
    pub(crate) deflated: DeflateFigures,
    /// Compressed messages from clients.
    pub(crate) inflated: DeflateFigures,
    /// Events stored with what they tell of.
    pub(crate) outbox: OutboxReadings,
    /// Executions deleted because they ended long ago.
    pub(crate) executions_forgotten: u64,
    /// Events from the backend's side, by outcome and reason.
    pub(crate) events: Vec<(&'static str, &'static str, u64)>,
    /// Kafka, if it is read.
    pub(crate) kafka: Option<KafkaReadings>,
    /// Access to rooms.
    pub(crate) access: AccessReadings,
    /// Requests for issuers' keys, by result; none if nobody publishes any.
    pub(crate) jwks_refreshes: Vec<(&'static str, u64)>,
    /// TLS, if a listener speaks it.
    pub(crate) tls: Option<TlsReadings>,
}

/// What was counted of TLS.
#[derive(Debug, Clone)]
pub(crate) struct TlsReadings {
    /// Handshakes, by outcome.
    pub(crate) handshakes: Vec<(&'static str, u64)>,
    /// Readings of a changed certificate, by result.
    pub(crate) reloads: Vec<(&'static str, u64)>,
    /// When the certificate in use ends.
    pub(crate) certificate_not_after: Option<Timestamp>,
}

/// Connections of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pub(crate) gateway: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) count: u64,
}

/// A histogram: how many observations fell up to each bound (and not up to the one before), and their sum. One count
/// more than bounds takes the rest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Distribution {
    pub(crate) bounds: Vec<f64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}

/// The metrics of this process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Metrics that ask `read` at each scrape.
    pub(crate) fn new(read: impl Fn() -> Readings + Send + Sync + 'static) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Reader(read)));
        Self { registry }
    }

    /// All metrics, in the text format.
    pub(crate) fn render(&self) -> Result<String, fmt::Error> {
        let mut output = String::new();
        text::encode(&mut output, &self.registry)?;
        Ok(output)
    }
}

struct Reader<F>(F);

impl<F> fmt::Debug for Reader<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reader")
    }
}

impl<F: Fn() -> Readings + Send + Sync + 'static> Collector for Reader<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        families::encode(&(self.0)(), &mut encoder)
    }
}

#[cfg(test)]
mod tests {
    use tidings_access::{BreakerState, CacheFigures, RULE_BOUNDS_SECONDS, RuleFigures, RuleState};
    use tidings_sources::kafka::PartitionLag;
    use tidings_workflows::Rechecked;

    use super::*;

    fn access() -> AccessReadings {
        AccessReadings {
            rules: vec![
                RuleFigures {
                    name: "claim",
                    allowed: 1,
                    nothing: 2,
                    durations: vec![3; RULE_BOUNDS_SECONDS.len() + 1],
                    durations_sum_seconds: 0.5,
                    ..RuleFigures::default()
                },
                RuleFigures {
                    name: "http",
                    failed: 4,
                    state: RuleState {
                        breaker: Some(BreakerState::HalfOpen),
                        cache: Some(CacheFigures {
                            entries: 5,
                            hits: 6,
                            joined: 7,
                            misses: 8,
                        }),
                    },
                    ..RuleFigures::default()
                },
            ],
            rechecked: Rechecked {
                kept: 9,
                ended: 10,
                deferred: 11,
                overdue: 12,
            },
            answers: 13,
        }
    }

    fn readings() -> Readings {
        Readings {
            outbox: OutboxReadings {
                gateways: vec![(
                    "flow",
                    tidings_outbox::OutboxFigures {
                        published_at_once: 0,
                        published_later: 18,
                        refused: 0,
                        unremoved: 19,
                        length: 20,
                    },
                )],
            },
            executions_forgotten: 21,
            connections: vec![
                Connections {
                    gateway: "flow",
                    transport: "polling",
                    count: 1,
                },
                Connections {
                    gateway: "tasks",
                    transport: "websocket",
                    count: 2,
                },
            ],
            opened: 5,
            closed: vec![(1001, 1), (4508, 2)],
            duration: Distribution {
                bounds: vec![1.0, 60.0],
                counts: vec![1, 2, 3],
                sum: 900.5,
            },
            handshakes_refused: vec![("origin", 4)],
            limits_reached: vec![("url_bytes_max", 17)],
            sockets_waiting: 23,
            evicted_for_descriptors: 18,
            memory: vec![("process", 19, 20), ("cgroup", 21, 22)],
            is_memory_short: true,
            messages_received: 6,
            messages_sent: 7,
            bytes_received: 8,
            bytes_sent: 9,
            publishes: 10,
            deliveries: 11,
            drops: vec![("slow_consumer", 12)],
            slow_consumers: vec![("close", 2), ("latest", 3)],
            latency: Distribution {
                bounds: vec![0.001],
                counts: vec![13, 0],
                sum: 0.0065,
            },
            frames_written: 15,
            writes: 16,
            rooms: 14,
            deflated: DeflateFigures {
                messages: 17,
                plain_bytes: 18,
                deflated_bytes: 19,
            },
            inflated: DeflateFigures {
                messages: 20,
                plain_bytes: 21,
                deflated_bytes: 22,
            },
            events: vec![("accepted", "", 20), ("dead_letter", "no_user", 21)],
            kafka: Some(KafkaReadings {
                is_up: true,
                records: 22,
                errors: 23,
                rebalances: 24,
                dead_letters: 25,
                partitions: 26,
                partitions_paused: 27,
                lags: vec![PartitionLag {
                    topic: "t".to_owned(),
                    partition: 3,
                    records: 28,
                }],
            }),
            access: access(),
            jwks_refreshes: vec![("failed", 1), ("loaded", 22)],
            tls: Some(TlsReadings {
                handshakes: vec![("completed", 17), ("failed", 18)],
                reloads: vec![("failed", 19), ("loaded", 20)],
                certificate_not_after: Some(Timestamp::from_millis(21_500)),
            }),
        }
    }

    #[test]
    #[allow(clippy::too_many_lines)] // a table
    fn every_family_is_told_as_documented() {
        let text = Metrics::new(readings).render().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let expected = [
            "tidings_connections{gateway=\"flow\",transport=\"polling\"} 1",
            "tidings_connections{gateway=\"tasks\",transport=\"websocket\"} 2",
            "tidings_connections_opened_total 5",
            "tidings_connections_closed_total{code=\"1001\"} 1",
            "tidings_connections_closed_total{code=\"4508\"} 2",
            "tidings_connection_duration_seconds_sum 900.5",
            "tidings_connection_duration_seconds_count 6",
            "tidings_connection_duration_seconds_bucket{le=\"1.0\"} 1",
            "tidings_connection_duration_seconds_bucket{le=\"60.0\"} 3",
            "tidings_connection_duration_seconds_bucket{le=\"+Inf\"} 6",
            "tidings_handshakes_refused_total{reason=\"origin\"} 4",
            "tidings_limits_reached_total{limit=\"url_bytes_max\"} 17",
            "tidings_sockets_waiting 23",
            "tidings_sockets_evicted_for_descriptors_total 18",
            "tidings_memory_bytes{of=\"process\"} 19",
            "tidings_memory_bytes{of=\"cgroup\"} 21",
            "tidings_memory_bound_bytes{of=\"process\"} 20",
            "tidings_memory_bound_bytes{of=\"cgroup\"} 22",
            "tidings_memory_short 1",
            "tidings_messages_received_total 6",
            "tidings_messages_sent_total 7",
            "tidings_bytes_received_total 8",
            "tidings_bytes_sent_total 9",
            "tidings_publishes_total 10",
            "tidings_deliveries_total 11",
            "tidings_drops_total{reason=\"slow_consumer\"} 12",
            "tidings_slow_consumers_total{policy=\"close\"} 2",
            "tidings_slow_consumers_total{policy=\"latest\"} 3",
            "tidings_publish_to_write_seconds_sum 0.0065",
            "tidings_publish_to_write_seconds_count 13",
            "tidings_publish_to_write_seconds_bucket{le=\"0.001\"} 13",
            "tidings_publish_to_write_seconds_bucket{le=\"+Inf\"} 13",
            "tidings_frames_written_total 15",
            "tidings_writes_total 16",
            "tidings_rooms 14",
            "tidings_deflated_messages_total 17",
            "tidings_deflated_bytes_total{form=\"plain\"} 18",
            "tidings_deflated_bytes_total{form=\"deflated\"} 19",
            "tidings_inflated_messages_total 20",
            "tidings_inflated_bytes_total{form=\"plain\"} 21",
            "tidings_inflated_bytes_total{form=\"deflated\"} 22",
            "tidings_source_events_total{outcome=\"accepted\",reason=\"\"} 20",
            "tidings_source_events_total{outcome=\"dead_letter\",reason=\"no_user\"} 21",
            "tidings_kafka_up 1",
            "tidings_kafka_records_total 22",
            "tidings_kafka_errors_total 23",
            "tidings_kafka_rebalances_total 24",
            "tidings_kafka_dead_letters_total 25",
            "tidings_kafka_partitions 26",
            "tidings_kafka_partitions_paused 27",
            "tidings_kafka_lag_records{topic=\"t\",partition=\"3\"} 28",
            "tidings_access_decisions_total{rule=\"claim\",outcome=\"allowed\"} 1",
            "tidings_access_decisions_total{rule=\"claim\",outcome=\"nothing\"} 2",
            "tidings_access_decisions_total{rule=\"claim\",outcome=\"failed\"} 0",
            "tidings_access_decisions_total{rule=\"http\",outcome=\"allowed\"} 0",
            "tidings_access_decisions_total{rule=\"http\",outcome=\"nothing\"} 0",
            "tidings_access_decisions_total{rule=\"http\",outcome=\"failed\"} 4",
            "tidings_access_rule_seconds_sum{rule=\"claim\"} 0.5",
            "tidings_access_rule_seconds_count{rule=\"claim\"} 33",
            "tidings_access_rule_seconds_bucket{le=\"0.0001\",rule=\"claim\"} 3",
            "tidings_access_rule_seconds_bucket{le=\"0.0005\",rule=\"claim\"} 6",
            "tidings_access_rule_seconds_bucket{le=\"0.001\",rule=\"claim\"} 9",
            "tidings_access_rule_seconds_bucket{le=\"0.005\",rule=\"claim\"} 12",
            "tidings_access_rule_seconds_bucket{le=\"0.01\",rule=\"claim\"} 15",
            "tidings_access_rule_seconds_bucket{le=\"0.05\",rule=\"claim\"} 18",
            "tidings_access_rule_seconds_bucket{le=\"0.1\",rule=\"claim\"} 21",
            "tidings_access_rule_seconds_bucket{le=\"0.5\",rule=\"claim\"} 24",
            "tidings_access_rule_seconds_bucket{le=\"1.0\",rule=\"claim\"} 27",
            "tidings_access_rule_seconds_bucket{le=\"5.0\",rule=\"claim\"} 30",
            "tidings_access_rule_seconds_bucket{le=\"+Inf\",rule=\"claim\"} 33",
            "tidings_access_rule_seconds_sum{rule=\"http\"} 0.0",
            "tidings_access_rule_seconds_count{rule=\"http\"} 0",
            "tidings_access_breaker_open{rule=\"http\"} 1",
            "tidings_access_cache_entries{rule=\"http\"} 5",
            "tidings_access_cache_total{rule=\"http\",result=\"hit\"} 6",
            "tidings_access_cache_total{rule=\"http\",result=\"joined\"} 7",
            "tidings_access_cache_total{rule=\"http\",result=\"miss\"} 8",
            "tidings_access_rechecks_total{outcome=\"kept\"} 9",
            "tidings_access_rechecks_total{outcome=\"ended\"} 10",
            "tidings_access_rechecks_total{outcome=\"deferred\"} 11",
            "tidings_access_rechecks_total{outcome=\"overdue\"} 12",
            "tidings_access_answers 13",
            "tidings_outbox_events_total{gateway=\"flow\",outcome=\"published_at_once\"} 0",
            "tidings_outbox_events_total{gateway=\"flow\",outcome=\"published_later\"} 18",
            "tidings_outbox_events_total{gateway=\"flow\",outcome=\"refused\"} 0",
            "tidings_outbox_unremoved{gateway=\"flow\"} 19",
            "tidings_outbox_length 20",
            "tidings_executions_forgotten_total 21",
            "tidings_jwks_refresh_total{result=\"failed\"} 1",
            "tidings_jwks_refresh_total{result=\"loaded\"} 22",
            "tidings_tls_handshakes_total{outcome=\"completed\"} 17",
            "tidings_tls_handshakes_total{outcome=\"failed\"} 18",
            "tidings_tls_reloads_total{result=\"failed\"} 19",
            "tidings_tls_reloads_total{result=\"loaded\"} 20",
            "tidings_tls_certificate_expiry_timestamp_seconds 21",
            &format!("tidings_build_info{{version=\"{version}\"}} 1"),
        ];
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, expected);
        assert!(text.ends_with("# EOF\n"));
    }
}
