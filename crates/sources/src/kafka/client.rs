//! The client that is polled, and how it is got rid of.

use super::context::{Context, RebalanceReceiver};
use super::{KafkaSettings, KafkaSettingsError, KafkaStatus};
use parking_lot::Mutex;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The stock consumer with our callbacks.
pub(super) type GroupConsumer = StreamConsumer<Context>;

/// A member of the group.
pub(super) struct Client {
    pub(super) consumer: GroupConsumer,
    /// What the group wants of this member.
    pub(super) rebalances: Mutex<Option<RebalanceReceiver>>,
}

impl Client {
    pub(super) fn new(
        settings: &KafkaSettings,
        status: &Arc<KafkaStatus>,
    ) -> Result<Client, KafkaSettingsError> {
        settings.check()?;
        let refused = |error| KafkaSettingsError::refused(&error);
        let (context, rebalances) = Context::new(status.clone());
        let consumer =
            StreamConsumer::from_config_and_context(&settings.consumer(), context).map_err(refused)?;
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(refused)?;
        Ok(Client {
            consumer,
            rebalances: Mutex::new(Some(rebalances)),
        })
    }

    /// Commits what is stored and leaves the group. Waits for that only so long: a broker that is away could hold it up.
    pub(super) async fn close(self, timeout: Duration) {
        let (closed, is_closed) = oneshot::channel();
        let closing = move || {
            self.consumer.context().close();
            drop(self.consumer);
            // Nobody may be waiting any more.
            let _ = closed.send(());
        };
        let thread = std::thread::Builder::new().name("kafka-close".to_owned());
        if let Err(error) = thread.spawn(closing) {
            tracing::warn!(%error, "the Kafka client was not closed");
        }
        if tokio::time::timeout(timeout, is_closed).await.is_err() {
            tracing::warn!("Kafka did not take the last commit in time; its records will come again");
        }
    }
}
