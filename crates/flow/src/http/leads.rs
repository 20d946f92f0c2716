//! `/leads`: listing, reading, creating.

use axum::Json;
use axum::extract::{FromRequest, Path, Query, Request, State, rejection::QueryRejection};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_access::Permission;
use tidings_store::{Lead, LeadChange, LeadCursor, LeadFilter, LeadId, LeadSource, TimeRange};
use tidings_transport::{JsonBody, Problem, ProblemCode};

use super::conditions::{entity_tag, is_known};
use super::write::{LeadCreation, create_lead, lead_response};
use super::{invalid_body, permitted, store_problem};
use crate::command::LeadFields;
use crate::envelope::Origin;
use crate::flow::Flow;
use crate::period::{beginning, end_of};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 100;
const QUERY_CHARACTERS_MAX: usize = 200;

#[derive(Serialize)]
struct Page {
    data: Vec<Lead>,
    meta: Meta,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    total: u64,
    limit: u32,
    next_cursor: Option<LeadCursor>,
}

#[derive(Serialize)]
struct History {
    data: Vec<LeadChange>,
}

/// What to list.
pub(crate) struct Listing {
    filter: LeadFilter,
    limit: u32,
    after: Option<LeadCursor>,
}

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

/// A foreign lead and one that does not exist look the same.
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

/// What became of a lead, oldest first.
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

impl Listing {
    pub(crate) fn read(query: &[(String, String)]) -> Result<Listing, Problem> {
        let mut query = QueryReader { query, problem: None };
        let status = query.get("status", "one of NEW, CONTACTED, QUALIFIED, LOST", |text| {
            text.parse().ok()
        });
        let source = query.get(
            "source",
            "a text of 1 to 64 bytes without control characters",
            |text| {
                LeadSource::new(text)
                    .ok()
                    .map(|source| source.as_str().to_owned())
            },
        );
        let words = query.get("q", "a text of at most 200 characters", |text| {
            (text.chars().count() <= QUERY_CHARACTERS_MAX).then(|| text.to_owned())
        });
        let from = query.get("from", "a date or an RFC 3339 timestamp", beginning);
        let to = query.get("to", "a date or an RFC 3339 timestamp", end_of);
        let limit = query.get("limit", "an integer from 1 to 100", |text| {
            text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
        });
        let after = query.get("cursor", "a nextCursor of this server", |text| text.parse().ok());
        match query.problem {
            Some(problem) => Err(problem),
            None => Ok(Listing {
                filter: LeadFilter {
                    status,
                    source,
                    query: words,
                    created: TimeRange { from, to },
                },
                limit: limit.unwrap_or(LIMIT_DEFAULT),
                after,
            }),
        }
    }
}

/// Reads parameters one by one and gathers what is wrong with them.
struct QueryReader<'a> {
    query: &'a [(String, String)],
    problem: Option<Problem>,
}

impl QueryReader<'_> {
    /// Of repeated parameters the first counts; empty ones are what forms send for nothing.
    fn get<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let (_, text) = self
            .query
            .iter()
            .find(|(key, _)| key == name)
            .filter(|(_, text)| !text.is_empty())?;
        let value = read(text);
        if value.is_none() {
            let problem = self
                .problem
                .take()
                .unwrap_or_else(|| Problem::new(ProblemCode::InvalidParameter));
            self.problem = Some(problem.error(name, format!("must be {expected}")));
        }
        value
    }
}
