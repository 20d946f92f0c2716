//! Changing and deleting a lead: `PATCH /leads/{id}`, `PATCH /leads/{id}/status`, `DELETE /leads/{id}`.

use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tidings_access::Permission;
use tidings_store::{Actor, Lead, LeadEdit, LeadEdited, LeadId, LeadPayload, LeadStatus, LeadWrite, Once};
use tidings_transport::{JsonBody, Problem, ProblemCode};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::conditions::{IfMatch, if_match};
use super::leads::lead_id;
use super::openapi::{Deleted, Edited, StatusChanged};
use super::write::{IdempotencyKey, OfLead, attached, carry_out, idempotent, lead_response, replayed};
use super::{invalid_body, permitted};
use crate::audit;
use crate::authentication::Principal;
use crate::contact;
use crate::envelope::{self, Origin};
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, text};
use tidings_transport::openapi::schema::{object, or_null};

/// Changes a lead's payload
///
/// The members given replace or join the lead's; a null removes one. What changes nothing is 200 and no event.
#[utoipa::path(
    patch, path = "/leads/{id}", operation_id = "updateLead", tag = "leads",
    params(("id" = LeadId, Path), IfMatch, IdempotencyKey), request_body = LeadPatch, responses(Edited)
)]
pub(super) async fn patch(
    State(flow): State<Flow>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (principal, headers, id, body) = read(&flow, &id, request).await?;
    let payload = read_patch(&body)?;
    let path = format!("/leads/{id}");
    edit(
        &flow,
        &principal,
        &headers,
        (&path, body.get()),
        id,
        LeadEdit::Payload(payload),
    )
    .await
}

/// Changes a lead's status
///
/// NEW may become CONTACTED, QUALIFIED or LOST; CONTACTED may become QUALIFIED or LOST; QUALIFIED may become LOST;
/// LOST may become NEW. The same status again changes nothing.
#[utoipa::path(
    patch, path = "/leads/{id}/status", operation_id = "changeLeadStatus", tag = "leads",
    params(("id" = LeadId, Path), IfMatch, IdempotencyKey), request_body = StatusChange, responses(StatusChanged)
)]
pub(super) async fn change_status(
    State(flow): State<Flow>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (principal, headers, id, body) = read(&flow, &id, request).await?;
    let status = read_status(&body)?;
    let path = format!("/leads/{id}/status");
    edit(
        &flow,
        &principal,
        &headers,
        (&path, body.get()),
        id,
        LeadEdit::Status(status),
    )
    .await
}

/// Deletes a lead
///
/// With its history, of which one entry is left.
#[utoipa::path(
    delete, path = "/leads/{id}", operation_id = "deleteLead", tag = "leads",
    params(("id" = LeadId, Path), IfMatch, IdempotencyKey), responses(Deleted)
)]
pub(super) async fn delete(
    State(flow): State<Flow>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let principal = permitted(&flow, &headers, Permission::LeadsWrite).await?;
    let id = lead_id(&id)?;
    let expected = if_match(&headers)?;
    let once = idempotent(
        &principal.tenant,
        &headers,
        (&Method::DELETE, &format!("/leads/{id}")),
        "",
    )?;
    let (store, now, actor) = (flow.store().clone(), flow.now(), Actor::key(principal.key));
    let deleted = carry_out(&flow, async move {
        let write = LeadWrite {
            tenant: &principal.tenant,
            id,
            actor: &actor,
            expected: expected.as_deref(),
            once: once.as_ref(),
        };
        let attach = |lead: &Lead| {
            attached(
                StatusCode::NO_CONTENT,
                None,
                Some(envelope::lead_deleted(lead, Origin::Http, now)),
                audit::entry(
                    actor.clone(),
                    "delete_lead",
                    audit::SUCCESS,
                    &OfLead { lead_id: id },
                ),
            )
        };
        store.delete_lead(write, attach).await
    });
    Ok(match deleted.await? {
        Once::Fresh(_) => StatusCode::NO_CONTENT.into_response(),
        Once::Repeated(first) => replayed(first),
    })
}

/// Who asks for what, in the order in which it may be refused.
async fn read(
    flow: &Flow,
    id: &str,
    request: Request,
) -> Result<(Principal, HeaderMap, LeadId, Box<RawValue>), Problem> {
    let headers = request.headers().clone();
    let principal = permitted(flow, &headers, Permission::LeadsWrite).await?;
    let id = lead_id(id)?;
    let JsonBody(body) = JsonBody::<Box<RawValue>>::from_request(request, &()).await?;
    Ok((principal, headers, id, body))
}

async fn edit(
    flow: &Flow,
    principal: &Principal,
    headers: &HeaderMap,
    (path, body): (&str, &str),
    id: LeadId,
    edit: LeadEdit,
) -> Result<Response, Problem> {
    let expected = if_match(headers)?;
    let once = idempotent(&principal.tenant, headers, (&Method::PATCH, path), body)?;
    let (store, tenant, actor) = (
        flow.store().clone(),
        principal.tenant.clone(),
        Actor::key(principal.key),
    );
    let action = match edit {
        LeadEdit::Payload(_) => "update_lead",
        LeadEdit::Status(_) => "change_lead_status",
    };
    let edited = carry_out(flow, async move {
        let write = LeadWrite {
            tenant: &tenant,
            id,
            actor: &actor,
            expected: expected.as_deref(),
            once: once.as_ref(),
        };
        let attach = |edited: &LeadEdited| {
            attached(
                StatusCode::OK,
                Some(&edited.after),
                envelope::lead_edited(edited, Origin::Http),
                audit::entry(actor.clone(), action, audit::SUCCESS, &OfLead { lead_id: id }),
            )
        };
        store.edit_lead(write, &edit, attach).await
    });
    Ok(match edited.await? {
        Once::Fresh(edited) => lead_response(StatusCode::OK, &edited.after),
        Once::Repeated(first) => replayed(first),
    })
}

/// The body of `PATCH /leads/{id}`: what [`read_patch`] takes.
pub(super) enum LeadPatch {}

impl PartialSchema for LeadPatch {
    fn schema() -> RefOr<Schema> {
        let payload = object()
            .description(Some(
                "What to change. What is an address must stay one; other members are free.",
            ))
            .property("email", or_null(contact::email_schema()))
            .property("phone", or_null(contact::phone_schema()));
        object().property("payload", payload).required("payload").into()
    }
}

impl ToSchema for LeadPatch {}

fn read_patch(body: &RawValue) -> Result<LeadPayload, Problem> {
    let invalid = |details| invalid_body("", details);
    let mut reader = Reader::new(body.get(), &["payload"]).map_err(invalid)?;
    let payload = reader.required("payload", "an object", Some);
    let payload = reader.finish(payload).map_err(invalid)?;
    check(payload.get()).map_err(|details| invalid_body("/payload", details))?;
    LeadPayload::parse(payload.get())
        .map_err(|error| Problem::new(ProblemCode::InvalidBody).error("/payload", error.to_string()))
}

/// What is an address must stay one.
fn check(payload: &str) -> Result<(), Vec<Detail>> {
    let mut reader = Reader::new(payload, &["email", "phone"])?;
    reader.optional("email", contact::EMAIL, |json| {
        contact::email(&text(json)?).map(drop)
    });
    reader.optional("phone", contact::PHONE, |json| {
        contact::phone(&text(json)?).map(drop)
    });
    reader.finish(Some(()))
}

/// The body of `PATCH /leads/{id}/status`: what [`read_status`] takes.
pub(super) enum StatusChange {}

impl PartialSchema for StatusChange {
    fn schema() -> RefOr<Schema> {
        object()
            .property("status", LeadStatus::schema())
            .required("status")
            .into()
    }
}

impl ToSchema for StatusChange {}

fn read_status(body: &RawValue) -> Result<LeadStatus, Problem> {
    let invalid = |details| invalid_body("", details);
    let mut reader = Reader::new(body.get(), &["status"]).map_err(invalid)?;
    let status = reader.required("status", "one of NEW, CONTACTED, QUALIFIED, LOST", |json| {
        text(json)?.parse().ok()
    });
    reader.finish(status).map_err(invalid)
}
