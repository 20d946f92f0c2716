//! How the source is doing, for health and metrics.

use parking_lot::Mutex;
use rdkafka::error::KafkaError;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// How the source is doing.
#[derive(Debug, Default)]
pub struct KafkaStatus {
    /// By the client's last statistics: a broker answers, and the group has taken this member.
    is_ready: AtomicBool,
    records: AtomicU64,
    errors: AtomicU64,
    rebalances: AtomicU64,
    dead_letters: AtomicU64,
    partitions: AtomicUsize,
    partitions_paused: AtomicUsize,
    last_error: Mutex<Option<String>>,
    lags: Mutex<Vec<PartitionLag>>,
}

/// How far a partition's consumer is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Records that are there and not done.
    pub records: u64,
}

impl KafkaStatus {
    /// Why nothing comes in at the moment, if that is so.
    pub fn failure(&self) -> Option<String> {
        if self.is_ready.load(Relaxed) {
            return None;
        }
        let error = self.last_error.lock().clone();
        Some(error.unwrap_or_else(|| "not yet in the consumer group".to_owned()))
    }

    /// Records read since the start, repetitions too.
    pub fn records(&self) -> u64 {
        self.records.load(Relaxed)
    }

    /// Errors of the client: brokers out of reach, refused commits, topics that are not there.
    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// How often partitions came or went.
    pub fn rebalances(&self) -> u64 {
        self.rebalances.load(Relaxed)
    }

    /// Records written to the dead letter topic.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Relaxed)
    }

    /// Partitions that this node reads.
    pub fn partitions(&self) -> usize {
        self.partitions.load(Relaxed)
    }

    /// Those of them that are paused, because too much waits.
    pub fn partitions_paused(&self) -> usize {
        self.partitions_paused.load(Relaxed)
    }

    /// How far behind it is, by partition.
    pub fn lags(&self) -> Vec<PartitionLag> {
        self.lags.lock().clone()
    }

    pub(super) fn count_records(&self, records: u64) {
        self.records.fetch_add(records, Relaxed);
    }

    pub(super) fn count_dead_letter(&self) {
        self.dead_letters.fetch_add(1, Relaxed);
    }

    pub(super) fn rebalanced(&self, partitions: usize) {
        self.rebalances.fetch_add(1, Relaxed);
        self.partitions.store(partitions, Relaxed);
    }

    pub(super) fn paused(&self, partitions: usize) {
        self.partitions_paused.store(partitions, Relaxed);
    }

    /// The member has left the group.
    pub(super) fn left(&self) {
        self.is_ready.store(false, Relaxed);
        self.partitions.store(0, Relaxed);
        self.partitions_paused.store(0, Relaxed);
        self.lags.lock().clear();
    }

    pub(super) fn failed(&self, error: &KafkaError, reason: &str) {
        self.errors.fetch_add(1, Relaxed);
        let text = format!("{error}: {reason}");
        let mut last = self.last_error.lock();
        // The same over and over tells nothing new.
        if last.as_deref() != Some(text.as_str()) {
            tracing::warn!(target: "kafka", "{text}");
            *last = Some(text);
        }
    }

    /// Takes the client's statistics in: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/STATISTICS.md>.
    pub(super) fn read(&self, statistics: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics<'_>>(statistics) else {
            return;
        };
        let has_broker = statistics.brokers.values().any(|broker| broker.state == "UP");
        let is_member = statistics.cgrp.is_some_and(|group| group.join_state == "steady");
        let is_ready = has_broker && is_member;
        if is_ready != self.is_ready.swap(is_ready, Relaxed) {
            if is_ready {
                *self.last_error.lock() = None;
                tracing::info!("Kafka: in the consumer group");
            } else {
                tracing::warn!("Kafka: out of reach, or not in the consumer group");
            }
        }
        let mut lags = Vec::new();
        for (topic, of_topic) in statistics.topics {
            for partition in of_topic.partitions.into_values() {
                // Unknown before the first offset is stored or committed, and for partitions of others.
                let Ok(records) = u64::try_from(partition.consumer_lag_stored) else {
                    continue;
                };
                lags.push(PartitionLag {
                    topic: topic.clone(),
                    partition: partition.partition,
                    records,
                });
            }
        }
        lags.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        *self.lags.lock() = lags;
    }
}

#[derive(Deserialize)]
struct Statistics<'a> {
    #[serde(borrow, default)]
    brokers: HashMap<&'a str, Broker<'a>>,
    #[serde(default)]
    topics: HashMap<String, Topic>,
    #[serde(borrow)]
    cgrp: Option<Group<'a>>,
}

#[derive(Deserialize)]
struct Broker<'a> {
    state: &'a str,
}

#[derive(Deserialize)]
struct Group<'a> {
    join_state: &'a str,
}

#[derive(Deserialize)]
struct Topic {
    partitions: HashMap<String, Partition>,
}

#[derive(Deserialize)]
struct Partition {
    partition: i32,
    consumer_lag_stored: i64,
}
