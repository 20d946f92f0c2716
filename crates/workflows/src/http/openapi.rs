//! The OpenAPI document: what it says besides the operations, and what they answer.
//!
//! An operation names itself and its parts beside its handler (`#[utoipa::path]`). Its refusals are listed here, by the codes
//! of problems.

use axum::http::StatusCode;
use tidings_store::{Execution, Node, Workflow};
use tidings_transport::openapi::schema::string;
use tidings_transport::openapi::{
    Answer, BEARER_TOKEN, BODY, STREAM, UPGRADE, add_tokens, collect, components, tag,
};
use tidings_transport::{ProblemCode, answers};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder, Paths};

use super::notifications::Published;
use super::rooms::Rooms;
use super::stats::Stats;

const ABOUT: &str = "\
Workflows, their executions and nodes: the application's backend registers them and reports on them, and their owners \
follow them over a WebSocket or an event stream, whose frames `/asyncapi.json` describes.

Refusals are problems (RFC 9457) whose `code` is stable.";

/// Who calls?
const CALLER: &[ProblemCode] = &[
    ProblemCode::MissingToken,
    ProblemCode::InvalidToken,
    ProblemCode::Forbidden,
    ProblemCode::UriTooLong,
    // An issuer's keys cannot be had.
    ProblemCode::InternalError,
];
/// What is asked for, and where it is kept.
const REPORT: &[ProblemCode] = &[ProblemCode::InvalidParameter, ProblemCode::StoreUnavailable];
const NOT_FOUND: &[ProblemCode] = &[ProblemCode::NotFound];
const CONFLICT: &[ProblemCode] = &[ProblemCode::Conflict];
const TRANSITION: &[ProblemCode] = &[ProblemCode::IllegalTransition];

answers! {
    /// `GET /api/v1/ws`
    Upgraded = [Answer::empty(StatusCode::SWITCHING_PROTOCOLS, "A WebSocket, from here on.")], UPGRADE;
    /// `GET /api/v1/sse`
    Streamed = [Answer::content(StatusCode::OK, "Events, until the client leaves.", "text/event-stream", string())],
        &[ProblemCode::MissingToken, ProblemCode::InvalidToken, ProblemCode::InvalidParameter, ProblemCode::InternalError],
        STREAM;
    /// `GET /api/v1/ws/stats`
    Counted = [Answer::json::<Stats>(StatusCode::OK, "The counts at this moment.")], CALLER;
    /// `GET /api/v1/ws/rooms`
    Listed = [Answer::json::<Rooms>(StatusCode::OK, "A page of rooms.")],
        CALLER, REPORT;
    /// `PUT /api/v1/workflows/{id}`
    WorkflowPut = [
        workflow(Answer::json::<Workflow>(StatusCode::CREATED, "The workflow, registered for the first time.")),
        workflow(Answer::json::<Workflow>(StatusCode::OK, "The workflow as it is now.")),
    ], CALLER, REPORT, BODY;
    /// `DELETE /api/v1/workflows/{id}`
    WorkflowDeleted = [Answer::json::<Workflow>(StatusCode::OK, "The workflow as it was.")],
        CALLER, REPORT, NOT_FOUND;
    /// `POST /api/v1/workflows/{id}/publish`
    WorkflowPublished = [Answer::json::<Workflow>(StatusCode::OK, "The workflow.")], CALLER, REPORT, NOT_FOUND;
    /// `PUT /api/v1/executions/{id}`
    ExecutionPut = [
        execution(Answer::json::<Execution>(StatusCode::CREATED, "The execution, registered for the first time.")),
        execution(Answer::json::<Execution>(StatusCode::OK, "The execution as it is now.")),
    ], CALLER, REPORT, BODY, NOT_FOUND, CONFLICT;
    /// `POST /api/v1/executions/{id}/status`
    ExecutionReported = [Answer::json::<Execution>(StatusCode::OK, "The execution as it is now.")],
        CALLER, REPORT, BODY, NOT_FOUND, TRANSITION;
    /// `POST /api/v1/executions/{id}/nodes/{node_id}/status`
    NodeReported = [Answer::json::<Node>(StatusCode::OK, "The node as it is now.")],
        CALLER, REPORT, BODY, NOT_FOUND, TRANSITION;
    /// `POST /api/v1/users/{id}/notifications`
    Notified = [Answer::json::<Published>(StatusCode::OK, "The event that tells of it.")],
        CALLER, REPORT, BODY;
}

fn workflow(answer: Answer) -> Answer {
    ["publishWorkflow", "deleteWorkflow"]
        .into_iter()
        .fold(answer, |answer, operation| {
            answer.link(operation, operation, "id", "$response.body#/id")
        })
}

fn execution(answer: Answer) -> Answer {
    ["reportExecution", "reportNode"]
        .into_iter()
        .fold(answer, |answer, operation| {
            answer.link(operation, operation, "id", "$response.body#/id")
        })
}

/// What the document says besides the operations.
pub(super) fn without_operations() -> OpenApi {
    let mut info = Info::new("Tidings: workflows", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut components = components();
    add_tokens(&mut components);
    collect::<Stats>(&mut components);
    collect::<Rooms>(&mut components);
    collect::<Workflow>(&mut components);
    collect::<Execution>(&mut components);
    collect::<Node>(&mut components);
    collect::<Published>(&mut components);
    OpenApiBuilder::new()
        .info(info)
        .paths(Paths::new())
        .components(Some(components))
        .security(Some([SecurityRequirement::new(BEARER_TOKEN, [""; 0])]))
        .tags(Some([
            tag(
                "workflow updates",
                "What happens to workflows and executions, live.",
            ),
            tag(
                "reports",
                "Who owns what and how far it is, told by the application's backend with a service token.",
            ),
        ]))
        .build()
}
