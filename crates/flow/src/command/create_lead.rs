//! `create_lead`: a new lead. The same fields make a lead over HTTP.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{
    Actor, Attached, Lead, LeadId, LeadPayload, LeadPayloadError, LeadSource, NewLead, Once, Written,
};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::Outcome;
use crate::audit;
use crate::authentication::Principal;
use crate::contact;
use crate::envelope::{self, Origin};
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, line, line_schema, lines, lines_schema, text};
use crate::response::Failure;
use tidings_transport::openapi::schema::{object, or_blank, or_null};

const NAME_CHARACTERS: RangeInclusive<usize> = 1..=200;
const COMPANY_CHARACTERS: RangeInclusive<usize> = 0..=200;
const NOTES_CHARACTERS_MAX: usize = 10_000;
const NAMES: [&str; 5] = ["name", "email", "company", "phone", "notes"];

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parameters {
    name: String,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
}

/// The lead that `create_lead` created.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LeadMade)]
pub(crate) struct Data<'a> {
    lead_id: LeadId,
    lead: &'a Lead,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    lead_id: LeadId,
    message: &'a str,
}

/// What [`Parameters::read`] takes.
impl PartialSchema for Parameters {
    fn schema() -> RefOr<Schema> {
        object()
            .description(Some("A lead to create. Other members are passed over."))
            .property("name", line_schema(&NAME_CHARACTERS))
            .required("name")
            .property("email", contact::email_schema())
            .required("email")
            .property("company", or_null(line_schema(&COMPANY_CHARACTERS)))
            .property("phone", or_blank(contact::phone_schema()))
            .property("notes", or_null(lines_schema(NOTES_CHARACTERS_MAX)))
            .into()
    }
}

impl ToSchema for Parameters {
    fn name() -> Cow<'static, str> {
        "NewLead".into()
    }
}

impl Parameters {
    pub(crate) fn read(json: &str) -> Result<Parameters, Vec<Detail>> {
        let mut reader = Reader::new(json, &NAMES)?;
        let name = reader.required("name", "a text of 1 to 200 characters", |json| {
            line(json, NAME_CHARACTERS)
        });
        let email = reader.required("email", contact::EMAIL, email);
        let company = reader.optional("company", "a text of at most 200 characters", |json| {
            line(json, COMPANY_CHARACTERS)
        });
        let phone = reader.optional("phone", contact::PHONE, phone);
        let notes = reader.optional("notes", "a text of at most 10000 characters", |json| {
            lines(json, NOTES_CHARACTERS_MAX)
        });
        let is_filled = |text: &String| !text.is_empty();
        let parameters = name.zip(email).map(|(name, email)| Parameters {
            name,
            email,
            company: company.filter(is_filled),
            phone: phone.filter(is_filled),
            notes: notes.filter(is_filled),
        });
        reader.finish(parameters)
    }

    /// The same for the audit log.
    pub(crate) fn masked(&self) -> serde_json::Result<Box<RawValue>> {
        let masked = |text: &Option<String>| text.as_deref().map(audit::masked);
        serde_json::value::to_raw_value(&Parameters {
            name: audit::masked(&self.name),
            email: audit::masked(&self.email),
            company: masked(&self.company),
            phone: masked(&self.phone),
            notes: masked(&self.notes),
        })
    }

    pub(crate) fn payload(&self) -> Result<LeadPayload, LeadPayloadError> {
        LeadPayload::from_serialize(self)
    }

    pub(crate) async fn run(&self, flow: &Flow, principal: &Principal) -> Result<Outcome, Failure> {
        // The fields' limits add up to less than a payload may have.
        let payload = self.payload().map_err(|_| Failure::InternalError)?;
        let new = NewLead {
            tenant: principal.tenant.clone(),
            source: LeadSource::VOICE,
            payload,
        };
        let actor = Actor::key(principal.key);
        let detail = self.masked()?;
        let attach = |lead: &Lead| Attached {
            event: Some(envelope::lead_created(lead, Origin::Voice)),
            response: None,
            audit: Some(audit::entry(
                actor.clone(),
                "create_lead",
                audit::SUCCESS,
                &detail,
            )),
        };
        let created = flow.store().create_lead_with(new, &actor, None, attach).await?;
        let Once::Fresh(Written { value: lead, event }) = created else {
            return Err(Failure::InternalError);
        };
        let message = "Lead created";
        let outcome = Outcome::new(
            &Data {
                lead_id: lead.id,
                lead: &lead,
                message,
            },
            &Summary {
                lead_id: lead.id,
                message,
            },
        )?;
        Ok(Outcome {
            event,
            is_audited: true,
            ..outcome
        })
    }
}

fn email(json: &RawValue) -> Option<String> {
    text(json).and_then(|text| contact::email(&text).map(str::to_owned))
}

/// An empty text is what forms send when nobody filled in a phone number.
fn phone(json: &RawValue) -> Option<String> {
    let text = text(json)?;
    if text.trim().is_empty() {
        Some(String::new())
    } else {
        contact::phone(&text).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(json: &str) -> Result<String, Vec<String>> {
        Parameters::read(json)
            .map(|parameters| parameters.payload().unwrap().as_raw().get().to_owned())
            .map_err(|details| details.into_iter().map(|detail| detail.message).collect())
    }

    /// A body that is good but for one member, which has so many characters.
    fn with_length(name: &str, length: usize) -> String {
        let mut body = serde_json::json!({"name": "J", "email": "j@x.dk"});
        let digits = "12345";
        body[name] = match name {
            "email" => format!("j@{}x.dk", "x.".repeat(length / 2 - 3)).into(),
            "phone" => format!("{digits}{}", " ".repeat(length - digits.len() - 1) + "6").into(),
            _ => "n".repeat(length).into(),
        };
        body.to_string()
    }

    #[test]
    fn the_schema_has_the_limits_of_the_reader() {
        let schema = serde_json::to_value(Parameters::schema()).unwrap();
        let members = schema["properties"].as_object().unwrap();
        assert!(NAMES.iter().all(|name| members.contains_key(*name)) && members.len() == NAMES.len());
        assert_eq!(schema["required"], serde_json::json!(["name", "email"]));
        assert_eq!(
            accepted("{}").unwrap_err(),
            ["name is required", "email is required"]
        );
        for (name, member) in members {
            let most = [&member["maxLength"], &member["anyOf"][0]["maxLength"]]
                .into_iter()
                .find_map(serde_json::Value::as_u64);
            let most = usize::try_from(most.unwrap()).unwrap();
            assert!(accepted(&with_length(name, most)).is_ok(), "{name} of {most}");
            assert!(
                accepted(&with_length(name, most + 2)).is_err(),
                "{name} of more than {most}"
            );
        }
        assert_eq!(schema["properties"]["name"]["minLength"], 1);
        assert!(accepted(&with_length("name", 0)).is_err() && accepted(&with_length("company", 0)).is_ok());
    }

    #[test]
    fn parameters() {
        let full = r#"{"name":"John Doe","email":"john@example.com","company":"Acme Corp","phone":"+45 12 34 56 78","notes":"Interested\nin our services"}"#;
        assert_eq!(accepted(full).as_deref(), Ok(full));
        assert_eq!(
            accepted(r#"{"email":" j@x.dk ","x":1,"name":" J ","phone":"","company":null}"#).as_deref(),
            Ok(r#"{"name":"J","email":"j@x.dk"}"#)
        );
        let messages = |json| accepted(json).unwrap_err();
        assert_eq!(messages("{}"), ["name is required", "email is required"]);
        assert_eq!(
            messages(r#"{"name":"J","email":"j"}"#),
            ["email must be an email address"]
        );
        assert_eq!(
            messages(r#"{"name":"","email":"j@x.dk","phone":"no","company":7,"notes":[]}"#),
            [
                "name must be a text of 1 to 200 characters",
                "company must be a text of at most 200 characters",
                "phone must be a phone number of 5 to 15 digits",
                "notes must be a text of at most 10000 characters",
            ]
        );
        let long = format!(r#"{{"name":"{}","email":"j@x.dk"}}"#, "n".repeat(201));
        assert_eq!(messages(&long).len(), 1);
    }
}
