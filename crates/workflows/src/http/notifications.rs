//! Notifications to one user.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_access::UserId;
use tidings_hub::EventId;
use tidings_transport::{JsonBody, Problem, ProblemCode};

use super::caller::Backend;
use super::path::Id;
use crate::{Workflows, updates};

/// The longest name of an event, in bytes.
const EVENT_BYTES_MAX: usize = 256;
/// The longest data, in bytes: well below what may wait for one connection.
const DATA_BYTES_MAX: usize = 256 * 1024;

#[derive(Deserialize)]
pub(super) struct Notification {
    event: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

#[derive(Serialize)]
pub(super) struct Published {
    id: EventId,
}

/// Notifications are passed on, not kept: the answer names the event.
pub(super) async fn notify(
    State(workflows): State<Workflows>,
    _: Backend,
    Id(user): Id<UserId>,
    JsonBody(body): JsonBody<Notification>,
) -> Result<Json<Published>, Problem> {
    if body.event.is_empty() || body.event.len() > EVENT_BYTES_MAX {
        return Err(refused("/event", "an event's name is 1 to 256 bytes"));
    }
    let data = body.data.unwrap_or_else(|| RawValue::NULL.to_owned());
    if data.get().len() > DATA_BYTES_MAX {
        return Err(refused("/data", "a notification's data is at most 256 KiB"));
    }
    let gateway = &workflows.0;
    let event = updates::notification(&user, &body.event, data, gateway.now());
    let id = event.id;
    gateway
        .publish(event)
        .await
        .map_err(|_| Problem::new(ProblemCode::BusUnavailable))?;
    Ok(Json(Published { id }))
}

fn refused(pointer: &str, what: &str) -> Problem {
    Problem::new(ProblemCode::InvalidBody)
        .detail(what)
        .error(pointer, what)
}
