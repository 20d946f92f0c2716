//! The HTTP routes: the backend's reports, and what users and operators may ask.

mod caller;
mod carry_through;
mod executions;
mod field;
mod nodes;
mod notifications;
mod path;
mod refusal;
mod rooms;
mod stats;
mod workflows;

use axum::Router;
use axum::routing::{get, post, put};
use tidings_transport::{JsonBody, Problem};

use crate::Workflows;

pub(crate) fn routes() -> Router<Workflows> {
    Router::new()
        .route("/api/v1/ws/stats", get(stats::stats))
        .route("/api/v1/ws/rooms", get(rooms::rooms))
        .route(
            "/api/v1/workflows/{id}",
            put(workflows::put).delete(workflows::delete),
        )
        .route("/api/v1/workflows/{id}/publish", post(workflows::publish))
        .route("/api/v1/executions/{id}", put(executions::put))
        .route("/api/v1/executions/{id}/status", post(executions::report))
        .route(
            "/api/v1/executions/{id}/nodes/{node_id}/status",
            post(nodes::report),
        )
        .route("/api/v1/users/{id}/notifications", post(notifications::notify))
}

/// Reads a body as each of the routes that take one does, for the fuzz targets.
pub(crate) fn bodies(body: &[u8]) -> [Result<(), Problem>; 5] {
    [
        JsonBody::<workflows::Registration>::from_bytes(body).map(drop),
        JsonBody::<executions::Registration>::from_bytes(body).map(drop),
        JsonBody::<executions::Report>::from_bytes(body).map(drop),
        JsonBody::<nodes::Report>::from_bytes(body).map(drop),
        JsonBody::<notifications::Notification>::from_bytes(body).map(drop),
    ]
}
