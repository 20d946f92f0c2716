//! Latencies in buckets of at most 1/64 relative width: recording costs a few nanoseconds and no memory.

use std::time::Duration;

const SUB_BUCKETS_LOG2: u32 = 6;
const SUB_BUCKETS: u64 = 1 << SUB_BUCKETS_LOG2;
const BUCKETS: usize = ((64 - SUB_BUCKETS_LOG2 as usize) + 1) << SUB_BUCKETS_LOG2;

/// A histogram of durations.
#[derive(Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            max_ns: 0,
        }
    }
}

impl Histogram {
    /// Adds one duration.
    pub fn record_ns(&mut self, value_ns: u64) {
        self.buckets[bucket(value_ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(value_ns);
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest duration recorded, exactly.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.max_ns))
    }

    /// The duration that the given part (0 to 1) of all recorded ones does not exceed.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        #[expect(clippy::cast_sign_loss, reason = "a part of a count is not negative")]
        let rank = ((self.count as f64 * part).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(Duration::from_nanos(upper_ns(index).min(self.max_ns)));
            }
        }
        self.max()
    }
}

fn bucket(value: u64) -> usize {
    if value < SUB_BUCKETS {
        return value as usize;
    }
    let shift = value.ilog2() - SUB_BUCKETS_LOG2;
    // The top bit is implied by the shift, the next six choose the bucket.
    ((u64::from(shift + 1) << SUB_BUCKETS_LOG2) + ((value >> shift) - SUB_BUCKETS)) as usize
}

fn upper_ns(index: usize) -> u64 {
    let index = index as u64;
    let octave = index >> SUB_BUCKETS_LOG2;
    if octave == 0 {
        return index;
    }
    let first = (SUB_BUCKETS + (index & (SUB_BUCKETS - 1))) << (octave - 1);
    first + ((1 << (octave - 1)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_value_and_is_narrow() {
        for shift in 0..63 {
            for value in [1_u64 << shift, (1 << shift) + 1, (1 << (shift + 1)) - 1] {
                let upper = upper_ns(bucket(value));
                assert!(
                    upper >= value && upper - value <= value / 64,
                    "{value} in a bucket up to {upper}"
                );
            }
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for value in 1..=1000 {
            histogram.record_ns(value * 1000);
        }
        let microseconds = |part| histogram.quantile(part).unwrap().as_nanos() as f64 / 1000.0;
        assert!((microseconds(0.5) - 500.0).abs() < 8.0);
        assert!((microseconds(0.99) - 990.0).abs() < 16.0);
        assert_eq!(histogram.quantile(1.0), Some(Duration::from_millis(1)));
    }
}
