//! How many connections and rooms there are.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::caller::Caller;
use crate::Workflows;

#[derive(Serialize)]
pub(super) struct Stats {
    total_connections: usize,
    user_connections: usize,
    active_rooms: usize,
}

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
