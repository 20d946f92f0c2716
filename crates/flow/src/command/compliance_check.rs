//! `compliance_check`: asks for a report on the tenant's real state.

use serde::Serialize;
use tidings_store::JobId;
use tidings_transport::openapi::schema::object;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::Outcome;
use crate::authentication::Principal;
use crate::compliance::job::{Asked, Check};
use crate::compliance::{CheckType, Severity};
use crate::envelope::Origin;
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, text};
use crate::response::Failure;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    check_type: Option<CheckType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
}

/// The check that `compliance_check` began.
#[derive(Serialize, ToSchema)]
#[schema(as = ComplianceCheckStarted)]
pub(crate) struct Data<'a> {
    compliance: Check,
    message: &'a str,
}

#[derive(Serialize)]
struct Summary<'a> {
    id: JobId,
    #[serde(flatten)]
    asked: Asked,
    message: &'a str,
}

/// What [`Parameters::read`] takes.
impl PartialSchema for Parameters {
    fn schema() -> RefOr<Schema> {
        object()
            .property("check_type", CheckType::schema())
            .property("severity", Severity::schema())
            .into()
    }
}

impl Parameters {
    pub(crate) fn read(json: &str) -> Result<Parameters, Vec<Detail>> {
        let mut reader = Reader::new(json, &["check_type", "severity"])?;
        let check_type = reader.optional("check_type", CheckType::EXPECTED, |json| {
            CheckType::parse(&text(json)?)
        });
        let severity = reader.optional("severity", Severity::EXPECTED, |json| {
            Severity::parse(&text(json)?)
        });
        reader.finish(Some(Parameters { check_type, severity }))
    }

    /// Stores what is asked for; a task carries it out.
    pub(crate) async fn run(&self, flow: &Flow, principal: &Principal) -> Result<Outcome, Failure> {
        let asked = Asked {
            r#type: self.check_type.unwrap_or(CheckType::Nis2),
            severity: self.severity.unwrap_or(Severity::Medium),
        };
        let new = asked.job(principal)?;
        let (written, job) = flow
            .request_job(new, &asked, "compliance_check", Origin::Voice)
            .await?;
        let message = "Compliance check started";
        let outcome = Outcome::new(
            &Data {
                compliance: Check::of(&written.value),
                message,
            },
            &Summary {
                id: written.value.id,
                asked,
                message,
            },
        )?;
        Ok(Outcome {
            event: written.event,
            is_audited: true,
            job,
            ..outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let table: [(&str, Result<&str, &[&str]>); 4] = [
            ("{}", Ok("{}")),
            (
                r#"{"check_type":"gdpr","severity":"low"}"#,
                Ok(r#"{"check_type":"gdpr","severity":"low"}"#),
            ),
            (
                r#"{"severity":"critical","check_type":"all","tenant":"t2"}"#,
                Ok(r#"{"check_type":"all","severity":"critical"}"#),
            ),
            (
                r#"{"check_type":"NIS2","severity":3}"#,
                Err(&[
                    "check_type must be one of gdpr, nis2, security, all",
                    "severity must be one of low, medium, high, critical",
                ]),
            ),
        ];
        for (json, expected) in table {
            let read = Parameters::read(json)
                .map(|parameters| serde_json::to_string(&parameters).unwrap())
                .map_err(|details| {
                    details
                        .into_iter()
                        .map(|detail| detail.message)
                        .collect::<Vec<_>>()
                });
            let expected = expected
                .map(str::to_owned)
                .map_err(|messages| messages.iter().map(|message| (*message).to_owned()).collect());
            assert_eq!(read, expected, "{json}");
        }
    }
}
