//! `POST /api/v1/events`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tidings_sources::{Outcome, Posted};
use tidings_transport::Problem;

use super::Operators;
use super::refusal::Refusal;

/// Takes events in as if they came from a broker: routed by the rules, told from repetitions, kept as dead letters where they
/// can never be delivered. Answers `{"id"}` or `{"duplicate": true}`, for a batch `{"results": […]}` in its order.
pub(super) async fn post(
    State(operators): State<Arc<Operators>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    match operators.ingest.post(&headers, &body).await {
        Posted::One(outcome) => Ok(Json(answer(outcome)?).into_response()),
        Posted::Batch(outcomes) => {
            let results = outcomes.into_iter().map(|outcome| {
                answer(outcome).unwrap_or_else(|refusal| json!({"error": Problem::from(refusal)}))
            });
            Ok(Json(json!({"results": results.collect::<Value>()})).into_response())
        }
    }
}

fn answer(outcome: Outcome) -> Result<Value, Refusal> {
    match outcome {
        Outcome::Accepted(id) => Ok(json!({"id": id})),
        Outcome::Duplicate => Ok(json!({"duplicate": true})),
        Outcome::Dropped(reason) => Err(Refusal::Undeliverable(reason)),
        Outcome::Retry(_) => Err(Refusal::BusUnavailable),
    }
}
