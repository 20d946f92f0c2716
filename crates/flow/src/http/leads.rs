//! `/leads`: listing, reading, creating.

use axum::Json;
use axum::extract::{FromRequest, Path, Query, Request, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_access::Permission;
use tidings_store::{Lead, LeadChange, LeadCursor, LeadId, LeadSource};
use tidings_transport::{JsonBody, Problem, ProblemCode};
use utoipa::ToSchema;

use super::conditions::{IfNoneMatch, entity_tag, is_known};
use super::listing::Listing;
use super::openapi::{Created, Found, Listed, Past};
use super::write::{IdempotencyKey, LeadCreation, create_lead, lead_response};
use super::{invalid_body, permitted, store_problem};
use crate::command::LeadFields;
use crate::envelope::Origin;
use crate::flow::Flow;

/// Leads, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    data: Vec<Lead>,
    meta: Meta,
}

/// Where a page stands among all.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    /// How many leads match in all.
    total: u64,
    /// How many a page has.
    limit: u32,
    /// Where the next page begins; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<LeadCursor>,
}

/// What became of a lead, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct History {
    data: Vec<LeadChange>,
}

/// Lists leads
///
/// Newest first, page by page. Leads that come in meanwhile shift nothing.
#[utoipa::path(
    get,
    path = "/leads",
    operation_id = "listLeads",
    tag = "leads",
    params(Listing),
    responses(Listed)
)]
pub(super) async fn list(
    State(flow): State<Flow>,
    headers: HeaderMap,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let principal = permitted(&flow, &headers, Permission::LeadsRead).await?;
    let Query(query) =
        query.map_err(|_| Problem::new(ProblemCode::InvalidParameter).detail("the query is malformed"))?;
    let Listing { filter, limit, after } = Listing::read(&query)?;
    let _turn = flow
        .admit_query()
        .await
        .ok_or_else(|| Problem::new(ProblemCode::Overloaded))?;
    let page = flow
        .store()
        .list_leads(&principal.tenant, &filter, limit, after.as_ref())
        .await
        .map_err(store_problem)?;
    let meta = Meta {
        total: page.total,
        limit,
        next_cursor: page.next_cursor,
    };
    Ok(Json(Page {
        data: page.leads,
        meta,
    })
    .into_response())
}

/// Reads a lead
///
/// A foreign lead and one that does not exist look the same.
#[utoipa::path(
    get, path = "/leads/{id}", operation_id = "readLead", tag = "leads",
    params(("id" = LeadId, Path), IfNoneMatch), responses(Found)
)]
pub(super) async fn one(
    State(flow): State<Flow>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let principal = permitted(&flow, &headers, Permission::LeadsRead).await?;
    let lead = flow
        .store()
        .lead(&principal.tenant, lead_id(&id)?)
        .await
        .map_err(store_problem)?
        .ok_or_else(no_such_lead)?;
    if is_known(&headers, lead.version)? {
        return Ok((
            StatusCode::NOT_MODIFIED,
            [(header::ETAG, entity_tag(lead.version))],
        )
            .into_response());
    }
    Ok(lead_response(StatusCode::OK, &lead))
}

/// Reads a lead's history
///
/// Oldest first, at most 1,000 entries. Of a deleted lead one entry is left.
#[utoipa::path(
    get, path = "/leads/{id}/history", operation_id = "readLeadHistory", tag = "leads",
    params(("id" = LeadId, Path)), responses(Past)
)]
pub(super) async fn history(
    State(flow): State<Flow>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let principal = permitted(&flow, &headers, Permission::LeadsRead).await?;
    let data = flow
        .store()
        .lead_history(&principal.tenant, lead_id(&id)?)
        .await
        .map_err(store_problem)?;
    // Every lead has a history from its first moment, and leaves an entry behind; those older than the history do not.
    if data.is_empty()
        && flow
            .store()
            .lead(&principal.tenant, lead_id(&id)?)
            .await
            .map_err(store_problem)?
            .is_none()
    {
        return Err(no_such_lead());
    }
    Ok(Json(History { data }).into_response())
}

/// A lead's id in a path. What cannot be one is the id of no lead.
pub(super) fn lead_id(text: &str) -> Result<LeadId, Problem> {
    text.parse().map_err(|_| no_such_lead())
}

fn no_such_lead() -> Problem {
    Problem::new(ProblemCode::NotFound).detail("there is no such lead")
}

/// Creates a lead
///
/// Its status is NEW and its source `http`. The tenant's connections are told `LEAD_CREATED`.
#[utoipa::path(
    post, path = "/leads", operation_id = "createLead", tag = "leads",
    params(IdempotencyKey), request_body = LeadFields, responses(Created)
)]
pub(super) async fn create(State(flow): State<Flow>, request: Request) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let principal = permitted(&flow, &headers, Permission::LeadsWrite).await?;
    let JsonBody(body) = JsonBody::<Box<RawValue>>::from_request(request, &()).await?;
    let fields = LeadFields::read(body.get()).map_err(|details| invalid_body("", details))?;
    let payload = fields
        .payload()
        .map_err(|error| invalid_body("", Vec::new()).detail(error.to_string()))?;
    let creation = LeadCreation {
        route: "/leads",
        source: LeadSource::HTTP,
        origin: Origin::Http,
        payload,
        body: body.get(),
    };
    create_lead(&flow, &principal, &headers, creation).await
}
