//! `POST /api/v1/batch`: many events in one request, each answered on its own.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use tidings_transport::Problem;

use super::Operators;
use super::field::Fields;
use super::publish::publish_one;
use super::refusal::Refusal;

/// Events in one batch.
const EVENTS_MAX: usize = 1_000;

/// Publishes events in their order. Answers `{"results": […]}` in the same order: `{"id"}`, or `{"error"}` with the
/// problem that a publish alone would have got.
pub(super) async fn batch(
    State(operators): State<Arc<Operators>>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let fields = Fields::read(&body)?;
    let events: Vec<&RawValue> = fields.required("events", "a list of events, each as for `publish`")?;
    if events.len() > EVENTS_MAX {
        return Err(Refusal::BatchTooLarge(EVENTS_MAX));
    }
    let mut results = Vec::with_capacity(events.len());
    for event in events {
        results.push(match publish_one(&operators, event.get().as_bytes()).await {
            Ok(published) => json!(published),
            Err(refusal) => json!({"error": Problem::from(refusal)}),
        });
    }
    Ok(Json(json!({"results": results})))
}
