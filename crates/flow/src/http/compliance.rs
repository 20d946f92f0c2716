//! `GET /compliance/reports/{id}`: what a compliance check found.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_access::Permission;
use tidings_store::{JobId, JobKind};
use tidings_transport::{Problem, ProblemCode};
use utoipa::ToSchema;

use super::openapi::Reported;
use super::{permitted, store_problem};
use crate::compliance::job::Check;
use crate::flow::Flow;

/// A compliance check and what it found.
#[derive(Serialize, ToSchema)]
pub(super) struct ComplianceReport {
    #[serde(flatten)]
    check: Check,
    /// As in `SYNC_COMPLETED`; null while it runs.
    #[schema(value_type = Option<Object>, required = true)]
    result: Option<Box<RawValue>>,
}

/// Reads a compliance report
///
/// Of the last hundred checks. A foreign report and one that does not exist look the same.
#[utoipa::path(
    get, path = "/compliance/reports/{id}", operation_id = "readComplianceReport", tag = "compliance",
    params(("id" = JobId, Path)), responses(Reported)
)]
pub(super) async fn report(
    State(flow): State<Flow>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let principal = permitted(&flow, &headers, Permission::ComplianceRun).await?;
    let no_such_report = || Problem::new(ProblemCode::NotFound).detail("there is no such report");
    let id = id.parse().map_err(|_| no_such_report())?;
    let found = flow
        .store()
        .job(&principal.tenant, id)
        .await
        .map_err(store_problem)?;
    let job = found
        .filter(|job| job.kind == JobKind::ComplianceCheck)
        .ok_or_else(no_such_report)?;
    Ok(Json(ComplianceReport {
        check: Check::of(&job),
        result: job.result,
    })
    .into_response())
}
