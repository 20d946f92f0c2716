//! The OpenAPI document: what it says besides the operations, and what the operations answer.
//!
//! An operation names itself and its parts beside its handler (`#[utoipa::path]`). What it takes is described beside what
//! reads it, with the same constants; what it answers with are the types that are serialized. Its refusals are listed
//! here, by the codes of problems.

use axum::http::{StatusCode, header};
use tidings_store::Lead;
use tidings_transport::openapi::schema::string;
use tidings_transport::openapi::{self, Answer, BODY, UPGRADE, collect, components, tag};
use tidings_transport::{ProblemCode, answers};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder, Paths, RefOr};

use super::compliance::ComplianceReport;
use super::leads::{History, Page};
use super::write::REPLAYED;
use crate::authentication::KEY_NAMES;

const ABOUT: &str = "\
Leads over HTTP, and the tenant's events over a plain WebSocket. Socket.IO, which browsers use, is at `/socket.io/` with \
the namespace `/events`; `/asyncapi.json` describes what is said there.

Refusals are problems (RFC 9457) whose `code` is stable. What is no HTTP request, or has more headers than \
`limits.header_bytes_max` allows, is answered 400 or 431 without a body before its route is known; an unknown path is 404 \
`not_found`, an unknown method 405 `method_not_allowed` with `Allow`.";

/// Whose request is it?
const AUTHENTICATION: &[ProblemCode] = &[
    ProblemCode::MissingApiKey,
    ProblemCode::InvalidApiKey,
    ProblemCode::ExpiredApiKey,
    ProblemCode::RevokedApiKey,
    ProblemCode::SuspendedTenant,
    ProblemCode::UriTooLong,
    ProblemCode::StoreUnavailable,
];
/// May they, now?
const PERMISSION: &[ProblemCode] = &[
    ProblemCode::Forbidden,
    ProblemCode::RateLimited,
    ProblemCode::InternalError,
];
const NOT_FOUND: &[ProblemCode] = &[ProblemCode::NotFound];
const WRITING: &[ProblemCode] = &[
    ProblemCode::NotFound,
    ProblemCode::InvalidParameter,
    ProblemCode::Conflict,
    ProblemCode::Overloaded,
];
const CONDITION: &[ProblemCode] = &[ProblemCode::PreconditionFailed];

answers! {
    /// `GET /leads`
    Listed = [Answer::json::<Page>(StatusCode::OK, "A page of leads.")
        .link("nextPage", "listLeads", "cursor", "$response.body#/meta/nextCursor")],
        AUTHENTICATION, PERMISSION, &[ProblemCode::InvalidParameter, ProblemCode::Overloaded];
    /// `GET /leads/{id}`
    Found = [
        entity_tag(Answer::json::<Lead>(StatusCode::OK, "The lead."), true),
        entity_tag(Answer::empty(StatusCode::NOT_MODIFIED, "The client has this version already."), true),
    ], AUTHENTICATION, PERMISSION, NOT_FOUND, &[ProblemCode::InvalidParameter];
    /// `GET /leads/{id}/history`
    Past = [Answer::json::<History>(StatusCode::OK, "What became of the lead.")],
        AUTHENTICATION, PERMISSION, NOT_FOUND;
    /// `POST /leads`, `POST /ingest/form`
    Created = [created()], AUTHENTICATION, PERMISSION, WRITING, BODY;
    /// `PATCH /leads/{id}`
    Edited = [edited()], AUTHENTICATION, PERMISSION, WRITING, BODY, CONDITION;
    /// `PATCH /leads/{id}/status`
    StatusChanged = [edited()],
        AUTHENTICATION, PERMISSION, WRITING, BODY, CONDITION, &[ProblemCode::IllegalTransition];
    /// `DELETE /leads/{id}`
    Deleted = [replayable(Answer::empty(StatusCode::NO_CONTENT, "The lead is gone."))],
        AUTHENTICATION, PERMISSION, WRITING, CONDITION;
    /// `GET /compliance/reports/{id}`
    Reported = [Answer::json::<ComplianceReport>(StatusCode::OK, "The report, or how far the check has come.")],
        AUTHENTICATION, PERMISSION, NOT_FOUND;
    /// `GET /events`
    Upgraded = [Answer::empty(StatusCode::SWITCHING_PROTOCOLS, "A WebSocket, from here on.")],
        AUTHENTICATION, UPGRADE;
}

fn created() -> Answer {
    let answer = Answer::json::<Lead>(StatusCode::CREATED, "The lead that was created.");
    let answer = entity_tag(answer, false).header(
        &header::LOCATION,
        false,
        "Where the lead is; not in the answer to a repeated request.",
    );
    let links = [
        "readLead",
        "updateLead",
        "changeLeadStatus",
        "deleteLead",
        "readLeadHistory",
    ];
    links.into_iter().fold(replayable(answer), |answer, operation| {
        answer.link(operation, operation, "id", "$response.body#/id")
    })
}

fn edited() -> Answer {
    let answer = Answer::json::<Lead>(StatusCode::OK, "The lead as it is now.");
    replayable(entity_tag(answer, false))
}

/// The lead's version.
fn entity_tag(answer: Answer, is_always_there: bool) -> Answer {
    let about = if is_always_there {
        "The lead's version, for `If-Match` and `If-None-Match`."
    } else {
        "The lead's version, for `If-Match` and `If-None-Match`; not in the answer to a repeated request."
    };
    let schema = string().pattern(Some(r#"^"[0-9]+"$"#));
    answer.header_of(&header::ETAG, schema, is_always_there, about)
}

fn replayable(answer: Answer) -> Answer {
    answer.header(
        &REPLAYED,
        false,
        "`true` if this is the first answer to a request that was repeated.",
    )
}

/// What the document says besides the operations.
pub(super) fn without_operations() -> OpenApi {
    let mut info = Info::new("Tidings: flow", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.to_owned());
    let mut components = components();
    let keys = KEY_NAMES.map(|name| {
        let about = "A tenant key. If both headers are sent, they must be keys of one tenant.";
        let value = ApiKeyValue::with_description(name, about);
        components.add_security_scheme(name, SecurityScheme::ApiKey(ApiKey::Header(value)));
        SecurityRequirement::new(name, [""; 0])
    });
    collect::<Page>(&mut components);
    collect::<History>(&mut components);
    collect::<ComplianceReport>(&mut components);
    OpenApiBuilder::new()
        .info(info)
        .paths(Paths::new())
        .components(Some(components))
        .security(Some(keys))
        .tags(Some([
            tag(
                "leads",
                "The tenant's leads. Reading needs the permission `leads:read`, writing `leads:write`.",
            ),
            tag(
                "compliance",
                "What compliance checks found. Reading needs the permission `compliance:run`.",
            ),
            tag("events", "The tenant's events, live."),
        ]))
        .build()
}

/// A parameter that may be left out. In a query an empty one is as good as none, see [`Listing`](super::Listing).
pub(super) fn parameter(place: ParameterIn, name: &str, schema: RefOr<Schema>, about: &str) -> Parameter {
    // utoipa's parameter has no such field.
    let may_be_empty =
        (place == ParameterIn::Query).then(|| [("allowEmptyValue", true)].into_iter().collect());
    openapi::parameter(place, name, schema, about)
        .extensions(may_be_empty)
        .build()
}
