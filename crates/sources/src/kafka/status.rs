//! How the source is doing, for health and metrics.

use super::wording::reason;
use parking_lot::Mutex;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Errors that are remembered as logged: some take turns.
const LOGGED_ERRORS_MAX: usize = 8;
/// How soon the same error is logged again.
const LOGGED_INTERVAL: Duration = Duration::from_mins(1);

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
    /// Since the group took this member, with when they were logged. The last one is at the end.
    last_errors: Mutex<VecDeque<(String, Instant)>>,
    /// Why a connection failed.
    last_disconnection: Mutex<Option<String>>,
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
        let errors = self.last_errors.lock();
        let error = errors.back().map(|(error, _)| error.as_str());
        Some(error.unwrap_or("not yet in the consumer group").to_owned())
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

    /// A connection has failed, as the client logs it.
    pub(super) fn disconnected(&self, message: &str) {
        *self.last_disconnection.lock() = Some(reason(message));
    }

    pub(super) fn failed(&self, error: &KafkaError, message: &str) {
        self.errors.fetch_add(1, Relaxed);
        let message = reason(message);
        // That no broker is left says nothing; why the last one went does.
        let is_without_reason = matches!(error, KafkaError::Global(RDKafkaErrorCode::AllBrokersDown));
        let disconnection = self.last_disconnection.lock().clone();
        let text = disconnection
            .filter(|disconnection| is_without_reason || *disconnection == message)
            .unwrap_or_else(|| format!("{error}: {message}"));
        let mut errors = self.last_errors.lock();
        let known = errors.iter().position(|(error, _)| *error == text);
        let logged_at = known.and_then(|at| errors.remove(at)).map(|(_, at)| at);
        // The same over and over tells nothing new.
        let logged_at = logged_at.filter(|at| at.elapsed() < LOGGED_INTERVAL);
        if logged_at.is_none() {
            tracing::warn!(target: "kafka", "{text}");
        }
        if errors.len() == LOGGED_ERRORS_MAX {
            errors.pop_front();
        }
        errors.push_back((text, logged_at.unwrap_or_else(Instant::now)));
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
                self.last_errors.lock().clear();
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
