//! Dapr's side of the sources: the sidecar asks what to subscribe to, then posts each event.
//!
//! Every delivery gets an answer that Dapr understands: `SUCCESS`, `DROP` or `RETRY`. Other statuses than 200 would
//! make it repeat for ever what can never be delivered.

mod answer;
mod body;
mod bulk;
mod envelope;
mod openapi;
mod settings;

pub use openapi::openapi;
pub use settings::{BulkSubscribe, DaprSettings, DaprSettingsError};

use crate::request::BatchEvent;
use crate::{
    DeadLetters, Delivery, DropReason, Form, Headers, Ingest, Original, Outcome, Received, RetryReason,
};
pub(crate) use bulk::Entry;

use answer::{API_TOKEN, Status};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use body::Received as ReceivedBody;
use bytes::Bytes;
use envelope::Envelope;
use openapi::{Configured, Delivered, Probed, Subscribed};
use serde_json::{Value, json};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tidings_transport::ProblemCode;
use tokio::sync::Semaphore;

/// The source of events, in the events and in dead letters.
const SOURCE: &str = "dapr";
/// Deliveries that are read and taken in at one time; the others wait before their bodies are read.
const DELIVERIES_MAX: usize = 64;

/// The routes' state.
#[derive(Clone)]
pub struct DaprSource(Arc<Inner>);

struct Inner {
    ingest: Arc<Ingest>,
    settings: DaprSettings,
    deliveries: Semaphore,
}

impl DaprSource {
    /// Gives what Dapr delivers to `ingest`.
    pub fn new(ingest: Arc<Ingest>, settings: DaprSettings) -> Result<DaprSource, DaprSettingsError> {
        settings.check()?;
        let deliveries = Semaphore::new(DELIVERIES_MAX);
        Ok(DaprSource(Arc::new(Inner {
            ingest,
            settings,
            deliveries,
        })))
    }
}

/// `GET /dapr/config`, `GET /dapr/subscribe`, `GET /healthz`, and the route that takes events.
pub fn routes(source: DaprSource) -> Router {
    let (routes, _) = openapi::documented_routes(&source.0.settings, |routes| {
        routes.route_layer(middleware::from_fn_with_state(source.clone(), guard))
    })
    .split_for_parts();
    routes.with_state(source)
}

/// Lets only the sidecar through, if it has a token to show.
async fn guard(State(source): State<DaprSource>, request: Request, next: Next) -> Response {
    if let Some(token) = &source.0.settings.api_token {
        let Some(given) = request.headers().get(API_TOKEN) else {
            return answer::unauthorized(ProblemCode::MissingToken, "dapr-api-token is missing");
        };
        if !bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
            return answer::unauthorized(
                ProblemCode::InvalidToken,
                "dapr-api-token is not the configured one",
            );
        }
    }
    next.run(request).await
}

/// Tells Dapr that there is no actor here
///
/// An empty object: the sidecar asks every application.
#[utoipa::path(
    get, path = "/dapr/config", operation_id = "readDaprConfig", tag = "dapr",
    security((), ("daprApiToken" = [])), responses(Configured)
)]
pub(crate) async fn config() -> Json<Value> {
    Json(json!({}))
}

/// Tells Dapr what is subscribed to
///
/// One subscription, to the topic of the configuration.
#[utoipa::path(
    get, path = "/dapr/subscribe", operation_id = "readDaprSubscriptions", tag = "dapr",
    security((), ("daprApiToken" = [])), responses(Subscribed)
)]
pub(crate) async fn subscribe(State(source): State<DaprSource>) -> Response {
    Json([source.0.settings.subscription()]).into_response()
}

/// Tells whether events are taken
///
/// For the sidecar's probe, which shows no token.
#[utoipa::path(
    get, path = "/healthz", operation_id = "probeDaprHealth", tag = "dapr", security(()), responses(Probed)
)]
pub(crate) async fn healthz(State(source): State<DaprSource>) -> StatusCode {
    match source.0.ingest.health() {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Takes a delivery
///
/// A `CloudEvent` in structured mode, in binary mode (`ce-*` headers), a batch of them, Dapr's bulk envelope, or a bare event
/// that is a JSON object. Whatever it is, the answer is 200 with the status that Dapr acts on: other answers would have it
/// sent again for ever. The path is `tasks.dapr.route`.
#[utoipa::path(
    post, path = "/task-updates", operation_id = "deliverTaskUpdate", tag = "dapr",
    security((), ("daprApiToken" = [])), responses(Delivered),
    request_body(content(
        (Value = "application/cloudevents+json"), (Value = "application/cloudevents-batch+json"), (Value = "application/json")
    ), description = "The delivery. What is no event is answered `DROP`.")
)]
pub(crate) async fn deliver(State(source): State<DaprSource>, headers: HeaderMap, body: Body) -> Response {
    let inner = &*source.0;
    let turn = tokio::time::timeout(inner.ingest.publish_timeout(), inner.deliveries.acquire());
    let Ok(Ok(_permit)) = turn.await else {
        return inner.give_back(RetryReason::Overloaded);
    };
    match body::read(body, inner.settings.body_bytes_max, inner.settings.body_timeout).await {
        ReceivedBody::Whole(body) => inner.take(&headers, body).await,
        ReceivedBody::TooLarge(beginning) => inner.refuse_too_large(&headers, &beginning).await,
        // Whoever cut the body off will send it again.
        ReceivedBody::Broken => inner.give_back(RetryReason::Incomplete),
    }
}

/// The one event of a request that has been here before.
pub(crate) fn one<'a>(headers: &HeaderMap, body: &'a [u8]) -> Received<'a> {
    match envelope::open(headers, body) {
        Envelope::One(received) => received,
        // Those have been taken apart, each with a dead letter of its own.
        Envelope::Batch(_) | Envelope::Bulk(_) => Received::Unreadable(DropReason::Mislabelled),
    }
}

/// Gives the events of a delivery to `take`, for the fuzz targets.
pub(crate) fn each_received<T>(headers: &HeaderMap, body: &[u8], take: impl Fn(Received<'_>) -> T) -> Vec<T> {
    match envelope::open(headers, body) {
        Envelope::One(received) => vec![take(received)],
        Envelope::Batch(events) => events.iter().map(|event| take(event.structured())).collect(),
        Envelope::Bulk(entries) => entries.iter().map(|entry| take(entry.received())).collect(),
    }
}

impl Inner {
    async fn take(&self, headers: &HeaderMap, body: Bytes) -> Response {
        match envelope::open(headers, &body) {
            Envelope::One(received) => {
                let original = Original {
                    form: Form::Request,
                    headers: Headers::Http(headers),
                    bytes: &body,
                };
                let outcome = self.take_one(received, original, self.dead_letters()).await;
                Status::of(outcome).into_response()
            }
            Envelope::Batch(events) => self.take_batch(&events).await.into_response(),
            Envelope::Bulk(entries) => self.take_bulk(&entries).await,
        }
    }

    async fn take_one(
        &self,
        received: Received<'_>,
        original: Original<'_>,
        dead_letters: DeadLetters,
    ) -> Outcome {
        self.ingest
            .take(Delivery {
                source: SOURCE,
                topic: Some(&self.settings.topic),
                received,
                original,
                dead_letters,
            })
            .await
    }

    /// One answer for all: what was accepted before a failure is told from its repetition by its id. What is to be
    /// dropped has none to go by, so it is buried last, when it will not come again with the rest.
    async fn take_batch(&self, events: &[BatchEvent<'_>]) -> Status {
        let mut dropped = Vec::new();
        for event in events {
            let outcome = self
                .ingest
                .attempt(SOURCE, Some(&self.settings.topic), event.structured())
                .await;
            if let Outcome::Dropped(_) = outcome {
                dropped.push((event, outcome));
                continue;
            }
            let status = Status::of(self.settle(outcome, event).await);
            if status == Status::Retry {
                return status;
            }
        }
        for (event, outcome) in &dropped {
            let status = Status::of(self.settle(*outcome, event).await);
            if status == Status::Retry {
                return status;
            }
        }
        let is_lost = !events.is_empty() && dropped.len() == events.len();
        if is_lost { Status::Drop } else { Status::Success }
    }

    async fn settle(&self, outcome: Outcome, event: &BatchEvent<'_>) -> Outcome {
        // Ours in any case: Dapr's dead letter topic can only take a batch as a whole.
        self.ingest
            .settle(
                (SOURCE, Some(&self.settings.topic)),
                outcome,
                Original::new(Form::Structured, event.bytes()),
                DeadLetters::Ours,
            )
            .await
    }

    async fn take_bulk(&self, entries: &[Entry<'_>]) -> Response {
        let mut statuses = Vec::with_capacity(entries.len());
        let mut stopped = None;
        for entry in entries {
            let outcome = if let Some(reason) = stopped {
                // What comes after it would otherwise overtake it.
                self.ingest.give_back(reason)
            } else {
                let original = Original::new(Form::BulkEntry, entry.original());
                self.take_one(entry.received(), original, self.dead_letters())
                    .await
            };
            if let Outcome::Retry(reason) = outcome {
                stopped = Some(reason);
            }
            statuses.push((entry, Status::of(outcome)));
        }
        bulk::answer(&statuses)
    }

    async fn refuse_too_large(&self, headers: &HeaderMap, beginning: &[u8]) -> Response {
        let received = Received::Unreadable(DropReason::TooLarge);
        let original = Original::new(Form::Beginning, beginning);
        let status = Status::of(self.take_one(received, original, self.dead_letters()).await);
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .map(header::HeaderValue::as_bytes);
        let is_event =
            content_type.is_some_and(|content_type| content_type.starts_with(b"application/cloudevents"));
        if status == Status::Drop && self.settings.bulk_subscribe.is_some() && !is_event {
            // In bulk, an answer without the entries is a retry of all of them; 404 is how Dapr is told to drop them.
            return (StatusCode::NOT_FOUND, status).into_response();
        }
        status.into_response()
    }

    fn give_back(&self, reason: RetryReason) -> Response {
        Status::of(self.ingest.give_back(reason)).into_response()
    }

    fn dead_letters(&self) -> DeadLetters {
        match self.settings.dead_letter_topic {
            Some(_) => DeadLetters::Upstream,
            None => DeadLetters::Ours,
        }
    }
}

#[cfg(test)]
mod tests;
