//! What is consumed, from where, and by which limits.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// How often the client tells how it is doing.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);
/// How long the client waits before it fetches on when its buffer was full.
const FULL_BUFFER_BACKOFF_MS: &str = "10";
/// How long a broker holds back the answer to a fetch while there is nothing. A partition that is resumed waits as long for its first
/// records: it is in no fetch before the next one.
const FETCH_WAIT_MS: &str = "100";
/// More than the largest record with its headers.
const LETTER_BYTES_MAX: &str = "1000000000";
/// Where OpenSSL is told of the authorities; without them it knows no place of this system's, because it is linked in.
const AUTHORITY_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/// Properties that say how brokers are talked to begin so. Those the producer of dead letters needs too.
const CONNECTION_PREFIXES: [&str; 7] = [
    "broker.",
    "client.",
    "enable.ssl.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
];
/// What the source rests on; a property of these names is refused.
const OWN_PROPERTIES: [&str; 11] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "partition.assignment.strategy",
    "statistics.interval.ms",
    "check.crcs",
];

/// One membership in a consumer group.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// Brokers to begin with, `host:port` each.
    pub brokers: Vec<String>,
    /// The topics, each by its name.
    pub topics: Vec<String>,
    /// The consumer group, which all nodes of one installation share.
    pub group_id: String,
    /// This node's name in the group, for static membership (KIP-345): a node that comes back under its name has its partitions
    /// at once.
    pub group_instance_id: Option<String>,
    /// Where a group without committed offsets begins.
    pub start_at: StartAt,
    /// Where records go that can never be delivered; without it, our own dead letters take them.
    pub dead_letter_topic: Option<String>,
    /// How the brokers are talked to.
    pub security: KafkaSecurity,
    /// How long the group waits for a member that it does not hear from.
    pub session_timeout: Duration,
    /// How often offsets are committed; after a crash, the records since then come again.
    pub commit_interval: Duration,
    /// How long a record waits before it is tried again, the first time and at the most.
    pub retry_backoff_min: Duration,
    /// See `retry_backoff_min`.
    pub retry_backoff_max: Duration,
    /// The largest record that is delivered.
    pub record_bytes_max: usize,
    /// Records that wait behind one that cannot be delivered now; then their partition is paused.
    pub partition_records_max: usize,
    /// The same in bytes.
    pub partition_bytes_max: usize,
    /// What the client fetches ahead, in bytes.
    pub fetch_bytes_max: usize,
    /// Further properties of librdkafka's consumer, by their names.
    pub properties: Vec<(String, String)>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the oldest record there is.
    Earliest,
    /// With the next one.
    Latest,
}

/// How brokers are talked to.
#[derive(Clone, Default)]
pub struct KafkaSecurity {
    /// Whether by TLS.
    pub tls: bool,
    /// The authorities that a broker's certificate may come from; those of the system without it.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate.
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// How to log in.
    pub sasl: Option<(SaslMechanism, String, String)>,
}

/// A way to log in with a name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password as it is; by TLS, or it can be read on the way.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KafkaSettingsError {
    /// No broker, topic or group.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A property that is the source's own.
    #[error("the property `{0}` has a setting of its own, or must stay as it is")]
    OwnProperty(String),
    /// The dead letter topic is among the topics: its records would come back for ever.
    #[error("the dead letter topic `{0}` is consumed itself")]
    DeadLetterLoop(String),
    /// A pattern, which could match the dead letter topic too.
    #[error("a topic is a name, found `{0}`")]
    TopicPattern(String),
    /// TLS or SCRAM, in a build without.
    #[error("this build has no TLS and no SCRAM for Kafka: build it with the feature `kafka-tls`")]
    WithoutTls,
    /// What librdkafka says.
    #[error("{0}")]
    Refused(String),
}

impl KafkaSettingsError {
    /// What librdkafka says, without the value, which may be a secret.
    pub(super) fn refused(error: &KafkaError) -> KafkaSettingsError {
        KafkaSettingsError::Refused(match error {
            KafkaError::ClientConfig(_, description, property, _) => format!("{property}: {description}"),
            error => error.to_string(),
        })
    }
}

impl Default for KafkaSettings {
    fn default() -> KafkaSettings {
        KafkaSettings {
            brokers: Vec::new(),
            topics: vec!["task-updates".to_owned()],
            group_id: "tidings".to_owned(),
            group_instance_id: None,
            start_at: StartAt::Earliest,
            dead_letter_topic: None,
            security: KafkaSecurity::default(),
            session_timeout: Duration::from_secs(45),
            commit_interval: Duration::from_secs(1),
            retry_backoff_min: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(10),
            record_bytes_max: 1024 * 1024,
            partition_records_max: 10_000,
            partition_bytes_max: 4 * 1024 * 1024,
            fetch_bytes_max: 32 * 1024 * 1024,
            properties: Vec::new(),
        }
    }
}

impl KafkaSettings {
    pub(super) fn check(&self) -> Result<(), KafkaSettingsError> {
        let lists = [("brokers", &self.brokers), ("topics", &self.topics)];
        if let Some((name, _)) = lists.into_iter().find(|(_, texts)| texts.is_empty()) {
            return Err(KafkaSettingsError::Empty(name));
        }
        if let Some(topic) = self.topics.iter().find(|topic| topic.starts_with('^')) {
            return Err(KafkaSettingsError::TopicPattern(topic.clone()));
        }
        if self.group_id.is_empty() {
            return Err(KafkaSettingsError::Empty("group_id"));
        }
        if let Some((name, _)) = self
            .properties
            .iter()
            .find(|(name, _)| OWN_PROPERTIES.contains(&name.as_str()))
        {
            return Err(KafkaSettingsError::OwnProperty(name.clone()));
        }
        if let Some(topic) = self
            .dead_letter_topic
            .as_ref()
            .filter(|topic| self.topics.contains(topic))
        {
            return Err(KafkaSettingsError::DeadLetterLoop(topic.clone()));
        }
        self.security.check()
    }

    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", &self.group_id)
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", millis(self.commit_interval))
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(self.session_timeout))
            .set(
                "heartbeat.interval.ms",
                millis((self.session_timeout / 3).min(Duration::from_secs(3))),
            )
            .set("auto.offset.reset", self.start_at.as_str())
            .set("fetch.message.max.bytes", self.record_bytes_max.to_string())
            .set(
                "queued.max.messages.kbytes",
                (self.fetch_bytes_max / 1024).max(1).to_string(),
            )
            .set("fetch.queue.backoff.ms", FULL_BUFFER_BACKOFF_MS)
            .set("fetch.wait.max.ms", FETCH_WAIT_MS)
            .set("statistics.interval.ms", millis(STATISTICS_INTERVAL));
        if let Some(name) = &self.group_instance_id {
            config.set("group.instance.id", name);
        }
        self.with_properties(config, |_| true)
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        // Not compressed: some clients cannot read what others can. What the topic takes is the brokers' to say.
        config
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("message.max.bytes", LETTER_BYTES_MAX);
        self.with_properties(config, |name| {
            CONNECTION_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        })
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", "tidings")
            // A broker that comes back is found soon.
            .set("reconnect.backoff.max.ms", "2000");
        // Of some connections only the client's log says why they failed, whatever our own log is told to show.
        if !matches!(config.log_level, RDKafkaLogLevel::Debug) {
            config.set_log_level(RDKafkaLogLevel::Info);
        }
        self.security.set(&mut config);
        config
    }

    fn with_properties(&self, mut config: ClientConfig, is_wanted: impl Fn(&str) -> bool) -> ClientConfig {
        for (name, value) in self.properties.iter().filter(|(name, _)| is_wanted(name)) {
            config.set(name, value);
        }
        config
    }
}

impl KafkaSecurity {
    fn check(&self) -> Result<(), KafkaSettingsError> {
        let is_scram = |mechanism: SaslMechanism| mechanism != SaslMechanism::Plain;
        let has_scram = self
            .sasl
            .as_ref()
            .is_some_and(|(mechanism, ..)| is_scram(*mechanism));
        if (self.tls || has_scram) && !cfg!(feature = "kafka-tls") {
            return Err(KafkaSettingsError::WithoutTls);
        }
        Ok(())
    }

    fn set(&self, config: &mut ClientConfig) {
        let protocol = match (self.tls, &self.sasl) {
            (false, None) => "plaintext",
            (true, None) => "ssl",
            (false, Some(_)) => "sasl_plaintext",
            (true, Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        let is_told = |name: &&str| std::env::var_os(name).is_some();
        if self.tls && self.ca_file.is_none() && !AUTHORITY_VARIABLES.iter().any(is_told) {
            config.set("ssl.ca.location", "probe");
        }
        let files = [
            ("ssl.ca.location", &self.ca_file),
            ("ssl.certificate.location", &self.certificate_file),
            ("ssl.key.location", &self.key_file),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                config.set(name, file.to_string_lossy());
            }
        }
        if let Some((mechanism, username, password)) = &self.sasl {
            config
                .set("sasl.mechanism", mechanism.as_str())
                .set("sasl.username", username)
                .set("sasl.password", password);
        }
    }
}

impl fmt::Debug for KafkaSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sasl = self
            .sasl
            .as_ref()
            .map(|(mechanism, username, _)| (mechanism, username));
        f.debug_struct("KafkaSecurity")
            .field("tls", &self.tls)
            .field("sasl", &sasl)
            .finish_non_exhaustive()
    }
}

impl StartAt {
    const fn as_str(self) -> &'static str {
        match self {
            StartAt::Earliest => "earliest",
            StartAt::Latest => "latest",
        }
    }
}

impl SaslMechanism {
    /// The mechanism by the name that the brokers know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}
