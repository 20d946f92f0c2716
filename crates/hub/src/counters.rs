//! What the hub counts. Each shard writes its own counters; readers add them up.

use crate::RelayFrames;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::DeflateFigures;

/// Upper bounds of the latency buckets, in seconds; one more bucket takes the rest.
pub const LATENCY_BOUNDS_SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];
/// The same in ticks of the hub's clock.
const LATENCY_BOUNDS_TICKS: [u32; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000];
const BUCKETS: usize = LATENCY_BOUNDS_TICKS.len() + 1;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Sums over all shards since the start.
        #[derive(Clone, Debug, Default)]
        pub struct Figures {
            $($(#[$doc])* pub $name: u64,)*
            /// Connections closed by the server, by code.
            pub closed: ClosedCounts,
            /// Publish-to-write latency: writes whose oldest frame fell into each bucket of
            /// [`LATENCY_BOUNDS_SECONDS`], and one bucket more.
            pub latency: [u64; BUCKETS],
            /// Sum of those latencies, in seconds.
            pub latency_sum_seconds: f64,
            /// Events published.
            pub publishes: u64,
            /// Rooms with members at this moment.
            pub rooms: u64,
            /// Messages compressed, an event's once for all who get it in the same form.
            pub deflated: DeflateFigures,
        }

        /// One shard's figures, kept by its owner without sharing and published once a lap.
        #[derive(Default)]
        pub(crate) struct Tally {
            $(pub(crate) $name: u64,)*
            pub(crate) closed: ClosedCounts,
            latency: [u64; BUCKETS],
            latency_ticks: u64,
        }

        #[derive(Default)]
        pub(crate) struct ShardCounters {
            $($name: AtomicU64,)*
            closed: [AtomicU64; CloseCode::ALL.len()],
            latency: [AtomicU64; BUCKETS],
            latency_ticks: AtomicU64,
        }

        impl Tally {
            /// Makes the figures visible. Only the owner writes, so plain stores do.
            pub(crate) fn publish(&self, to: &ShardCounters) {
                $(to.$name.store(self.$name, Relaxed);)*
                for (to, from) in to.closed.iter().zip(&self.closed.0) {
                    to.store(*from, Relaxed);
                }
                for (to, from) in to.latency.iter().zip(&self.latency) {
                    to.store(*from, Relaxed);
                }
                to.latency_ticks.store(self.latency_ticks, Relaxed);
            }
        }

        impl Figures {
            pub(crate) fn add(&mut self, shard: &ShardCounters) {
                $(self.$name += shard.$name.load(Relaxed);)*
                for (to, from) in self.closed.0.iter_mut().zip(&shard.closed) {
                    *to += from.load(Relaxed);
                }
                for (to, from) in self.latency.iter_mut().zip(&shard.latency) {
                    *to += from.load(Relaxed);
                }
                self.latency_sum_seconds += shard.latency_ticks.load(Relaxed) as f64 / 10_000.0;
            }
        }
    };
}

counters! {
    /// Events taken in, counted once per shard they went to.
    events,
    /// Frames of events appended to outboxes.
    deliveries,
    /// Frames written to sockets.
    frames_written,
    /// Bytes written to sockets.
    bytes_written,
    /// Write calls; `frames_written / writes` is the coalescing.
    writes,
    /// Times a socket was full.
    writes_blocked,
    /// Frames thrown away because their connection was closed before they were written.
    frames_dropped,
    /// Waiting events that a newer one of their key took the place of.
    events_superseded,
    /// Waiting events dropped, of which a gap marker told.
    events_dropped,
    /// Gap markers queued.
    gaps,
    /// Times a connection that was not written any more began to have events superseded.
    lags,
    /// Connections given a slot.
    opened,
    /// Connections whose slot was taken back.
    gone,
    /// Connections reset because they did not end in time after their close frame.
    resets,
    /// Memberships at this moment.
    memberships,
    /// Commands handled.
    commands,
}

/// Closed connections by [`CloseCode`], in the order of `CloseCode::ALL`.
#[derive(Clone, Debug)]
pub struct ClosedCounts([u64; CloseCode::ALL.len()]);

impl Default for ClosedCounts {
    fn default() -> ClosedCounts {
        ClosedCounts([0; CloseCode::ALL.len()])
    }
}

impl ClosedCounts {
    /// How often a connection was closed with this code.
    pub fn of(&self, code: CloseCode) -> u64 {
        place_of(code).map_or(0, |place| self.0[place])
    }

    pub(crate) fn count(&mut self, code: CloseCode) {
        if let Some(place) = place_of(code) {
            self.0[place] += 1;
        }
    }
}

fn place_of(code: CloseCode) -> Option<usize> {
    CloseCode::ALL.iter().position(|&known| known == code)
}

impl Tally {
    pub(crate) fn observe_latency(&mut self, ticks: u32) {
        self.latency[bucket_of(ticks)] += 1;
        self.latency_ticks += u64::from(ticks);
    }
}

fn bucket_of(ticks: u32) -> usize {
    LATENCY_BOUNDS_TICKS
        .iter()
        .position(|&bound| ticks <= bound)
        .unwrap_or(BUCKETS - 1)
}

/// What the tasks of one shard's connections count that write streams of their own. Many write it.
#[derive(Default)]
pub(crate) struct StreamCounters {
    frames: AtomicU64,
    bytes: AtomicU64,
    writes: AtomicU64,
    latency: [AtomicU64; BUCKETS],
    latency_ticks: AtomicU64,
}

impl StreamCounters {
    /// Frames go to a stream, the first of them `latency` ticks after it was published.
    pub(crate) fn wrote(&self, taken: &RelayFrames, latency: u32) {
        let farewell = taken.closed.as_ref().map_or(0, |farewell| farewell.frame.len());
        let frames = taken.load.frames + usize::from(farewell != 0);
        self.frames.fetch_add(frames as u64, Relaxed);
        self.bytes
            .fetch_add((taken.load.bytes + farewell) as u64, Relaxed);
        self.writes.fetch_add(1, Relaxed);
        self.latency[bucket_of(latency)].fetch_add(1, Relaxed);
        self.latency_ticks.fetch_add(u64::from(latency), Relaxed);
    }
}

impl Figures {
    pub(crate) fn add_streams(&mut self, streams: &StreamCounters) {
        self.frames_written += streams.frames.load(Relaxed);
        self.bytes_written += streams.bytes.load(Relaxed);
        self.writes += streams.writes.load(Relaxed);
        for (to, from) in self.latency.iter_mut().zip(&streams.latency) {
            *to += from.load(Relaxed);
        }
        self.latency_sum_seconds += streams.latency_ticks.load(Relaxed) as f64 / 10_000.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_over_shards() {
        let mut tally = Tally {
            deliveries: 3,
            ..Tally::default()
        };
        tally.closed.count(CloseCode::SlowConsumer);
        tally.observe_latency(30);
        tally.observe_latency(1_000_000);
        let shards = [ShardCounters::default(), ShardCounters::default()];
        let mut figures = Figures::default();
        for shard in &shards {
            tally.publish(shard);
            figures.add(shard);
        }
        assert_eq!(figures.deliveries, 6);
        assert_eq!(figures.closed.of(CloseCode::SlowConsumer), 2);
        assert_eq!((figures.latency[3], figures.latency[12]), (2, 2));
    }
}
