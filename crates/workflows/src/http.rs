//! The HTTP routes: the two ways to open a connection, the backend's reports, and what users and operators may ask.

mod caller;
mod carry_through;
mod executions;
mod field;
mod nodes;
mod notifications;
mod openapi;
mod path;
mod refusal;
mod rooms;
mod stats;
mod workflows;

use axum::Router;
use tidings_transport::{JsonBody, Problem, stream_route};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::{Workflows, handshake, sse};

pub(crate) use openapi::{Streamed, Upgraded};

/// The routes of this gateway.
pub(crate) fn routes() -> Router<Workflows> {
    documented_routes().split_for_parts().0
}

/// The OpenAPI document of the gateway's routes.
pub fn openapi() -> OpenApi {
    documented_routes().into_openapi()
}

/// Routes and document come from one list: what is served is documented, and the other way round.
fn documented_routes() -> OpenApiRouter<Workflows> {
    OpenApiRouter::with_openapi(openapi::without_operations())
        .routes(routes!(handshake::open))
        .routes(routes!(sse::open).map(stream_route))
        .routes(routes!(stats::stats))
        .routes(routes!(rooms::rooms))
        .routes(routes!(workflows::put, workflows::delete))
        .routes(routes!(workflows::publish))
        .routes(routes!(executions::put))
        .routes(routes!(executions::report))
        .routes(routes!(nodes::report))
        .routes(routes!(notifications::notify))
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
