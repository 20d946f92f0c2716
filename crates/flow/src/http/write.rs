//! Creating a lead by a request, once if it carries an `Idempotency-Key`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tidings_store::{
    IdempotentRequest, Lead, LeadPayload, LeadSource, NewLead, Once, StoredResponse, TenantId,
};
use tidings_transport::{Problem, ProblemCode};

use super::store_problem;
use crate::authentication::Principal;
use crate::envelope::{self, Origin};
use crate::flow::Flow;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A lead to create.
pub(super) struct LeadWrite {
    /// The route, which is part of what an idempotency key stands for.
    pub(super) route: &'static str,
    pub(super) source: LeadSource,
    pub(super) origin: Origin,
    pub(super) payload: LeadPayload,
    /// The request as it came.
    pub(super) body: Box<RawValue>,
}

/// Creates the lead, tells the tenant's room and answers 201. A repeated request gets the first one's answer and
/// publishes nothing.
pub(super) async fn create_lead(
    flow: &Flow,
    principal: &Principal,
    headers: &HeaderMap,
    write: LeadWrite,
) -> Result<Response, Problem> {
    let request = idempotent(&principal.tenant, headers, &write)?;
    let admission = flow
        .admit_command()
        .ok_or_else(|| Problem::new(ProblemCode::Overloaded))?;
    let new = NewLead {
        tenant: principal.tenant.clone(),
        source: write.source,
        payload: write.payload,
    };
    let (caller, flow, origin) = (flow, flow.clone(), write.origin);
    // On its own task: a client that goes away must not leave a lead that nobody heard of.
    let created = caller.finish(async move {
        let created = match request {
            Some(request) => flow.store().create_lead_once(new, &request, stored).await,
            None => flow.store().create_lead(new).await.map(Once::Fresh),
        };
        if let Ok(Once::Fresh(lead)) = &created {
            let event = envelope::lead_created(lead, origin, flow.now());
            // The lead is there either way; the loss of the event has been logged and counted.
            flow.publish(&lead.tenant_id, event).await.ok();
        }
        drop(admission);
        created
    });
    let created = created
        .await
        .ok_or_else(|| Problem::new(ProblemCode::InternalError))?
        .map_err(store_problem)?;
    Ok(match created {
        Once::Fresh(lead) => {
            let location = HeaderValue::from_str(&format!("/leads/{}", lead.id)).ok();
            let mut response = answer(stored(&lead));
            response
                .headers_mut()
                .extend(location.map(|location| (header::LOCATION, location)));
            response
        }
        Once::Repeated(first) => {
            let mut response = answer(first);
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }
    })
}

fn stored(lead: &Lead) -> StoredResponse {
    let body = serde_json::to_vec(lead).expect("Invariant: a lead holds texts, times and finished JSON only");
    StoredResponse {
        status: StatusCode::CREATED.as_u16(),
        body,
    }
}

fn answer(stored: StoredResponse) -> Response {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, "application/json")], stored.body).into_response()
}

fn idempotent(
    tenant: &TenantId,
    headers: &HeaderMap,
    write: &LeadWrite,
) -> Result<Option<IdempotentRequest>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    hash.update(write.route);
    hash.update([0]);
    hash.update(write.body.get());
    let key = key.to_str().unwrap_or_default();
    let request = IdempotentRequest::new(&format!("tenant:{tenant}"), key, hash.finalize().into());
    request.map(Some).map_err(store_problem)
}
