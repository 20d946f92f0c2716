//! Leads over HTTP.

mod conditions;
mod edit;
mod form;
mod leads;
mod write;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, patch, post};
use tidings_access::Permission;
use tidings_store::StoreError;
use tidings_transport::{Problem, ProblemCode};

use crate::authentication::{OfferedKeys, Principal, authenticate};
use crate::flow::Flow;
use crate::parameters::Detail;

pub(crate) use form::{check as check_reachable, read as read_form};
pub(crate) use leads::Listing;

pub(crate) fn routes(flow: &Flow) -> Router {
    Router::new()
        .route("/leads", get(leads::list).post(leads::create))
        .route(
            "/leads/{id}",
            get(leads::one).patch(edit::patch).delete(edit::delete),
        )
        .route("/leads/{id}/status", patch(edit::change_status))
        .route("/leads/{id}/history", get(leads::history))
        .route("/ingest/form", post(form::ingest))
        .with_state(flow.clone())
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
