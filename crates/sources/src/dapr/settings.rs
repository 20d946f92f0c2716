//! What is subscribed to, and where it is delivered.

use serde::Serialize;
use std::fmt;
use std::time::Duration;
use thiserror::Error;
use utoipa::ToSchema;

/// One subscription and its route.
#[derive(Clone)]
pub struct DaprSettings {
    /// The pub/sub component.
    pub pubsub_name: String,
    /// The topic.
    pub topic: String,
    /// The path that events are posted to.
    pub route: String,
    /// Where Dapr puts what is dropped; without it, our own dead letters take it.
    pub dead_letter_topic: Option<String>,
    /// Whether and how to ask for many events in one request.
    pub bulk_subscribe: Option<BulkSubscribe>,
    /// What the sidecar must send as `dapr-api-token`.
    pub api_token: Option<String>,
    /// The largest body of one delivery.
    pub body_bytes_max: usize,
    /// How long it may take to come.
    pub body_timeout: Duration,
}

/// Bounds of a bulk delivery.
#[derive(Clone, Copy, Debug)]
pub struct BulkSubscribe {
    /// Events in one request.
    pub messages_max: u32,
    /// How long Dapr may wait for a request to fill.
    pub await_ms_max: u32,
}

/// A route that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DaprSettingsError {
    /// It is no plain path.
    #[error("a Dapr route is a path such as /task-updates, made of letters, digits and -._~/, found `{0}`")]
    Route(String),
    /// Something else is there already.
    #[error("the Dapr route `{0}` is taken")]
    RouteTaken(String),
}

/// Paths of the gateways, which share a listener with this route.
const TAKEN: [&str; 14] = [
    "/openapi.json",
    "/asyncapi.json",
    "/sse",
    "/dapr",
    "/healthz",
    "/health",
    "/ws",
    "/stats",
    "/leads",
    "/ingest",
    "/api",
    "/socket.io",
    "/board",
    "/compliance",
];

impl Default for DaprSettings {
    fn default() -> DaprSettings {
        DaprSettings {
            pubsub_name: "kafka-pubsub".to_owned(),
            topic: "task-updates".to_owned(),
            route: "/task-updates".to_owned(),
            dead_letter_topic: None,
            bulk_subscribe: None,
            api_token: None,
            // As much as the sidecar itself takes in one request.
            body_bytes_max: 4 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for BulkSubscribe {
    fn default() -> BulkSubscribe {
        BulkSubscribe {
            messages_max: 100,
            await_ms_max: 40,
        }
    }
}

/// An entry of the answer to `GET /dapr/subscribe`.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscription<'a> {
    /// The pub/sub component.
    pubsubname: &'a str,
    /// The topic.
    topic: &'a str,
    /// The path that events are posted to.
    route: &'a str,
    /// Where Dapr puts what is dropped.
    #[serde(rename = "deadLetterTopic", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    dead_letter_topic: Option<&'a str>,
    /// How to ask for many events in one request.
    #[serde(rename = "bulkSubscribe", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bulk_subscribe: Option<Bulk>,
}

/// Many events in one request.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkSubscription)]
pub(super) struct Bulk {
    /// Whether to.
    enabled: bool,
    /// How many.
    max_messages_count: u32,
    /// How long to wait for a request to fill, in milliseconds.
    max_await_duration_ms: u32,
}

impl DaprSettings {
    pub(super) fn check(&self) -> Result<(), DaprSettingsError> {
        let route = &self.route;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let is_path = route.len() > 1 && route.starts_with('/') && !route.contains("//");
        if !is_path || !route.bytes().all(allowed) {
            return Err(DaprSettingsError::Route(route.clone()));
        }
        let is_below = |taken: &&&str| {
            route
                .strip_prefix(**taken)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match TAKEN.iter().find(is_below) {
            Some(_) => Err(DaprSettingsError::RouteTaken(route.clone())),
            None => Ok(()),
        }
    }

    pub(super) fn subscription(&self) -> Subscription<'_> {
        Subscription {
            pubsubname: &self.pubsub_name,
            topic: &self.topic,
            route: &self.route,
            dead_letter_topic: self.dead_letter_topic.as_deref(),
            bulk_subscribe: self.bulk_subscribe.map(|bulk| Bulk {
                enabled: true,
                max_messages_count: bulk.messages_max,
                max_await_duration_ms: bulk.await_ms_max,
            }),
        }
    }
}

impl fmt::Debug for DaprSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token.
        f.debug_struct("DaprSettings")
            .field("pubsub_name", &self.pubsub_name)
            .field("topic", &self.topic)
            .field("route", &self.route)
            .field("dead_letter_topic", &self.dead_letter_topic)
            .field("bulk_subscribe", &self.bulk_subscribe)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(route: &str) -> Result<(), DaprSettingsError> {
        DaprSettings {
            route: route.to_owned(),
            ..DaprSettings::default()
        }
        .check()
    }

    #[test]
    fn routes_are_plain_and_free() {
        for route in ["/task-updates", "/a", "/events/tasks.v1", "/wsx", "/apis"] {
            assert_eq!(check(route), Ok(()), "{route}");
        }
        for route in [
            "",
            "/",
            "task-updates",
            "/a{b}",
            "/{*rest}",
            "/a b",
            "/a//b",
            "/a?b",
            "/ä",
            "/a%20",
        ] {
            assert_eq!(
                check(route),
                Err(DaprSettingsError::Route(route.to_owned())),
                "{route}"
            );
        }
        for route in [
            "/dapr/subscribe",
            "/dapr",
            "/healthz",
            "/ws",
            "/sse",
            "/stats",
            "/leads",
            "/openapi.json",
            "/asyncapi.json",
            "/api/v1/publish",
        ] {
            assert_eq!(
                check(route),
                Err(DaprSettingsError::RouteTaken(route.to_owned())),
                "{route}"
            );
        }
    }

    #[test]
    fn the_token_is_not_printed() {
        let settings = DaprSettings {
            api_token: Some("secret-1".to_owned()),
            ..DaprSettings::default()
        };
        assert!(!format!("{settings:?}").contains("secret-1"));
    }
}
