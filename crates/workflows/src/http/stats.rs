//! How many connections and rooms there are.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::openapi::Counted;
use crate::Workflows;

/// How many connections and rooms there are.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowStats)]
pub(super) struct Stats {
    /// Connections of everybody.
    total_connections: usize,
    /// The caller's own.
    user_connections: usize,
    /// Rooms with members.
    active_rooms: usize,
}

/// Counts connections and rooms
///
/// Of this gateway; `user_connections` are the caller's own, 0 for an operator's or a service's token.
#[utoipa::path(
    get,
    path = "/api/v1/ws/stats",
    operation_id = "readWorkflowStats",
    tag = "workflow updates",
    responses(Counted)
)]
pub(super) async fn stats(State(workflows): State<Workflows>, caller: Caller) -> Json<Stats> {
    let directory = &workflows.0.directory;
    Json(Stats {
        total_connections: directory.connections(),
        user_connections: match caller {
            Caller::User(claims) => directory.connections_of(&claims.sub),
            Caller::Operator | Caller::Service => 0,
        },
        active_rooms: directory.rooms_count(),
    })
}
