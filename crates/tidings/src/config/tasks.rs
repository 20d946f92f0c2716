//! The tasks gateway and what feeds it.

use super::listen::Listen;
use super::secret::Secret;
use super::section::section;

section! {
    /// The tasks gateway: JSON over WebSocket `/ws` or an event stream `/sse`, fed by Dapr and Kafka.
    ["tasks"] Tasks(base) {
        /// Where it listens.
        listen: Listen = Listen::Localhost(8_004);
        /// Where `/task-updates` and the other Dapr routes listen; unset: with the gateway.
        /// The route injects events for any user: give it a private address, or Dapr's API token, or both.
        ingest_listen: Option<Listen> = None;
        /// Whether `/ws` and `/sse` need a token, whose `sub` then is the user. Cannot be false in production.
        token_required: bool = base.mode.pick(false, true);
        /// Where the user stands in a task event, in order of preference, unless there are `routing.rules`.
        user_id_paths: Vec<String> = ["user_id", "data.user_id", "payload.user_id"].map(String::from).into();
        /// Events remembered to acknowledge a redelivery without sending it twice. They take 30 to 40 bytes each.
        dedupe_events_max: u32 = 100_000, within 1..=10_000_000;
        /// How long an event is remembered for that, in milliseconds.
        dedupe_age_ms_max: u64 = 600_000, within 1_000..=86_400_000;
    }
}

section! {
    /// The Dapr subscription that feeds the tasks gateway.
    ["tasks.dapr"] Dapr(base) {
        /// The pub/sub component.
        pubsub_name: String = "kafka-pubsub".into();
        /// The topic.
        topic: String = "task-updates".into();
        /// The route Dapr posts to.
        route: String = "/task-updates".into();
        /// What the sidecar must send as `dapr-api-token`; unset: nothing is asked.
        api_token: Option<Secret> = None;
        /// Where Dapr puts what we drop; unset: our own dead letters take it.
        dead_letter_topic: Option<String> = None;
        /// Whether to subscribe in bulk.
        bulk_subscribe: bool = false;
    }
}
