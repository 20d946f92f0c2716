//! Leads over HTTP.

mod compliance;
mod conditions;
mod edit;
mod form;
mod leads;
mod listing;
mod openapi;
mod write;

use axum::Router;
use axum::http::HeaderMap;
use tidings_access::Permission;
use tidings_store::StoreError;
use tidings_transport::{Problem, ProblemCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authentication::{OfferedKeys, Principal, authenticate};
use crate::flow::Flow;
use crate::parameters::Detail;
use crate::plain;

pub(crate) use conditions::{if_match, is_known};
pub(crate) use form::{check as check_reachable, read as read_form};
pub(crate) use listing::Listing;
pub(crate) use openapi::Upgraded;

/// The routes of this gateway but Socket.IO's.
pub(crate) fn routes(flow: &Flow) -> Router {
    let (routes, _) = documented_routes().split_for_parts();
    routes.with_state(flow.clone())
}

/// The OpenAPI document of the gateway's routes.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented_routes().into_openapi()
}

/// Routes and document come from one list: what is served is documented, and the other way round.
fn documented_routes() -> OpenApiRouter<Flow> {
    OpenApiRouter::with_openapi(openapi::without_operations())
        .routes(routes!(leads::list, leads::create))
        .routes(routes!(leads::one, edit::patch, edit::delete))
        .routes(routes!(edit::change_status))
        .routes(routes!(leads::history))
        .routes(routes!(form::ingest))
        .routes(routes!(compliance::report))
        .routes(routes!(plain::events))
}

/// Who sends the request.
pub(crate) async fn authenticated(flow: &Flow, headers: &HeaderMap) -> Result<Principal, Problem> {
    authenticate(flow.store(), flow.clock(), &OfferedKeys::of(headers, None))
        .await
        .map_err(|refusal| Problem::new(refusal.problem_code()).detail(refusal.message()))
}

/// Who sends the request, if they may do this.
async fn permitted(flow: &Flow, headers: &HeaderMap, permission: Permission) -> Result<Principal, Problem> {
    let principal = authenticated(flow, headers).await?;
    flow.usage().key_used(principal.key, flow.now());
    if !flow.is_within_rate(&principal.tenant) {
        return Err(Problem::new(ProblemCode::RateLimited).detail("the tenant sends too many requests"));
    }
    if principal.permissions.contains(permission) {
        Ok(principal)
    } else {
        Err(Problem::new(ProblemCode::Forbidden).detail(format!("the key lacks the permission {permission}")))
    }
}

/// What is wrong with a body, or with the part of it that stands at `place`.
fn invalid_body(place: &str, details: Vec<Detail>) -> Problem {
    details
        .into_iter()
        .fold(Problem::new(ProblemCode::InvalidBody), |problem, detail| {
            match detail.parameter {
                // Not one of the members: the object itself.
                Detail::WHOLE if place.is_empty() => problem.detail("the body must be an object"),
                Detail::WHOLE => problem.error(place, format!("must be {}", detail.expected)),
                parameter => problem.error(format!("{place}/{parameter}"), detail.message),
            }
        })
}

fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound { .. } => Problem::new(ProblemCode::NotFound),
        StoreError::IllegalTransition { from, to } => Problem::new(ProblemCode::IllegalTransition)
            .detail(format!("a lead cannot go from {from} to {to}")),
        StoreError::VersionMismatch => Problem::new(ProblemCode::PreconditionFailed),
        StoreError::Conflict { what } => Problem::new(ProblemCode::Conflict).detail(what),
        StoreError::Invalid { what } => Problem::new(ProblemCode::InvalidParameter).detail(what),
        StoreError::Unavailable(_) => {
            tracing::warn!(%error, "a request failed because the store is unavailable");
            Problem::new(ProblemCode::StoreUnavailable)
        }
        error => {
            tracing::error!(%error, "a request failed in the store");
            Problem::new(ProblemCode::InternalError)
        }
    }
}
