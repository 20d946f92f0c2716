//! Where records end that can never be delivered: in a topic with their reason, or in our own dead letters.

use super::context::ProducerCallbacks;
use super::{KafkaSettings, KafkaSettingsError, KafkaStatus, SOURCE};
use crate::{DropReason, Form, Headers, Ingest, Original};
use rdkafka::Message;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Arc;
use std::time::Duration;

/// Headers that tell of the record's way here; the record's own come before them.
pub(super) const REASON: &str = "dlq-reason";
pub(super) const TOPIC: &str = "dlq-topic";
const PARTITION: &str = "dlq-partition";
const OFFSET: &str = "dlq-offset";
/// How long the producer's queue may be full before the record is tried anew.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// The keeper of dead letters.
pub(super) struct Burial {
    topic: Option<(FutureProducer<ProducerCallbacks>, String)>,
    status: Arc<KafkaStatus>,
}

impl Burial {
    pub(super) fn new(
        settings: &KafkaSettings,
        status: &Arc<KafkaStatus>,
    ) -> Result<Burial, KafkaSettingsError> {
        let topic = settings.dead_letter_topic.as_ref().map(|topic| {
            let callbacks = ProducerCallbacks(status.clone());
            FutureProducer::from_config_and_context(&settings.producer(), callbacks)
                .map(|producer| (producer, topic.clone()))
                .map_err(|error| KafkaSettingsError::refused(&error))
        });
        Ok(Burial {
            topic: topic.transpose()?,
            status: status.clone(),
        })
    }

    /// Whether the record is kept now.
    pub(super) async fn bury(&self, ingest: &Ingest, record: &OwnedMessage, reason: DropReason) -> bool {
        let Some((producer, topic)) = &self.topic else {
            return Self::keep(ingest, record, reason).await;
        };
        let (partition, offset) = (record.partition().to_string(), record.offset().to_string());
        let origin = [
            (REASON, reason.as_str()),
            (TOPIC, record.topic()),
            (PARTITION, partition.as_str()),
            (OFFSET, offset.as_str()),
        ];
        let mut headers = record
            .headers()
            .map_or_else(OwnedHeaders::new, OwnedHeaders::clone);
        for (key, value) in origin {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let mut letter = FutureRecord::<[u8], [u8]>::to(topic).headers(headers);
        letter.key = record.key();
        letter.payload = record.payload();
        match producer.send(letter, QUEUE_TIMEOUT).await {
            Ok(_) => {
                self.status.count_dead_letter();
                true
            }
            // No topic takes it, however often it is tried.
            Err((
                KafkaError::MessageProduction(
                    RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize,
                ),
                _,
            )) => Self::keep(ingest, record, reason).await,
            Err((error, _)) => {
                self.status.failed(&error, "dead letter topic");
                false
            }
        }
    }

    async fn keep(ingest: &Ingest, record: &OwnedMessage, reason: DropReason) -> bool {
        let original = Original {
            form: Form::Record,
            headers: record
                .headers()
                .map_or(Headers::None, |headers| Headers::Record(headers.as_borrowed())),
            bytes: record.payload().unwrap_or_default(),
        };
        ingest
            .bury((SOURCE, Some(record.topic())), reason, original)
            .await
    }
}
