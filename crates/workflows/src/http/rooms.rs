//! Rooms with members, as far as the caller may see them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tidings_hub::RoomName;
use tidings_transport::openapi::{parameter, schema};
use tidings_transport::{Problem, ProblemCode};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::openapi::Listed;
use super::refusal;
use crate::Workflows;
use crate::visible::NoList;

const LIMIT_DEFAULT: usize = 1_000;
const LIMIT_MAX: usize = 10_000;

/// A page: by name, behind `cursor`, which is the last room of the page before.
#[derive(Deserialize)]
pub(super) struct PageQuery {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
}

/// What [`rooms`] takes.
impl IntoParams for PageQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = schema::count()
            .minimum(Some(1))
            .maximum(Some(LIMIT_MAX))
            .default(Some(LIMIT_DEFAULT.into()));
        let after = "The last room of the page before.";
        vec![
            parameter(ParameterIn::Query, "limit", limit, "How many rooms a page has.").build(),
            parameter(ParameterIn::Query, "cursor", schema::string(), after).build(),
        ]
    }
}

/// Rooms, by name.
#[derive(Serialize, ToSchema)]
pub(super) struct Rooms {
    /// The page.
    #[schema(value_type = Vec<String>)]
    active_rooms: Vec<RoomName>,
    /// How many there are in all.
    total_rooms: usize,
}

/// Lists the rooms that have members
///
/// An operator sees all rooms, a user its own and those registered to it. A service token is refused: it speaks for the
/// application and not for one of its users.
#[utoipa::path(
    get,
    path = "/api/v1/ws/rooms",
    operation_id = "listRooms",
    tag = "workflow updates",
    params(PageQuery),
    responses(Listed)
)]
pub(super) async fn rooms(
    State(workflows): State<Workflows>,
    caller: Caller,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Rooms>, Problem> {
    let Query(PageQuery { limit, cursor }) =
        query.map_err(|rejection| wrong_limit(&rejection.body_text()))?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(wrong_limit("limit is 1 to 10000"));
    }
    let directory = &workflows.0.directory;
    Ok(Json(match caller {
        Caller::Operator => Rooms {
            active_rooms: directory.rooms_after(&cursor, limit),
            total_rooms: directory.rooms_count(),
        },
        Caller::User(claims) => {
            let rooms = workflows.0.visible_rooms(&claims).await;
            let rooms = rooms.map_err(|error| match error {
                NoList::RateLimited => Problem::new(ProblemCode::RateLimited),
                NoList::Overloaded => Problem::new(ProblemCode::Overloaded),
                NoList::Store(error) => refusal::of_store(error),
            })?;
            let total_rooms = rooms.len();
            let behind = rooms
                .into_iter()
                .skip_while(|room| room.as_str() <= cursor.as_str());
            Rooms {
                active_rooms: behind.take(limit).collect(),
                total_rooms,
            }
        }
        Caller::Service => {
            let detail = "the rooms of all users are shown to operators";
            return Err(Problem::new(ProblemCode::Forbidden).detail(detail));
        }
    }))
}

fn wrong_limit(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidParameter).detail(detail)
}
