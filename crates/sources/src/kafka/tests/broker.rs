//! A broker in this process, a source that reads it, and events told apart by user and number.

use super::{DEAD, PATIENCE, TOPIC};
use crate::Ingest;
use crate::fixture::RecordingBus;
use crate::kafka::{KafkaSettings, KafkaSource, KafkaStatus};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) struct Broker {
    pub(super) cluster: MockCluster<'static, DefaultProducerContext>,
    pub(super) producer: FutureProducer,
}

impl Broker {
    pub(super) fn new(partitions: i32) -> Broker {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, partitions, 1).unwrap();
        cluster.create_topic(DEAD, 1, 1).unwrap();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("linger.ms", "1")
            .create()
            .unwrap();
        Broker { cluster, producer }
    }

    pub(super) fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            brokers: vec![self.cluster.bootstrap_servers()],
            // The mock cluster rebalances a second before this, whoever has joined.
            session_timeout: Duration::from_secs(3),
            commit_interval: Duration::from_millis(50),
            retry_backoff_min: Duration::from_millis(1),
            retry_backoff_max: Duration::from_millis(20),
            ..KafkaSettings::default()
        }
    }

    pub(super) async fn produce(&self, records: impl IntoIterator<Item = (i32, String)>) {
        let mut sent = Vec::new();
        for (partition, value) in records {
            let record: FutureRecord<'_, (), String> =
                FutureRecord::to(TOPIC).partition(partition).payload(&value);
            sent.push(
                self.producer
                    .send_result(record)
                    .map_err(|(error, _)| error)
                    .unwrap(),
            );
        }
        for sent in sent {
            sent.await.unwrap().unwrap();
        }
    }

    pub(super) async fn produce_with(&self, headers: &[(&str, &str)], value: &str) {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(*value),
            })
        });
        let record = FutureRecord::to(TOPIC)
            .partition(0)
            .key("k")
            .payload(value)
            .headers(headers);
        self.producer.send(record, PATIENCE).await.unwrap();
    }

    /// All records of the dead letter topic, once there are so many.
    pub(super) fn dead(&self, count: usize) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "reader")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions
            .add_partition_offset(DEAD, 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&partitions).unwrap();
        let (mut records, waiting) = (Vec::new(), Instant::now());
        while records.len() < count {
            assert!(waiting.elapsed() < PATIENCE, "a dead letter in time");
            // None too for an event that is no record.
            if let Some(record) = consumer.poll(PATIENCE) {
                records.push(record.unwrap().detach());
            }
        }
        records
    }
}

pub(super) struct Running {
    pub(super) status: Arc<KafkaStatus>,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(ingest: &Arc<Ingest>, settings: KafkaSettings) -> Running {
        let source = KafkaSource::new(ingest.clone(), settings).unwrap();
        let (status, stop) = (source.status(), CancellationToken::new());
        let task = tokio::spawn(source.run(stop.clone()));
        Running { status, stop, task }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(what);
}

pub(super) fn event(user: usize, number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{user}-{number}","source":"s","type":"t","data":{{"user_id":"u{user}","n":{number}}}}}"#
    )
}

/// The numbers that each user got, in their order.
pub(super) fn by_user(bus: &RecordingBus) -> BTreeMap<String, Vec<usize>> {
    let mut numbers = BTreeMap::<_, Vec<usize>>::new();
    for (room, data) in bus.take() {
        let (_, number) = data.rsplit_once(':').unwrap();
        numbers
            .entry(room)
            .or_default()
            .push(number.trim_end_matches('}').parse().unwrap());
    }
    numbers
}

pub(super) fn expected(users: usize, numbers: usize) -> BTreeMap<String, Vec<usize>> {
    (0..users)
        .map(|user| (format!("user:u{user}"), (0..numbers).collect()))
        .collect()
}

pub(super) fn records(users: usize, numbers: std::ops::Range<usize>) -> impl Iterator<Item = (i32, String)> {
    numbers.flat_map(move |number| {
        (0..users).map(move |user| (i32::try_from(user).unwrap(), event(user, number)))
    })
}
