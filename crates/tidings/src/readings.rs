//! What the parts counted, as one reading for the metrics.

use std::sync::Arc;

use tidings_access::RoomAccess;
use tidings_hub::Hub;
use tidings_sources::kafka::KafkaStatus;
use tidings_sources::{Ingest, IngestCounters};
use tidings_transport::{DURATION_BOUNDS_SECONDS, Tls, Transport};
use tidings_workflows::Workflows;

use crate::hub;
use crate::memory::Memory;
use crate::metrics::{AccessReadings, Connections, Distribution, KafkaReadings, Readings, TlsReadings};

/// Asks the parts at each scrape.
pub(crate) fn reader(
    hub: Hub,
    transport: Transport,
    ingest: Arc<Ingest>,
    kafka: Option<Arc<KafkaStatus>>,
    memory: Arc<Memory>,
    tls: Option<Tls>,
) -> impl Fn() -> Readings + Send + Sync + 'static {
    move || {
        let sockets_waiting = transport.sockets_waiting() as u64;
        let inflated = transport.inflated();
        let transport = transport.counters().figures();
        let mut readings = hub::readings(&hub.figures());
        let dropped = ingest.counters().dropped();
        readings
            .drops
            .extend(dropped.map(|(reason, count)| (reason.as_str(), count)));
        Readings {
            connections: transport
                .open
                .iter()
                .map(|open| Connections {
                    gateway: open.gateway.as_str(),
                    transport: open.via.as_str(),
                    count: open.count,
                })
                .collect(),
            duration: Distribution {
                bounds: DURATION_BOUNDS_SECONDS.to_vec(),
                counts: transport.durations,
                sum: transport.durations_sum_seconds,
            },
            handshakes_refused: transport.handshakes_refused,
            limits_reached: transport.limits_reached,
            sockets_waiting,
            evicted_for_descriptors: transport.evicted_for_descriptors,
            memory: memory
                .levels()
                .map(|level| (level.of, level.usage_bytes(), level.bound_bytes))
                .collect(),
            is_memory_short: memory.is_short(),
            messages_received: transport.messages_received,
            bytes_received: transport.bytes_received,
            inflated,
            messages_sent: readings.messages_sent + transport.messages_sent,
            bytes_sent: readings.bytes_sent + transport.bytes_sent,
            events: events(ingest.counters()),
            kafka: kafka.as_deref().map(KafkaReadings::of),
            tls: tls.as_ref().map(|tls| TlsReadings {
                handshakes: transport.tls_handshakes,
                reloads: transport.tls_reloads,
                certificate_not_after: tls.not_after(),
            }),
            ..readings
        }
    }
}

/// What became of events that came in, by outcome and reason.
fn events(counters: &IngestCounters) -> Vec<(&'static str, &'static str, u64)> {
    let mut events = vec![
        ("accepted", "", counters.consumed()),
        ("duplicate", "", counters.duplicates()),
    ];
    let dropped = counters.dropped();
    events.extend(dropped.map(|(reason, count)| ("dead_letter", reason.as_str(), count)));
    let retried = counters.retried();
    events.extend(retried.map(|(reason, count)| ("retried", reason.as_str(), count)));
    events
}

impl AccessReadings {
    pub(crate) fn of(access: &RoomAccess, workflows: &Workflows) -> Self {
        Self {
            rules: access.figures(),
            rechecked: workflows.rechecked(),
            answers: workflows.answers() as u64,
        }
    }
}

impl KafkaReadings {
    fn of(status: &KafkaStatus) -> Self {
        Self {
            is_up: status.failure().is_none(),
            records: status.records(),
            errors: status.errors(),
            rebalances: status.rebalances(),
            dead_letters: status.dead_letters(),
            partitions: status.partitions() as u64,
            partitions_paused: status.partitions_paused() as u64,
            lags: status.lags(),
        }
    }
}
