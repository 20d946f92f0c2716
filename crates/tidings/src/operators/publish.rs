//! `POST /api/v1/publish`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use tidings_hub::EventId;

use super::Operators;
use super::idempotency::{Claim, Fingerprint};
use super::refusal::Refusal;
use super::request::PublishRequest;
use crate::time::now;

/// The answer to a publish.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    pub(super) id: EventId,
}

/// Publishes one event; the answer means that the bus has it.
pub(super) async fn publish(
    State(operators): State<Arc<Operators>>,
    body: Bytes,
) -> Result<Json<Published>, Refusal> {
    publish_one(&operators, &body).await.map(Json)
}

/// Publishes the event that a JSON text asks for.
pub(super) async fn publish_one(operators: &Operators, json: &[u8]) -> Result<Published, Refusal> {
    let PublishRequest {
        event,
        idempotency_key,
    } = PublishRequest::read(json, now())?;
    let id = event.id;
    let claim = idempotency_key.map(|key| operators.idempotency.claim(&key, Fingerprint::of(json)));
    let reservation = match claim {
        None => None,
        Some(Claim::New(reservation)) => Some(reservation),
        Some(Claim::Published(id)) => return Ok(Published { id }),
        Some(Claim::InFlight) => return Err(Refusal::InFlight),
        Some(Claim::Taken) => return Err(Refusal::KeyTaken),
    };
    operators.bus.publish(event).await.map_err(|error| {
        tracing::warn!(%error, "an event was not published");
        Refusal::BusUnavailable
    })?;
    if let Some(reservation) = reservation {
        reservation.keep(id);
    }
    Ok(Published { id })
}
