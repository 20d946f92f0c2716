//! What the server's counters and `/proc` say between two moments.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tidings_bench::process::{CpuSample, Process};

use crate::options::Options;

/// One moment of a run.
pub(crate) struct Moment {
    at: Instant,
    count: u64,
    server: Option<CpuSample>,
    own: CpuSample,
}

/// What passed between two moments.
pub(crate) struct Stretch {
    pub(crate) wall: Duration,
    /// Deliveries, or handshakes.
    pub(crate) count: u64,
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) own_cpu: Duration,
}

impl Moment {
    pub(crate) fn now(options: &Options, count: u64) -> Result<Self> {
        let server = options.pid.map(|pid| Process::new(pid).cpu()).transpose()?;
        Ok(Self {
            at: Instant::now(),
            count,
            server,
            own: Process::this().cpu()?,
        })
    }

    /// Deliveries, or handshakes, so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn until(&self, later: &Self) -> Stretch {
        Stretch {
            wall: later.at - self.at,
            count: later.count - self.count,
            server_cpu: self
                .server
                .as_ref()
                .zip(later.server.as_ref())
                .map(|(from, to)| from.until(to)),
            own_cpu: self.own.until(&later.own),
        }
    }
}

/// The server's resident memory, if its process is known.
pub(crate) fn resident_kb(options: &Options) -> Result<Option<u64>> {
    options.pid.map(|pid| Process::new(pid).resident_kb()).transpose()
}

/// Frames and writes counted by the server, if it says where and knows both.
pub(crate) fn written(options: &Options) -> Result<Option<(f64, f64)>> {
    let Some(url) = &options.metrics_url else {
        return Ok(None);
    };
    let text = url.get(options.token.as_deref()).context("metrics")?;
    Ok(total(&text, &options.frames_metric).zip(total(&text, &options.writes_metric)))
}

/// The sum over all label sets of a counter in Prometheus text.
fn total(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = if rest.starts_with('{') {
            rest.rsplit_once("} ")?.1
        } else {
            rest.strip_prefix(' ')?
        };
        value.split(' ').next()?.parse::<f64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn counters_are_summed_over_their_labels() {
        let text = "# TYPE a counter\na_total{shard=\"0\"} 3\na_total{shard=\"1\"} 4 1700000000\na_total_more 9\nb_total 5\n";
        assert_eq!(total(text, "a_total"), Some(7.0));
        assert_eq!(total(text, "b_total"), Some(5.0));
        assert_eq!(total(text, "c_total"), None);
    }
}
