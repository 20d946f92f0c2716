//! Kafka as a source.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tidings_sources::kafka::{KafkaSecurity, KafkaSettings, SaslMechanism, StartAt};

use super::secret::Secret;
use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// Kafka topics whose records are delivered as `[routing]` says.
    ["kafka"] Kafka(base) {
        /// Brokers to begin with, `host:port` each; none: Kafka is not read.
        brokers: Vec<String> = Vec::new();
        /// The topics.
        topics: Vec<String> = vec!["task-updates".into()];
        /// The consumer group. All nodes of an installation share one; another group reads everything once more.
        group_id: String = "tidings".into();
        /// This node's name in the group, for static membership: a node that comes back under its name has its partitions at once,
        /// and until then, for as long as `session_timeout_ms`, nobody reads them. Each node needs a name of its own.
        group_instance_id: Option<String> = None;
        /// Where the group begins a partition of which it has committed nothing: `earliest`, with the oldest record there is, or `latest`,
        /// with the next one. With `latest`, what comes in before the first commit and while no node runs is passed over.
        start_at: Start = Start(StartAt::Earliest);
        /// The topic for records that can never be delivered, with headers that tell reason and origin; unset: our own dead letters.
        dead_letter_topic: Option<String> = None;
        /// Whether brokers are talked to by TLS. Needs a build with the feature `kafka-tls`, which the container has.
        tls: bool = false;
        /// Certificates, in PEM, of the authorities that brokers' certificates come from; unset: the system's.
        tls_authorities: Option<PathBuf> = None;
        /// This client's certificate, in PEM, where the brokers ask for one.
        tls_certificate: Option<PathBuf> = None;
        /// Its key, in PEM.
        tls_key: Option<PathBuf> = None;
        /// How to log in: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; unset: not at all. SCRAM needs the feature `kafka-tls` too.
        sasl_mechanism: Option<Mechanism> = None;
        /// The name to log in with.
        sasl_username: Option<String> = None;
        /// The password to log in with.
        sasl_password: Option<Secret> = None;
        /// How long the group waits for a node that it does not hear from, before others read its partitions, in milliseconds.
        session_timeout_ms: u64 = 45_000, within 1_000..=1_800_000;
        /// How often offsets are committed, in milliseconds. After a crash the records since the last commit come again.
        commit_interval_ms: u64 = 1_000, within 10..=60_000;
        /// How long a record waits that cannot be delivered now, the first time, in milliseconds; twice as long each time after.
        retry_backoff_ms_min: u64 = 100, within 1..=60_000;
        /// How long it waits at the most.
        retry_backoff_ms_max: u64 = 10_000, within 1..=600_000;
        /// The largest record that is delivered, in bytes; larger ones become dead letters.
        record_bytes_max: u32 = 1_048_576, within 1_024..=67_108_864;
        /// Records that wait behind one that cannot be delivered now; then their partition is paused.
        partition_records_max: u32 = 10_000, within 1..=1_000_000;
        /// The same in bytes.
        partition_bytes_max: u32 = 4_194_304, within 1_024..=1_073_741_824;
        /// What is fetched ahead, in bytes; then fetching rests.
        fetch_bytes_max: u32 = 33_554_432, within 65_536..=1_073_741_824;
        /// Further properties of librdkafka's consumer, `name=value` each. Those that say how brokers are talked to (`ssl.…`, `sasl.…`,
        /// `socket.…`, `client.…`, `broker.…`) hold for the writer of dead letters too.
        properties: Vec<Property> = Vec::new();
    }
}

impl Kafka {
    /// The source's settings; `None` if there is no broker.
    pub(crate) fn settings(&self) -> Option<KafkaSettings> {
        if self.brokers.is_empty() {
            return None;
        }
        let sasl = self.sasl_mechanism.map(|mechanism| {
            let password = self.sasl_password.as_ref().map_or("", Secret::expose);
            let username = self.sasl_username.clone().unwrap_or_default();
            (mechanism.0, username, password.to_owned())
        });
        Some(KafkaSettings {
            brokers: self.brokers.clone(),
            topics: self.topics.clone(),
            group_id: self.group_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            start_at: self.start_at.0,
            dead_letter_topic: self.dead_letter_topic.clone(),
            security: KafkaSecurity {
                tls: self.tls,
                ca_file: self.tls_authorities.clone(),
                certificate_file: self.tls_certificate.clone(),
                key_file: self.tls_key.clone(),
                sasl,
            },
            session_timeout: Duration::from_millis(self.session_timeout_ms),
            commit_interval: Duration::from_millis(self.commit_interval_ms),
            retry_backoff_min: Duration::from_millis(self.retry_backoff_ms_min),
            retry_backoff_max: Duration::from_millis(self.retry_backoff_ms_max),
            record_bytes_max: self.record_bytes_max as usize,
            partition_records_max: self.partition_records_max as usize,
            partition_bytes_max: self.partition_bytes_max as usize,
            fetch_bytes_max: self.fetch_bytes_max as usize,
            properties: self
                .properties
                .iter()
                .map(|property| (property.name.clone(), property.value.clone()))
                .collect(),
        })
    }
}

/// Where to begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start(StartAt);

/// A way to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mechanism(SaslMechanism);

/// A property of librdkafka.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    name: String,
    value: String,
}

/// The text is none of what is expected.
#[derive(Debug)]
pub(crate) struct KafkaValueError;

impl FromStr for Start {
    type Err = KafkaValueError;

    fn from_str(text: &str) -> Result<Self, KafkaValueError> {
        match text {
            "earliest" => Ok(Self(StartAt::Earliest)),
            "latest" => Ok(Self(StartAt::Latest)),
            _ => Err(KafkaValueError),
        }
    }
}

impl Setting for Start {
    fn expected() -> String {
        "`earliest` or `latest`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(match self.0 {
            StartAt::Earliest => "earliest",
            StartAt::Latest => "latest",
        }))
    }
}

const MECHANISMS: [SaslMechanism; 3] = [
    SaslMechanism::Plain,
    SaslMechanism::ScramSha256,
    SaslMechanism::ScramSha512,
];

impl FromStr for Mechanism {
    type Err = KafkaValueError;

    fn from_str(text: &str) -> Result<Self, KafkaValueError> {
        let mechanism = MECHANISMS
            .into_iter()
            .find(|mechanism| mechanism.as_str() == text);
        mechanism.map(Self).ok_or(KafkaValueError)
    }
}

impl Setting for Mechanism {
    fn expected() -> String {
        "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.0.as_str()))
    }
}

impl FromStr for Property {
    type Err = KafkaValueError;

    fn from_str(text: &str) -> Result<Self, KafkaValueError> {
        let (name, value) = text.split_once('=').ok_or(KafkaValueError)?;
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(KafkaValueError);
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl Setting for Property {
    fn expected() -> String {
        "`name=value`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        // Some properties are secrets.
        Some(quoted(&format!("{}=…", self.name)))
    }
}
