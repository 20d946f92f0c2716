//! The other half of `bench/kafka`: fills a topic, and reads it as barely as librdkafka lets one.
//!
//!     kafka_bench produce BOOTSTRAP TOPIC RECORDS RECORD_BYTES
//!     kafka_bench pace BOOTSTRAP TOPIC RATE SECONDS
//!     kafka_bench consume BOOTSTRAP TOPIC RECORDS
//!
//! `pace` writes events to user `u` that say in milliseconds of the Unix time when they were due, whenever they were sent. `consume`
//! prints a line of JSON: records, seconds from the first record to the last, and seconds of processor.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

const USERS: u64 = 500;
/// Keys of paced events: enough for every partition to have some.
const PACED_KEYS: u64 = 120;
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["produce", bootstrap, topic, records, bytes] => {
            produce(bootstrap, topic, records.parse()?, bytes.parse()?)
        }
        ["pace", bootstrap, topic, rate, seconds] => pace(bootstrap, topic, rate.parse()?, seconds.parse()?),
        ["consume", bootstrap, topic, records] => consume(bootstrap, topic, records.parse()?),
        _ => Err("expected produce, pace or consume, and what the first lines of this file say".into()),
    }
}

type BenchProducer = ThreadedProducer<DefaultProducerContext>;

fn produce(bootstrap: &str, topic: &str, records: u64, bytes: usize) -> Result<(), Box<dyn Error>> {
    let producer = producer(bootstrap, "20")?;
    for number in 0..records {
        let key = format!("u{}", number % USERS);
        send(&producer, topic, &key, &event(number, &key, bytes))?;
    }
    producer.flush(PATIENCE)?;
    Ok(())
}

/// What is due, every millisecond.
fn pace(bootstrap: &str, topic: &str, rate: u64, seconds: u64) -> Result<(), Box<dyn Error>> {
    let producer = producer(bootstrap, "0")?;
    let (began, began_at) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH)?);
    let mut sent = 0;
    while sent < rate * seconds {
        let due = u64::try_from(began.elapsed().as_micros() * u128::from(rate) / 1_000_000)?;
        while sent < due.min(rate * seconds) {
            let at = began_at.as_secs_f64() * 1e3 + sent as f64 * 1e3 / rate as f64;
            let value = format!(r#"{{"user_id":"u","n":{sent},"at":{at}}}"#);
            send(&producer, topic, &format!("k{}", sent % PACED_KEYS), &value)?;
            sent += 1;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    producer.flush(PATIENCE)?;
    Ok(())
}

fn producer(bootstrap: &str, linger_ms: &str) -> Result<BenchProducer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("linger.ms", linger_ms)
        .set("batch.size", "500000")
        .set("enable.idempotence", "true")
        .create()
}

fn send(producer: &BenchProducer, topic: &str, key: &str, value: &str) -> Result<(), KafkaError> {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                record = refused;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// A `CloudEvent` as Dapr writes it, filled up to so many bytes.
fn event(number: u64, user: &str, bytes: usize) -> String {
    let event = |note: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{number:012}","source":"backend","type":"com.dapr.event.sent","datacontenttype":"application/json","time":"2026-11-26T12:00:00Z","topic":"task-updates","pubsubname":"kafka-pubsub","data":{{"event_type":"task.created","user_id":"{user}","task_id":"{number}","title":"New Task","note":"{note}"}}}}"#
        )
    };
    let filling = bytes.saturating_sub(event("").len());
    event(&"x".repeat(filling))
}

fn consume(bootstrap: &str, topic: &str, records: u64) -> Result<(), Box<dyn Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", format!("bare-{}", std::process::id()))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .create()?;
    consumer.subscribe(&[topic])?;
    let (mut read, mut begun) = (0, None);
    let waiting = Instant::now();
    while read < records {
        // None too for an event of the group's.
        let Some(record) = consumer.poll(PATIENCE) else {
            if waiting.elapsed() > PATIENCE {
                return Err("no record in a minute".into());
            }
            continue;
        };
        let record = record?;
        begun.get_or_insert_with(|| (Instant::now(), processor_seconds()));
        consumer.store_offset(record.topic(), record.partition(), record.offset())?;
        read += 1;
    }
    let (begun, processor) = begun.ok_or("no records were asked for")?;
    let (seconds, processor) = (begun.elapsed().as_secs_f64(), processor_seconds() - processor);
    writeln!(
        io::stdout(),
        r#"{{"records":{read},"seconds":{seconds},"processorSeconds":{processor}}}"#
    )?;
    Ok(())
}

/// User and system time of this process, by `/proc/self/stat`; 0 where there is none.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
