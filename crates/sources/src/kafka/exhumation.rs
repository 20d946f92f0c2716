//! From the dead letter topic into the store, to be taken in once more.
//!
//! Not back into the topics that the records came from: others read those too.

use super::burial::{REASON, TOPIC};
use super::context::Quiet;
use super::record::pairs;
use super::{KafkaSettings, KafkaSettingsError, SOURCE};
use crate::{Form, Headers};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage};
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
/// So many lines of the client's log are looked at for why it reaches no broker.
const LOG_LINES_MAX: usize = 32;
/// How long the store may have no room without one of its dead letters going.
const ROOM_TIMEOUT: Duration = Duration::from_secs(30);
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
    /// The store is full of what stays.
    #[error(
        "the store has no room: it keeps {0} dead letters, and none of them goes; is the server running, and is the rule mended?"
    )]
    NoRoom(u64),
    /// No broker answers, and why.
    #[error("Kafka is out of reach: {0}")]
    OutOfReach(String),
    /// What Kafka says.
    #[error("Kafka: {0}")]
    Kafka(#[from] KafkaError),
    /// What the store says.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves what is in the dead letter topic and has not been moved before, and tells how much. While the store has no room, it waits
/// for whoever takes them in. Blocks on Kafka.
pub async fn exhume(settings: &KafkaSettings, store: &Store, room_max: Room) -> Result<u64, ExhumationError> {
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
    let consumer: BaseConsumer<Quiet> = BaseConsumer::from_config_and_context(&config, Quiet::default())?;
    let mut ends = ends(&consumer, topic).map_err(|error| with_reason(&consumer, error))?;
    let mut moved = 0;
    let records_max = RECORDS_MAX
        .min(usize::try_from(room_max.letters).unwrap_or(usize::MAX))
        .max(1);
    while !ends.is_empty() {
        // At most as many as one transaction takes.
        let mut records = Vec::with_capacity(RECORDS_MAX);
        while records.len() < records_max && !ends.is_empty() {
            let record = match next(&consumer) {
                Ok(record) => record,
                Err(error) if records.is_empty() => return Err(error.into()),
                // What is there is not given away for it.
                Err(_) => break,
            };
            ends.retain(|(partition, end)| *partition != record.partition() || record.offset() + 1 < *end);
            records.push(record);
        }
        room(store, &records, room_max).await?;
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

/// How much the store keeps.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Dead letters.
    pub letters: u64,
    /// The bytes of their events.
    pub bytes: u64,
}

/// Waits until the store has room, so that it drops nothing for these. Not for ever: what is refused again stays.
async fn room(store: &Store, records: &[BorrowedMessage<'_>], room_max: Room) -> Result<(), ExhumationError> {
    let bytes: usize = records.iter().map(BorrowedMessage::payload_len).sum();
    let mut waited = (u64::MAX, Instant::now());
    loop {
        let account = store.dead_letter_account().await?;
        let has_room = account.kept + records.len() as u64 <= room_max.letters;
        if has_room && account.kept_bytes + bytes as u64 <= room_max.bytes {
            return Ok(());
        }
        if account.kept < waited.0 {
            waited = (account.kept, Instant::now());
        } else if waited.1.elapsed() > ROOM_TIMEOUT {
            return Err(ExhumationError::NoRoom(account.kept));
        }
        tokio::time::sleep(ROOM_INTERVAL).await;
    }
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

/// The error, or if no broker answers, the reason for it.
fn with_reason(consumer: &BaseConsumer<Quiet>, error: KafkaError) -> ExhumationError {
    if !matches!(error, KafkaError::MetadataFetch(_)) {
        return error.into();
    }
    // What was logged is heard by polling.
    for _ in 0..LOG_LINES_MAX {
        let _ = consumer.poll(Duration::ZERO);
    }
    let reason = consumer.context().disconnection();
    reason.map_or(error.into(), ExhumationError::OutOfReach)
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

/// The last one of that name: those before it came with the record. What no database takes is none.
fn header<'a>(headers: Option<&'a BorrowedHeaders>, name: &str) -> Option<&'a str> {
    let pairs = pairs(headers?)?;
    let (_, value) = pairs.into_iter().rfind(|(key, _)| *key == name)?;
    std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.contains('\0'))
}
