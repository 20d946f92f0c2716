//! What every write by a request has in common: a place among the commands under way, once if it carries an
//! `Idempotency-Key`, on a task of its own, and its event published behind it.

use std::future::Future;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tidings_store::{
    Actor, Attached, IDEMPOTENCY_KEY_BYTES_MAX, IdempotentRequest, Lead, LeadId, LeadPayload, LeadSource,
    NewAuditEntry, NewLead, NewOutboxEvent, Once, StoreError, StoredResponse, TenantId, Written,
};
use tidings_transport::{Problem, ProblemCode};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::conditions::entity_tag;
use super::openapi::parameter;
use super::store_problem;
use crate::audit;
use crate::authentication::Principal;
use crate::envelope::{self, Origin};
use crate::flow::Flow;
use tidings_transport::openapi::schema::string;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What the audit log says of a write besides who, what and when.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfLead {
    pub(super) lead_id: LeadId,
}

/// A lead to create.
pub(super) struct LeadCreation<'a> {
    /// The route, which is part of what an idempotency key stands for.
    pub(super) route: &'static str,
    pub(super) source: LeadSource,
    pub(super) origin: Origin,
    pub(super) payload: LeadPayload,
    /// The request as it came.
    pub(super) body: &'a str,
}

/// Creates the lead, tells the tenant's room and answers 201. A repeated request gets the first one's answer and
/// publishes nothing.
pub(super) async fn create_lead(
    flow: &Flow,
    principal: &Principal,
    headers: &HeaderMap,
    creation: LeadCreation<'_>,
) -> Result<Response, Problem> {
    let LeadCreation {
        route,
        source,
        origin,
        payload,
        body,
    } = creation;
    let once = idempotent(&principal.tenant, headers, (&Method::POST, route), body)?;
    let new = NewLead {
        tenant: principal.tenant.clone(),
        source,
        payload,
    };
    let (store, actor) = (flow.store().clone(), Actor::key(principal.key));
    let created = carry_out(flow, async move {
        let attach = |lead: &Lead| {
            attached(
                StatusCode::CREATED,
                Some(lead),
                Some(envelope::lead_created(lead, origin)),
                audit::entry(
                    actor.clone(),
                    "create_lead",
                    audit::SUCCESS,
                    &OfLead { lead_id: lead.id },
                ),
            )
        };
        store.create_lead_with(new, &actor, once.as_ref(), attach).await
    });
    Ok(match created.await? {
        Once::Fresh(lead) => {
            let mut response = lead_response(StatusCode::CREATED, &lead);
            let location = HeaderValue::from_str(&format!("/leads/{}", lead.id)).ok();
            response
                .headers_mut()
                .extend(location.map(|location| (header::LOCATION, location)));
            response
        }
        Once::Repeated(first) => replayed(first),
    })
}

/// Carries a write out, and publishes the event that was stored with it.
pub(super) async fn carry_out<T: Send + 'static>(
    flow: &Flow,
    write: impl Future<Output = Result<Once<Written<T>>, StoreError>> + Send + 'static,
) -> Result<Once<T>, Problem> {
    let admission = flow
        .admit_command()
        .ok_or_else(|| Problem::new(ProblemCode::Overloaded))?;
    let (caller, flow) = (flow, flow.clone());
    // On its own task: a client that goes away must not leave a change that nobody hears of before the next round.
    let written = caller.finish(async move {
        let written = match write.await {
            Ok(Once::Fresh(Written { value, event })) => {
                flow.publish_stored(event).await;
                Ok(Once::Fresh(value))
            }
            Ok(Once::Repeated(answer)) => Ok(Once::Repeated(answer)),
            Err(error) => Err(error),
        };
        drop(admission);
        written
    });
    written
        .await
        .ok_or_else(|| Problem::new(ProblemCode::InternalError))?
        .map_err(store_problem)
}

/// What is stored with a change: the answer to it, its event, and what the audit log says of it.
pub(super) fn attached(
    status: StatusCode,
    lead: Option<&Lead>,
    event: Option<NewOutboxEvent>,
    audit: NewAuditEntry,
) -> Attached {
    let body = lead.map(body).unwrap_or_default();
    let response = StoredResponse {
        status: status.as_u16(),
        body,
    };
    Attached {
        event,
        response: Some(response),
        audit: Some(audit),
    }
}

/// A lead as an answer.
pub(super) fn lead_response(status: StatusCode, lead: &Lead) -> Response {
    let mut response = answer(status, body(lead));
    response
        .headers_mut()
        .insert(header::ETAG, entity_tag(lead.version));
    response
}

/// The answer to a request that came before.
pub(super) fn replayed(first: StoredResponse) -> Response {
    let status = StatusCode::from_u16(first.status).unwrap_or(StatusCode::OK);
    let mut response = answer(status, first.body);
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response {
    if body.is_empty() {
        return status.into_response();
    }
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn body(lead: &Lead) -> Vec<u8> {
    serde_json::to_vec(lead).expect("Invariant: a lead holds texts, times and finished JSON only")
}

/// The header that [`idempotent`] reads.
pub(super) enum IdempotencyKey {}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = string().pattern(Some(format!("^[!-~]{{1,{IDEMPOTENCY_KEY_BYTES_MAX}}}$")));
        let about = "A write that is sent again under the same key within 24 hours happens once, and gets the first answer.";
        vec![parameter(ParameterIn::Header, IDEMPOTENCY_KEY, key.into(), about)]
    }
}

/// The write that a request's `Idempotency-Key` stands for, if it carries one.
pub(super) fn idempotent(
    tenant: &TenantId,
    headers: &HeaderMap,
    (method, path): (&Method, &str),
    body: &str,
) -> Result<Option<IdempotentRequest>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    for part in [method.as_str(), path] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(body);
    let key = key.to_str().unwrap_or_default();
    let request = IdempotentRequest::new(&format!("tenant:{tenant}"), key, hash.finalize().into());
    request.map(Some).map_err(store_problem)
}
