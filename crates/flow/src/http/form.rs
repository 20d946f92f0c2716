//! `POST /ingest/form`: leads from web forms, which have fields of their own.

use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use serde_json::value::RawValue;
use tidings_access::Permission;
use tidings_store::{LeadPayload, LeadSource};
use tidings_transport::{JsonBody, Problem, ProblemCode};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::openapi::Created;
use super::write::{IdempotencyKey, LeadCreation, create_lead};
use super::{invalid_body, permitted};
use crate::contact;
use crate::envelope::Origin;
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, text};
use tidings_transport::openapi::schema::{null, object, or_blank};

/// Creates a lead from a web form
///
/// The form's fields are kept as they came. Its status is NEW. The tenant's connections are told `LEAD_CREATED`.
#[utoipa::path(
    post, path = "/ingest/form", operation_id = "ingestForm", tag = "leads",
    params(IdempotencyKey), request_body = Form, responses(Created)
)]
pub(super) async fn ingest(State(flow): State<Flow>, request: Request) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let principal = permitted(&flow, &headers, Permission::LeadsWrite).await?;
    let JsonBody(body) = JsonBody::<Box<RawValue>>::from_request(request, &()).await?;
    let (source, payload) = read(&body)?;
    let creation = LeadCreation {
        route: "/ingest/form",
        source,
        origin: Origin::Form,
        payload,
        body: body.get(),
    };
    create_lead(&flow, &principal, &headers, creation).await
}

/// The body of `POST /ingest/form`: what [`read`] takes.
pub(super) enum Form {}

impl PartialSchema for Form {
    fn schema() -> RefOr<Schema> {
        let (email, phone) = (contact::email_schema, contact::phone_schema);
        let with_email = object()
            .property("email", email())
            .required("email")
            .property("phone", or_blank(phone()));
        let with_phone = object()
            .property("phone", phone())
            .required("phone")
            .property("email", or_blank(email()));
        let payload = AnyOfBuilder::new()
            .description(Some(
                "The form's fields: an email address, a phone number or both, and any others.",
            ))
            .item(with_email)
            .item(with_phone);
        let source = AnyOfBuilder::new().item(LeadSource::schema()).item(null());
        object()
            .property("source", source)
            .property("payload", payload)
            .required("payload")
            .into()
    }
}

impl ToSchema for Form {}

/// The form's own word for itself, and what was filled in, kept as it came.
pub(crate) fn read(body: &RawValue) -> Result<(LeadSource, LeadPayload), Problem> {
    let invalid = |details| invalid_body("", details);
    let mut reader = Reader::new(body.get(), &["source", "payload"]).map_err(invalid)?;
    let source = reader.optional("source", "a text of 1 to 64 characters", |json| {
        LeadSource::new(&text(json)?).ok()
    });
    let payload = reader.required("payload", "an object", Some);
    let payload = reader.finish(payload).map_err(invalid)?;
    check(payload.get()).map_err(|details| invalid_body("/payload", details))?;
    let payload = LeadPayload::parse(payload.get())
        .map_err(|error| Problem::new(ProblemCode::InvalidBody).error("/payload", error.to_string()))?;
    Ok((source.unwrap_or(LeadSource::FORM), payload))
}

/// A lead that can be reached: an email address or a phone number, well-formed if there. Fields left empty are no
/// fault of the form.
pub(crate) fn check(payload: &str) -> Result<(), Vec<Detail>> {
    let mut reader = Reader::new(payload, &["email", "phone"])?;
    let email = reader.optional("email", contact::EMAIL, |json| Field::read(json, contact::email));
    let phone = reader.optional("phone", contact::PHONE, |json| Field::read(json, contact::phone));
    reader.finish(Some(()))?;
    if [email, phone].contains(&Some(Field::Filled)) {
        return Ok(());
    }
    Err(vec![Detail {
        parameter: "email",
        expected: contact::EMAIL,
        message: "email or phone is required".to_owned(),
    }])
}

/// A field of a form that is not malformed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Filled,
    Empty,
}

impl Field {
    fn read(json: &RawValue, read: fn(&str) -> Option<&str>) -> Option<Field> {
        let text = text(json)?;
        if text.trim().is_empty() {
            Some(Field::Empty)
        } else {
            read(&text).map(|_| Field::Filled)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let table = [
            (
                r#"{"payload":{"email":"a@b.dk","colour":"red"}}"#,
                Some(("form", r#"{"email":"a@b.dk","colour":"red"}"#)),
            ),
            (
                r#"{"source":"landing-page","payload":{"phone":"+45 12345678","email":""}}"#,
                Some(("landing-page", r#"{"phone":"+45 12345678","email":""}"#)),
            ),
            (r#"{"payload":{"name":"Ann"}}"#, None),
            (r#"{"payload":{"email":"","phone":null}}"#, None),
            (r#"{"payload":{"email":"nobody","phone":"+45 12345678"}}"#, None),
            (r#"{"payload":{"email":7}}"#, None),
            (r#"{"payload":[]}"#, None),
            (r#"{"source":"","payload":{"email":"a@b.dk"}}"#, None),
            ("{}", None),
            ("[]", None),
        ];
        for (json, expected) in table {
            let read = read(serde_json::from_str(json).unwrap());
            let read = read
                .as_ref()
                .ok()
                .map(|(source, payload)| (source.as_str(), payload.as_raw().get()));
            assert_eq!(read, expected, "{json}");
        }
    }
}
