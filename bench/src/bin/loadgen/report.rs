//! The line of output.

use std::time::Duration;

use serde::Serialize;
use tidings_bench::histogram::Histogram;

use crate::cost::Stretch;
use crate::options::{InFlightBy, Mode, Options, Server};
use crate::protocol::Protocol;

/// One run. What was not measured is null.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) server: Server,
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    pub(crate) mode: Mode,
    pub(crate) bytes: usize,
    pub(crate) rate: Option<u32>,
    pub(crate) in_flight: Option<u32>,
    pub(crate) in_flight_by: Option<InFlightBy>,
    pub(crate) deliveries: u64,
    pub(crate) wall_s: f64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) server_cpu_us_per_delivery: Option<f64>,
    pub(crate) server_cpu_percent: Option<f64>,
    pub(crate) loadgen_cpu_percent: f64,
    pub(crate) handshakes: Option<u64>,
    pub(crate) handshakes_per_second: Option<f64>,
    pub(crate) server_cpu_us_per_handshake: Option<f64>,
    pub(crate) frames_per_write: Option<f64>,
    pub(crate) rss_kb_before: Option<u64>,
    pub(crate) rss_kb_idle: Option<u64>,
    pub(crate) rss_kb_idle_per_connection: Option<f64>,
    pub(crate) rss_kb_end: Option<u64>,
    pub(crate) deaf: usize,
    pub(crate) deaf_cut: usize,
    pub(crate) deaf_reset_while_running: usize,
}

impl Report {
    pub(crate) fn new(options: &Options, rss_kb_before: Option<u64>, rss_kb_idle: Option<u64>) -> Self {
        let growth_kb = |(before, idle): (u64, u64)| idle.saturating_sub(before) as f64;
        let saturated = options.mode == Mode::Saturated;
        Self {
            server: options.server,
            protocol: options.protocol,
            connections: options.connections,
            mode: options.mode,
            bytes: options.bytes,
            rate: (options.mode == Mode::Paced).then_some(options.rate.get()),
            in_flight: (saturated || options.mode == Mode::Accept).then_some(options.in_flight.get()),
            in_flight_by: saturated.then_some(options.in_flight_by),
            deliveries: 0,
            wall_s: 0.0,
            per_second: 0.0,
            p50_ms: None,
            p99_ms: None,
            max_ms: None,
            server_cpu_us_per_delivery: None,
            server_cpu_percent: None,
            loadgen_cpu_percent: 0.0,
            handshakes: None,
            handshakes_per_second: None,
            server_cpu_us_per_handshake: None,
            frames_per_write: None,
            rss_kb_before,
            rss_kb_idle,
            rss_kb_idle_per_connection: rss_kb_before
                .zip(rss_kb_idle)
                .map(|both| rounded(growth_kb(both) / options.connections as f64)),
            rss_kb_end: None,
            deaf: options.deaf,
            deaf_cut: 0,
            deaf_reset_while_running: 0,
        }
    }

    pub(crate) fn add_stretch(&mut self, stretch: &Stretch, latencies: &Histogram) {
        let deliveries = stretch.count as f64;
        self.add_time(stretch);
        self.deliveries = stretch.count;
        self.per_second = (deliveries / stretch.wall.as_secs_f64()).round();
        self.p50_ms = latencies.quantile(0.5).map(milliseconds);
        self.p99_ms = latencies.quantile(0.99).map(milliseconds);
        self.max_ms = latencies.max().map(milliseconds);
        self.server_cpu_us_per_delivery = stretch
            .server_cpu
            .map(|cpu| rounded(cpu.as_secs_f64() * 1e6 / deliveries));
    }

    pub(crate) fn add_handshakes(&mut self, stretch: &Stretch) {
        let handshakes = stretch.count as f64;
        self.add_time(stretch);
        self.handshakes = Some(stretch.count);
        self.handshakes_per_second = Some((handshakes / stretch.wall.as_secs_f64()).round());
        self.server_cpu_us_per_handshake = stretch
            .server_cpu
            .map(|cpu| rounded(cpu.as_secs_f64() * 1e6 / handshakes));
    }

    fn add_time(&mut self, stretch: &Stretch) {
        let wall_s = stretch.wall.as_secs_f64();
        let percent = |cpu: Duration| rounded(cpu.as_secs_f64() * 100.0 / wall_s);
        self.wall_s = rounded(wall_s);
        self.server_cpu_percent = stretch.server_cpu.map(percent);
        self.loadgen_cpu_percent = percent(stretch.own_cpu);
    }
}

pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}
