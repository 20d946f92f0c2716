//! Between the configuration, the hub and the metrics: the hub knows neither.

use std::time::Duration;

use tidings_hub::{Figures, HubLimits, LATENCY_BOUNDS_SECONDS};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Deflation;

use crate::config::Config;
use crate::metrics::{Distribution, Readings};

/// The configured limits. `connections_max` is what the file descriptors allow.
pub(crate) fn limits(config: &Config, connections_max: u32) -> HubLimits {
    let limits = &config.limits;
    let compression = &config.compression;
    HubLimits {
        connections_max: connections_max as usize,
        outbox_bytes_max: limits.outbox_bytes_max as usize,
        outbox_frames_max: limits.outbox_frames_max as usize,
        outbox_age_max: Duration::from_millis(limits.outbox_age_ms_max),
        publish_bytes_in_flight_max: limits.publish_bytes_in_flight_max as usize,
        mailbox_commands_max: limits.mailbox_commands_max as usize,
        close_timeout: Duration::from_millis(limits.close_timeout_ms),
        compression: compression.enabled.then_some(Deflation {
            threshold_bytes: compression.threshold_bytes as usize,
            level: compression.level as u8,
        }),
        ..HubLimits::default()
    }
}

/// How many shards to run: as configured, or one for each processor.
pub(crate) fn shards(config: &Config) -> usize {
    match config.server.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        shards => shards as usize,
    }
}

/// What the hub counted. What it does not know is left at its default, for whoever does.
pub(crate) fn readings(figures: &Figures) -> Readings {
    Readings {
        opened: figures.opened,
        closed: closed(figures),
        messages_sent: figures.frames_written,
        bytes_sent: figures.bytes_written,
        publishes: figures.publishes,
        deliveries: figures.deliveries,
        drops: vec![
            ("connection_closed", figures.frames_dropped),
            ("superseded", figures.events_superseded),
            ("gap", figures.events_dropped),
        ],
        slow_consumers: vec![
            ("close", figures.closed.of(CloseCode::SlowConsumer)),
            ("latest", figures.lags),
            ("drop_oldest", figures.gaps),
        ],
        latency: Distribution {
            bounds: LATENCY_BOUNDS_SECONDS.to_vec(),
            counts: figures.latency.to_vec(),
            sum: figures.latency_sum_seconds,
        },
        rooms: figures.rooms,
        deflated: figures.deflated,
        frames_written: figures.frames_written,
        writes: figures.writes,
        ..Readings::default()
    }
}

/// By code: several reasons share one, and a series must not come twice.
fn closed(figures: &Figures) -> Vec<(u16, u64)> {
    let mut closed: Vec<(u16, u64)> = Vec::new();
    for code in CloseCode::ALL {
        let count = figures.closed.of(*code);
        match closed.iter_mut().find(|(known, _)| *known == code.code()) {
            Some((_, sum)) => *sum += count,
            None => closed.push((code.code(), count)),
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_close_code_is_one_series() {
        let mut codes: Vec<u16> = closed(&Figures::default())
            .into_iter()
            .map(|(code, _)| code)
            .collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(codes.contains(&4508) && codes.contains(&4400));
    }
}
