//! Header names that are no text: anybody may write them, though not with rdkafka. So the request is put together here.

use super::broker::{Broker, Running, by_user, event, expected, until};
use super::{DEAD, PATIENCE, TOPIC};
use crate::fixture::{RecordingBus, dead_letters, ingest};
use crate::kafka::KafkaSettings;
use rdkafka::Message;
use rdkafka::message::Headers;
use std::io::{Read, Write};
use std::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_name_that_is_no_text_is_a_dead_letter_and_its_partition_flows_on() {
    for dead_letter_topic in [None, Some(DEAD.to_owned())] {
        let has_topic = dead_letter_topic.is_some();
        let broker = Broker::new(1);
        let bus = RecordingBus::new();
        let (ingest, store) = ingest(bus.clone()).await;
        let settings = KafkaSettings {
            dead_letter_topic,
            ..broker.settings()
        };
        let running = Running::start(&ingest, settings);
        broker.produce([(0, event(0, 0))]).await;
        // All else of it is good.
        let poison = event(0, 9);
        write(&broker.cluster.bootstrap_servers(), &poison, (b"\xffname", b"x"));
        broker.produce([(0, event(0, 1))]).await;
        until("both", || ingest.counters().consumed() == 2).await;
        until("all three read", || running.status.records() == 3).await;
        running.stop().await;
        assert_eq!(by_user(&bus), expected(1, 2));
        let kept = dead_letters(&store).await;
        if has_topic {
            assert!(kept.is_empty());
            let [letter] = broker.dead(1).try_into().unwrap();
            assert_eq!(letter.payload(), Some(poison.as_bytes()));
            // The first one's name is the one that cannot be read here either.
            let reason = letter.headers().unwrap().get(1);
            assert_eq!(
                (reason.key, reason.value),
                ("dlq-reason", Some(&b"mislabelled"[..]))
            );
        } else {
            assert_eq!(kept, [("mislabelled".to_owned(), poison)]);
        }
    }
}

/// Produces one record (`Produce` version 3, <https://kafka.apache.org/protocol.html#The_Messages_Produce>).
fn write(address: &str, value: &str, header: (&[u8], &[u8])) {
    let batch = batch(value.as_bytes(), header);
    let mut request = Vec::new();
    // What is asked, by which version and whom.
    request.extend(0_i16.to_be_bytes());
    request.extend(3_i16.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    string(&mut request, "tests");
    // Outside of a transaction, acknowledged by all, within a time.
    request.extend((-1_i16).to_be_bytes());
    request.extend((-1_i16).to_be_bytes());
    request.extend(30_000_i32.to_be_bytes());
    // One topic, and of that one partition, the first.
    request.extend(1_i32.to_be_bytes());
    string(&mut request, TOPIC);
    request.extend(1_i32.to_be_bytes());
    request.extend(0_i32.to_be_bytes());
    sized(&mut request, &batch);

    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut framed = Vec::new();
    sized(&mut framed, &request);
    connection.write_all(&framed).unwrap();
    let mut size = [0; 4];
    connection.read_exact(&mut size).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    connection.read_exact(&mut answer).unwrap();
    // Behind the number of the request, the topic and the partition.
    let error = 4 + 4 + 2 + TOPIC.len() + 4 + 4;
    assert_eq!(answer[error..error + 2], [0, 0], "{answer:?}");
}

/// A batch of one record (<https://kafka.apache.org/documentation/#recordbatch>).
fn batch(value: &[u8], (name, header): (&[u8], &[u8])) -> Vec<u8> {
    // Attributes, the distances of time and offset, and no key.
    let mut record = vec![0, 0, 0];
    varint(&mut record, -1);
    bytes(&mut record, value);
    varint(&mut record, 1);
    bytes(&mut record, name);
    bytes(&mut record, header);

    let mut summed = Vec::new();
    // Attributes, the last record's distance, the first and the last time; no producer with a state.
    summed.extend(0_i16.to_be_bytes());
    summed.extend(0_i32.to_be_bytes());
    summed.extend([0; 16]);
    summed.extend((-1_i64).to_be_bytes());
    summed.extend((-1_i16).to_be_bytes());
    summed.extend((-1_i32).to_be_bytes());
    summed.extend(1_i32.to_be_bytes());
    bytes(&mut summed, &record);

    let mut batch = Vec::new();
    batch.extend(0_i64.to_be_bytes());
    let mut rest = Vec::new();
    // The leader's epoch, the version of the form, the sum.
    rest.extend((-1_i32).to_be_bytes());
    rest.push(2);
    rest.extend(crc32c(&summed).to_be_bytes());
    rest.extend(&summed);
    sized(&mut batch, &rest);
    batch
}

fn sized(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
    into.extend(bytes);
}

fn string(into: &mut Vec<u8>, text: &str) {
    into.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    into.extend(text.as_bytes());
}

fn bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    varint(into, i64::try_from(bytes.len()).unwrap());
    into.extend(bytes);
}

/// Signs alternate, then seven bits a byte.
fn varint(into: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        into.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    into.push(u8::try_from(rest).unwrap());
}

/// Castagnoli's, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn the_sum_is_that_of_rfc_3720() {
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
}
