//! The source against librdkafka's mock cluster: real sockets, a real group, a broker in this process.

mod broker;
mod headers;

use super::{KafkaSettings, KafkaSource};
use crate::fixture::{RecordingBus, dead_letters, ingest};
use crate::{Ingest, IngestSettings};
use broker::{Broker, Running, by_user, event, expected, records, until};
use rdkafka::Message;
use rdkafka::message::{Headers, OwnedMessage};
use std::sync::Arc;
use std::time::Duration;
use tidings_bus::BusError;
use tidings_store::Store;

const TOPIC: &str = "task-updates";
const DEAD: &str = "task-updates.dead";
/// Ample: the tests wait for conditions, and end when those hold.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_every_form_are_delivered() {
    let broker = Broker::new(1);
    let bus = RecordingBus::new();
    let (ingest, store) = ingest(bus.clone()).await;
    let running = Running::start(&ingest, broker.settings());
    broker
        .produce_with(
            &[("content-type", "application/cloudevents+json; charset=utf-8")],
            &event(1, 1),
        )
        .await;
    let attributes = [
        ("ce_specversion", "1.0"),
        ("ce_id", "a b"),
        ("ce_source", "s"),
        ("ce_type", "t"),
    ];
    let binary = [
        &attributes[..],
        &[("content-type", "application/json"), ("other", "x")],
    ]
    .concat();
    broker.produce_with(&binary, r#"{"user_id": "u2", "n": 2}"#).await;
    // As Dapr writes: structured, and no header says so.
    broker
        .produce([(0, event(3, 3)), (0, r#"{"user_id":"u4","n":4}"#.to_owned())])
        .await;
    broker
        .produce_with(
            &[("content-type", "application/json")],
            r#"{"user_id":"u5","n":5}"#,
        )
        .await;
    broker
        .produce_with(
            &[("content-type", "application/cloudevents+json")],
            r#"{"user_id":"u6"}"#,
        )
        .await;
    broker
        .produce_with(&[("content-type", "application/cloudevents-batch+json")], "[]")
        .await;
    broker.produce_with(&[], "x").await;
    until("all records", || running.status.records() == 8).await;
    running.stop().await;
    let users: Vec<String> = bus.take().into_iter().map(|(room, _)| room).collect();
    assert_eq!(users, ["user:u1", "user:u2", "user:u3", "user:u4", "user:u5"]);
    let reasons: Vec<String> = dead_letters(&store)
        .await
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    let mut sorted = reasons.clone();
    sorted.sort();
    assert_eq!(sorted, ["mislabelled", "mislabelled", "not_json"]);
    assert_eq!(ingest.counters().consumed(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_user_gets_everything_once_and_in_order_over_restarts() {
    const USERS: usize = 12;
    let broker = Broker::new(12);
    let bus = RecordingBus::new();
    let (ingest, _store) = ingest(bus.clone()).await;
    broker.produce(records(USERS, 0..100)).await;
    let running = Running::start(&ingest, broker.settings());
    until("the first part", || ingest.counters().consumed() == 1_200).await;
    running.stop().await;
    broker.produce(records(USERS, 100..200)).await;
    // What was committed at the end is not read again, though the window would tell it.
    let running = Running::start(&ingest, broker.settings());
    until("the second part", || ingest.counters().consumed() == 2_400).await;
    running.stop().await;
    assert_eq!(by_user(&bus), expected(USERS, 200));
    assert_eq!(ingest.counters().duplicates(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_bus_pauses_and_on_release_all_arrives_in_order() {
    const RECORDS: usize = 3_000;
    let broker = Broker::new(2);
    let bus = RecordingBus::gated();
    let store = crate::fixture::store().await;
    let patient = IngestSettings {
        publish_timeout: PATIENCE,
        ..IngestSettings::default()
    };
    let ingest = Arc::new(Ingest::new(bus.clone(), store, patient));
    let settings = KafkaSettings {
        partition_records_max: 100,
        ..broker.settings()
    };
    let running = Running::start(&ingest, settings);
    broker.produce(records(2, 0..RECORDS)).await;
    until("both partitions paused", || {
        running.status.partitions_paused() == 2
    })
    .await;
    // One each in flight, a hundred each waiting; what the pause found on its way waits too. Records are counted a burst at a time.
    until("what was read", || running.status.records() >= 202).await;
    let held = running.status.records();
    assert!(held < 1_000, "{held} records read");
    assert_eq!(ingest.counters().consumed(), 0);
    bus.let_through(2 * RECORDS);
    until("all", || ingest.counters().consumed() == 2 * RECORDS as u64).await;
    // The last record is counted before its partition is read on.
    until("no partition paused", || running.status.partitions_paused() == 0).await;
    running.stop().await;
    assert_eq!(by_user(&bus), expected(2, RECORDS));
    assert_eq!(ingest.counters().duplicates(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_was_paused_when_it_went_is_read_when_it_comes_back() {
    const RECORDS: usize = 2_000;
    let broker = Broker::new(2);
    let bus = RecordingBus::gated();
    let store = crate::fixture::store().await;
    let patient = IngestSettings {
        publish_timeout: PATIENCE,
        ..IngestSettings::default()
    };
    let ingest = Arc::new(Ingest::new(bus.clone(), store, patient));
    let settings = || KafkaSettings {
        partition_records_max: 100,
        ..broker.settings()
    };
    let one = Running::start(&ingest, settings());
    broker.produce(records(2, 0..RECORDS)).await;
    until("both partitions paused", || one.status.partitions_paused() == 2).await;
    let two = Running::start(&ingest, settings());
    until("one each", || {
        (one.status.partitions(), two.status.partitions()) == (1, 1)
    })
    .await;
    two.stop().await;
    until("both again", || one.status.partitions() == 2).await;
    bus.let_through(4 * RECORDS);
    until("all", || ingest.counters().consumed() == 2 * RECORDS as u64).await;
    one.stop().await;
    assert_eq!(by_user(&bus), expected(2, RECORDS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_is_down_delays_and_loses_nothing() {
    let broker = Broker::new(3);
    let bus = RecordingBus::new();
    bus.fail(Some(BusError::Closed));
    let (ingest, store) = ingest(bus.clone()).await;
    let running = Running::start(&ingest, broker.settings());
    broker.produce(records(3, 0..50)).await;
    until("tries", || {
        ingest.counters().retried().map(|(_, count)| count).sum::<u64>() > 10
    })
    .await;
    bus.fail(None);
    until("all", || ingest.counters().consumed() == 150).await;
    running.stop().await;
    assert_eq!(by_user(&bus), expected(3, 50));
    assert!(dead_letters(&store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_in_the_dead_letter_topic_with_its_reason_and_origin() {
    let broker = Broker::new(1);
    let bus = RecordingBus::new();
    let (ingest, store) = ingest(bus.clone()).await;
    let settings = KafkaSettings {
        dead_letter_topic: Some(DEAD.to_owned()),
        ..broker.settings()
    };
    let running = Running::start(&ingest, settings);
    let poisoned = (0..1_000).flat_map(|number| {
        let poison = (number % 100 == 50).then(|| (0, format!("poison {number}")));
        poison.into_iter().chain([(0, event(0, number))])
    });
    broker.produce(poisoned).await;
    broker.produce_with(&[("x", "y")], "poison with headers").await;
    until("all", || ingest.counters().consumed() == 1_000).await;
    until("dead letters", || running.status.dead_letters() == 11).await;
    running.stop().await;
    assert_eq!(by_user(&bus), expected(1, 1_000));
    let dead = broker.dead(11);
    for (number, letter) in dead.iter().take(10).enumerate() {
        let value = format!("poison {}", number * 100 + 50);
        assert_eq!(letter.payload(), Some(value.as_bytes()));
        let offset = (number * 101 + 50).to_string();
        let origin = [
            ("dlq-reason", "not_json"),
            ("dlq-topic", TOPIC),
            ("dlq-partition", "0"),
            ("dlq-offset", &offset),
        ];
        assert_eq!(
            headers(letter),
            origin.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }
    assert_eq!(dead[10].key(), Some(&b"k"[..]));
    assert_eq!(headers(&dead[10])[0], ("x".to_owned(), "y".to_owned()));
    assert!(dead_letters(&store).await.is_empty());
}

fn headers(record: &OwnedMessage) -> Vec<(String, String)> {
    let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
    let headers = record.headers().unwrap().iter();
    headers
        .map(|header| (header.key.to_owned(), text(header.value)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_member_takes_its_share_and_nothing_is_lost_or_out_of_order() {
    const USERS: usize = 6;
    let broker = Broker::new(6);
    let bus = RecordingBus::new();
    // The mock cluster takes no commits while the group rebalances, so that some records come again. One window for both tells them.
    let (ingest, _store) = ingest(bus.clone()).await;
    let one = Running::start(&ingest, broker.settings());
    broker.produce(records(USERS, 0..100)).await;
    until("the first has all", || one.status.records() == 600).await;
    let two = Running::start(&ingest, broker.settings());
    let sharing = async {
        let mut number = 100;
        while two.status.partitions() != 3 || one.status.partitions() != 3 {
            broker.produce(records(USERS, number..number + 10)).await;
            number += 10;
            // Not so many that the heartbeats of the members come late.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        broker.produce(records(USERS, number..number + 10)).await;
        number + 10
    };
    let numbers = tokio::time::timeout(PATIENCE, sharing)
        .await
        .expect("an even share");
    let all = (USERS * numbers) as u64;
    until("all", || ingest.counters().consumed() == all).await;
    until("a share of the second", || two.status.records() > 0).await;
    one.stop().await;
    two.stop().await;
    assert_eq!(ingest.counters().consumed(), all);
    assert_eq!(by_user(&bus), expected(USERS, numbers));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_is_told_and_waited_for() {
    let broker = Broker::new(1);
    broker.produce(records(1, 0..10)).await;
    broker.cluster.broker_down(1).unwrap();
    let bus = RecordingBus::new();
    let (ingest, _store) = ingest(bus.clone()).await;
    let running = Running::start(&ingest, broker.settings());
    until("an error", || running.status.errors() > 0).await;
    assert!(running.status.failure().is_some());
    broker.cluster.broker_up(1).unwrap();
    until("all", || ingest.counters().consumed() == 10).await;
    until("the group", || running.status.failure().is_none()).await;
    running.stop().await;
    assert_eq!(by_user(&bus), expected(1, 10));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let settings = || KafkaSettings {
        brokers: vec!["localhost:1".to_owned()],
        ..KafkaSettings::default()
    };
    let property = |name: &str, value: &str| KafkaSettings {
        properties: vec![(name.to_owned(), value.to_owned())],
        ..settings()
    };
    let looped = KafkaSettings {
        dead_letter_topic: Some(TOPIC.to_owned()),
        ..settings()
    };
    let (ingest, _store): (Arc<Ingest>, Store) = ingest(RecordingBus::new()).await;
    let table = [
        (KafkaSettings::default(), "brokers is empty"),
        (looped, "the dead letter topic `task-updates` is consumed itself"),
        (
            property("enable.auto.commit", "false"),
            "the property `enable.auto.commit` has a setting of its own, or must stay as it is",
        ),
        (
            property("no.such.property", "1"),
            "No such configuration property",
        ),
        (property("fetch.wait.max.ms", "x"), "fetch.wait.max.ms"),
    ];
    for (settings, expected) in table {
        let error = KafkaSource::new(ingest.clone(), settings)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}
