//! Notifications to one user.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_access::{USER_ID_BYTES_MAX, UserId};
use tidings_hub::EventId;
use tidings_store::{News, OwnerId};
use tidings_transport::openapi::{parameter, schema};
use tidings_transport::{JsonBody, Problem, ProblemCode};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::caller::Backend;
use super::openapi::Notified;
use super::path::Id;
use super::refusal;
use crate::gateway::Inner;
use crate::{Workflows, updates};

/// The longest name of an event, in bytes.
const EVENT_BYTES_MAX: usize = 256;
/// The longest data, in bytes: well below what may wait for one connection.
const DATA_BYTES_MAX: usize = 256 * 1024;

/// What to tell a user.
#[derive(Deserialize, ToSchema)]
pub(super) struct Notification {
    /// The event's name, 1 to 256 bytes of UTF-8.
    #[schema(min_length = 1, max_length = 256)]
    event: String,
    /// Anything, at most 256 KiB; null if it is left out.
    #[serde(default)]
    #[schema(value_type = Value, required = false)]
    data: Option<Box<RawValue>>,
}

/// An event that was published.
#[derive(Serialize, ToSchema)]
pub(super) struct Published {
    /// Its id.
    #[schema(value_type = String, pattern = "^evt_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    id: EventId,
}

/// The user in the path.
enum User {}

impl IntoParams for User {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let user = parameter(
            ParameterIn::Path,
            "id",
            schema::plain(USER_ID_BYTES_MAX),
            "The user.",
        );
        vec![user.required(Required::True).build()]
    }
}

/// Notifies a user
///
/// The answer names the event. It is published before that, or soon, if the bus does not take it.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/notifications", operation_id = "notifyUser", tag = "reports",
    params(User), request_body = Notification, responses(Notified)
)]
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
    let work = |gateway: Arc<Inner>| async move {
        let event = updates::notification(&user, &body.event, data.clone(), gateway.now());
        let id = event.id;
        let news = News::Notification {
            id: id.to_string(),
            user_id: OwnerId::new(user.as_str()).map_err(refusal::of_store)?,
            event: body.event,
            data,
        };
        let number = gateway.store.put_news(news).await.map_err(refusal::of_store)?;
        gateway.tell(number, event).await;
        Ok(Json(Published { id }))
    };
    workflows.carry_through(work).await
}

fn refused(pointer: &str, what: &str) -> Problem {
    Problem::new(ProblemCode::InvalidBody)
        .detail(what)
        .error(pointer, what)
}
