//! What the client calls back with: rebalances, statistics, errors, log lines.

use super::KafkaStatus;
use super::wording::reason;
use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How log lines about failed connections are marked. If it is an error, `ClientContext::error` hears of it as well.
const CONNECTION_FAILED: &str = "FAIL";
/// More than there ever are: the group waits for the answer to one before it asks another.
const REBALANCES_MAX: usize = 4;

/// What the group wants of its member.
pub(super) enum Rebalance {
    /// To take these partitions too.
    Assign(TopicPartitionList),
    /// To give these up.
    Revoke(TopicPartitionList),
}

pub(super) type RebalanceReceiver = Receiver<Rebalance>;

/// The callbacks of a member.
pub(super) struct Context {
    status: Arc<KafkaStatus>,
    rebalances: Sender<Rebalance>,
    is_closing: AtomicBool,
}

impl Context {
    pub(super) fn new(status: Arc<KafkaStatus>) -> (Context, RebalanceReceiver) {
        let (sender, receiver) = channel(REBALANCES_MAX);
        let context = Context {
            status,
            rebalances: sender,
            is_closing: AtomicBool::new(false),
        };
        (context, receiver)
    }

    /// From now on nobody listens: what the group wants is done at once.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tell(&self.status, level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.status.read(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.status.failed(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Context>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let is_assignment = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if !self.is_closing.load(Ordering::Acquire) {
            let partitions = partitions.clone();
            let rebalance = if is_assignment {
                Rebalance::Assign(partitions)
            } else {
                Rebalance::Revoke(partitions)
            };
            if self.rebalances.try_send(rebalance).is_ok() {
                return;
            }
        }
        let done = if is_assignment {
            consumer.incremental_assign(partitions)
        } else {
            consumer.incremental_unassign(partitions)
        };
        if let Err(error) = done {
            self.status.failed(&error, "rebalance at the end");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            // There was nothing to commit, or the group rebalances and it is done later.
            Ok(())
            | Err(KafkaError::ConsumerCommit(
                RDKafkaErrorCode::NoOffset | RDKafkaErrorCode::RebalanceInProgress,
            )) => {}
            Err(error) => self.status.failed(&error, "commit"),
        }
    }
}

/// The callbacks of the producer.
pub(super) struct ProducerCallbacks(pub(super) Arc<KafkaStatus>);

impl ClientContext for ProducerCallbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tell(&self.0, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.failed(&error, reason);
    }
}

/// The callbacks of a command: it hears of errors by its calls, but not why a connection failed.
#[derive(Default)]
pub(super) struct Quiet {
    disconnection: Mutex<Option<String>>,
}

impl Quiet {
    /// Why the last connection that failed did so.
    pub(super) fn disconnection(&self) -> Option<String> {
        self.disconnection.lock().clone()
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == CONNECTION_FAILED {
            *self.disconnection.lock() = Some(reason(message));
        } else {
            log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, "{reason}");
    }
}

impl ConsumerContext for Quiet {}

/// Failed connections are the status's to tell: once, and not each time.
fn tell(status: &KafkaStatus, level: RDKafkaLogLevel, facility: &str, message: &str) {
    if facility == CONNECTION_FAILED {
        status.disconnected(message);
        tracing::debug!(target: "kafka", facility, "{message}");
    } else {
        log(level, facility, message);
    }
}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => {
            tracing::warn!(target: "kafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::info!(target: "kafka", facility, "{message}");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(target: "kafka", facility, "{message}");
        }
    }
}
