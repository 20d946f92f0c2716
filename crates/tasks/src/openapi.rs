//! The OpenAPI document: what it says besides the operations, and what they answer.
//!
//! Routes and document come from one list: what is served is documented, and the other way round. An operation names itself
//! beside its handler.

use crate::stats::Stats;
use crate::{Tasks, handshake, sse, stats};
use axum::http::StatusCode;
use tidings_transport::openapi::schema::string;
use tidings_transport::openapi::{Answer, STREAM, UPGRADE, add_tokens, collect, components, tag};
use tidings_transport::{ProblemCode, answers, stream_route};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder, Paths};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

const ABOUT: &str = "\
What happens to a user's tasks, live over a WebSocket or an event stream, whose frames `/asyncapi.json` describes.

Refusals are problems (RFC 9457) whose `code` is stable.";

/// Who asks for a stream?
const IDENTITY: &[ProblemCode] = &[
    ProblemCode::MissingUserId,
    ProblemCode::InvalidUserId,
    ProblemCode::MissingToken,
    ProblemCode::InvalidToken,
    ProblemCode::InternalError,
];

answers! {
    /// `GET /ws`
    Upgraded = [Answer::empty(StatusCode::SWITCHING_PROTOCOLS, "A WebSocket, from here on.")], UPGRADE;
    /// `GET /sse`
    Streamed = [Answer::content(StatusCode::OK, "Events, until the client leaves.", "text/event-stream", string())],
        IDENTITY, STREAM;
    /// `GET /stats`
    Counted = [Answer::json::<Stats>(StatusCode::OK, "The connections at this moment.")],
        &[ProblemCode::MissingToken, ProblemCode::InvalidToken, ProblemCode::Forbidden, ProblemCode::UriTooLong];
}

/// The OpenAPI document of the gateway's routes.
pub fn openapi() -> OpenApi {
    documented_routes().into_openapi()
}

pub(crate) fn documented_routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::with_openapi(without_operations())
        .routes(routes!(handshake::open))
        .routes(routes!(sse::open).map(stream_route))
        .routes(routes!(stats::stats))
}

fn without_operations() -> OpenApi {
    let mut info = Info::new("Tidings: tasks", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut components = components();
    add_tokens(&mut components);
    collect::<Stats>(&mut components);
    OpenApiBuilder::new()
        .info(info)
        .paths(Paths::new())
        .components(Some(components))
        .tags(Some([tag(
            "task updates",
            "What happens to a user's tasks, live.",
        )]))
        .build()
}
