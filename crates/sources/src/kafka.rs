//! Kafka as a source: a member of a consumer group, which takes the records of each partition in by their order.
//!
//! One task polls the client and takes a record in at once where that needs no waiting. What has to wait (the bus is full, the
//! same event is in flight elsewhere) waits in the lane of its partition, and the records behind it with it, while other
//! partitions go on. A lane that is full pauses its partition. Dead letters are written beside the lane, so that a record that
//! can never be delivered holds up nobody.
//!
//! Invariant: the offset of a record is stored, to be committed, only when it and all before it in its partition have been
//! accepted, were here before, or are kept as dead letters.

mod burial;
mod client;
mod consumption;
mod context;
mod exhumation;
mod lane;
mod lanes;
mod offsets;
mod record;
mod settings;
mod status;
mod taking;
mod wording;

pub use exhumation::{ExhumationError, Room, exhume};
pub(crate) use record::{pairs, received};
pub use settings::{KafkaSecurity, KafkaSettings, KafkaSettingsError, SaslMechanism, StartAt};
pub use status::{KafkaStatus, PartitionLag};

use crate::Ingest;
use burial::Burial;
use client::Client;
use consumption::{Consumption, End};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The source of events, in the events and in dead letters.
pub(crate) const SOURCE: &str = "kafka";
/// How long the last records and the last commit may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A consumer of Kafka topics.
pub struct KafkaSource {
    ingest: Arc<Ingest>,
    settings: Arc<KafkaSettings>,
    status: Arc<KafkaStatus>,
    burial: Arc<Burial>,
    client: Client,
}

impl KafkaSource {
    /// Joins the group in the background, whether there is a broker or not; nothing is read before [`KafkaSource::run`].
    /// Wants to be called within a Tokio runtime.
    pub fn new(ingest: Arc<Ingest>, settings: KafkaSettings) -> Result<KafkaSource, KafkaSettingsError> {
        let status = Arc::new(KafkaStatus::default());
        let client = Client::new(&settings, &status)?;
        let burial = Burial::new(&settings, &status)?;
        Ok(KafkaSource {
            ingest,
            settings: Arc::new(settings),
            status,
            burial: Arc::new(burial),
            client,
        })
    }

    /// How the source is doing.
    pub fn status(&self) -> Arc<KafkaStatus> {
        self.status.clone()
    }

    /// Takes records in until `stop`; then finishes those it has begun, and commits.
    pub async fn run(self, stop: CancellationToken) {
        let KafkaSource {
            ingest,
            settings,
            status,
            burial,
            mut client,
        } = self;
        loop {
            let consumption = Consumption::new(&ingest, &burial, &settings, &status, &client);
            // A record that brings the loop down must not end the source in silence: it stands still and says so.
            let end = AssertUnwindSafe(consumption.run(&stop)).catch_unwind().await;
            let end = end.unwrap_or_else(|_| {
                tracing::error!("reading from Kafka panicked; the client is made anew");
                End::Fatal
            });
            status.left();
            client.close(CLOSE_TIMEOUT).await;
            if end == End::Stopped {
                return;
            }
            // The client is of no use any more: another member has its name, or it may not read.
            client = loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(settings.retry_backoff_max) => {}
                }
                match Client::new(&settings, &status) {
                    Ok(client) => break client,
                    Err(error) => tracing::error!(%error, "no Kafka client could be made"),
                }
            };
        }
    }
}

#[cfg(test)]
mod tests;
