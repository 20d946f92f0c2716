//! From the dead letter topic into the store, to be taken in once more.
//!
//! Not back into the topics that the records came from: others read those too.

use super::burial::{REASON, TOPIC};
use super::context::Quiet;
use super::{KafkaSettings, KafkaSettingsError, SOURCE};
use crate::{Form, Headers};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _};
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use thiserror::Error;
use tidings_store::{NewDeadLetter, Store, StoreError};

/// How long the broker may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Records that are moved at once.
const RECORDS_MAX: usize = 100;
/// How often it is asked whether the store has room again.
const ROOM_INTERVAL: Duration = Duration::from_millis(200);

/// Why records were not moved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExhumationError {
    /// Settings that do not work.
    #[error(transparent)]
    Settings(#[from] KafkaSettingsError),
    /// No dead letter topic is configured.
    #[error("no dead letter topic is configured")]
    NoTopic,
    /// What Kafka says.
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves what is in the dead letter topic and has not been moved before, and tells how much. While the store holds more than
/// `letters_max`, it waits for whoever takes them in. Blocks on Kafka.
pub async fn exhume(
    settings: &KafkaSettings,
    store: &Store,
    letters_max: u64,
) -> Result<u64, ExhumationError> {
    settings.check()?;
    let topic = settings
        .dead_letter_topic
        .as_deref()
        .ok_or(ExhumationError::NoTopic)?;
    let mut config = settings.consumer();
    config
        .set("group.id", format!("{}.replay", settings.group_id))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .remove("group.instance.id")
        .remove("statistics.interval.ms");
    let consumer: BaseConsumer<Quiet> = BaseConsumer::from_config_and_context(&config, Quiet)?;
    let mut ends = ends(&consumer, topic)?;
    let mut moved = 0;
    while !ends.is_empty() {
        // At most as many as one transaction takes.
        let mut records = Vec::with_capacity(RECORDS_MAX);
        while records.len() < RECORDS_MAX && !ends.is_empty() {
            let record = next(&consumer)?;
            ends.retain(|(partition, end)| *partition != record.partition() || record.offset() + 1 < *end);
            records.push(record);
        }
        while store.dead_letter_account().await?.kept + records.len() as u64 > letters_max {
            tokio::time::sleep(ROOM_INTERVAL).await;
        }
        insert(store, &records).await?;
        moved += records.len() as u64;
        let mut offsets = TopicPartitionList::new();
        for record in &records {
            let offset = Offset::Offset(record.offset() + 1);
            if offsets.find_partition(topic, record.partition()).is_some() {
                offsets.set_partition_offset(topic, record.partition(), offset)?;
            } else {
                offsets.add_partition_offset(topic, record.partition(), offset)?;
            }
        }
        consumer.commit(&offsets, CommitMode::Sync)?;
    }
    Ok(moved)
}

fn next(consumer: &BaseConsumer<Quiet>) -> Result<BorrowedMessage<'_>, KafkaError> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        // None too for an event that is no record.
        match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            Some(record) => return record,
            None if Instant::now() >= deadline => {
                return Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::OperationTimedOut,
                ));
            }
            None => {}
        }
    }
}

/// Assigns the partitions that have something new, and tells where each ends now.
fn ends(consumer: &BaseConsumer<Quiet>, topic: &str) -> Result<Vec<(i32, i64)>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_TIMEOUT)?;
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        partitions.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(partitions, ANSWER_TIMEOUT)?;
    let (mut ends, mut assigned) = (Vec::new(), TopicPartitionList::new());
    for partition in committed.elements() {
        let (first, end) = consumer.fetch_watermarks(topic, partition.partition(), ANSWER_TIMEOUT)?;
        let next = match partition.offset() {
            Offset::Offset(next) => next.max(first),
            _ => first,
        };
        if next < end {
            ends.push((partition.partition(), end));
            assigned.add_partition_offset(topic, partition.partition(), Offset::Offset(next))?;
        }
    }
    consumer.assign(&assigned)?;
    Ok(ends)
}

async fn insert(store: &Store, records: &[BorrowedMessage<'_>]) -> Result<(), StoreError> {
    let kept: Vec<_> = records
        .iter()
        .map(|record| record.headers().map_or(Headers::None, Headers::Record).kept())
        .collect();
    let letters: Vec<NewDeadLetter<'_>> = records
        .iter()
        .zip(&kept)
        .map(|(record, headers)| NewDeadLetter {
            source: SOURCE,
            topic: header(record.headers(), TOPIC),
            reason: header(record.headers(), REASON).unwrap_or("unknown"),
            form: Form::Record.as_str(),
            headers,
            event: record.payload().unwrap_or_default(),
        })
        .collect();
    store.insert_dead_letters_to_replay(&letters).await?;
    Ok(())
}

fn header<'a>(headers: Option<&'a BorrowedHeaders>, name: &str) -> Option<&'a str> {
    let header = headers?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}
