//! What events come in by, from the configuration.

use std::sync::Arc;
use std::time::Duration;

use tidings_bus::Bus;
use tidings_sources::dapr::{BulkSubscribe, DaprSettings, DaprSource};
use tidings_sources::kafka::{KafkaSource, KafkaStatus};
use tidings_sources::{Ingest, IngestSettings, Replay, Routes};
use tidings_store::Store;
use tidings_transport::Transport;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// The sources, running.
pub(crate) struct Sources {
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) dapr: DaprSource,
    /// None if there are no brokers.
    pub(crate) kafka: Option<Arc<KafkaStatus>>,
}

impl Sources {
    /// Starts what runs by itself: reading Kafka, replaying dead letters.
    pub(crate) fn start(
        config: &Config,
        bus: Arc<dyn Bus>,
        store: &Store,
        transport: &Transport,
        stop: &CancellationToken,
    ) -> Outcome<Self> {
        let ingest = Arc::new(Ingest::new(bus, store.clone(), ingest_settings(config)?));
        let dapr = DaprSource::new(ingest.clone(), dapr_settings(config))
            .map_err(|error| Failure::Usage(anyhow::Error::new(error).context("tasks.dapr.route")))?;
        transport.spawn(Replay::new(ingest.clone(), store.clone()).run(stop.clone()));
        let kafka = kafka(config, &ingest, transport, stop)?;
        Ok(Self { ingest, dapr, kafka })
    }
}

fn ingest_settings(config: &Config) -> Outcome<IngestSettings> {
    Ok(IngestSettings {
        routes: routes(config)?,
        dedupe_events_max: config.tasks.dedupe_events_max as usize,
        dedupe_age_max: Duration::from_millis(config.tasks.dedupe_age_ms_max),
        ..IngestSettings::default()
    })
}

/// The rules by which events are routed.
pub(crate) fn routes(config: &Config) -> Outcome<Routes> {
    let routes = config.routing.routes(&config.tasks.user_id_paths);
    // The rules were read before; the paths were not.
    routes.map_err(|error| Failure::Usage(anyhow::Error::new(error).context("tasks.user_id_paths")))
}

/// Starts reading Kafka, if there are brokers.
fn kafka(
    config: &Config,
    ingest: &Arc<Ingest>,
    transport: &Transport,
    stop: &CancellationToken,
) -> Outcome<Option<Arc<KafkaStatus>>> {
    let Some(settings) = config.kafka.settings() else {
        return Ok(None);
    };
    let source = KafkaSource::new(ingest.clone(), settings)
        .map_err(|error| Failure::Usage(anyhow::Error::new(error).context("kafka")))?;
    let status = source.status();
    transport.spawn(source.run(stop.clone()));
    Ok(Some(status))
}

/// What Dapr's routes are.
pub(crate) fn dapr_settings(config: &Config) -> DaprSettings {
    let dapr = &config.tasks_dapr;
    DaprSettings {
        pubsub_name: dapr.pubsub_name.clone(),
        topic: dapr.topic.clone(),
        route: dapr.route.clone(),
        dead_letter_topic: dapr.dead_letter_topic.clone(),
        bulk_subscribe: dapr.bulk_subscribe.then(BulkSubscribe::default),
        body_timeout: Duration::from_millis(config.limits.body_timeout_ms),
        api_token: dapr.api_token.as_ref().map(|token| token.expose().to_owned()),
        ..DaprSettings::default()
    }
}
