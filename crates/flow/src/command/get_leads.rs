//! `get_leads`: the newest leads.

use std::ops::RangeInclusive;

use serde::Serialize;
use tidings_store::{Lead, LeadFilter, LeadSource, LeadStatus, TenantId};
use tidings_transport::openapi::schema::{count, object};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::Outcome;
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, integer, text};
use crate::response::Failure;

/// What a status may be, for people.
pub(crate) const STATUS: &str = "one of NEW, CONTACTED, QUALIFIED, LOST";
/// How many leads may be asked for at once.
pub(crate) const LIMITS: RangeInclusive<u32> = 1..=100;
const LIMIT_DEFAULT: u32 = 10;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<LeadStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// What `get_leads` found.
#[derive(Serialize, ToSchema)]
#[schema(as = LeadsFound)]
pub(crate) struct Data<'a> {
    /// Newest first.
    leads: &'a [Lead],
    /// How many match in all.
    total: u64,
    message: &'a str,
}

#[derive(Serialize)]
struct Summary<'a> {
    count: usize,
    total: u64,
    message: &'a str,
}

/// What [`Parameters::read`] takes.
impl PartialSchema for Parameters {
    fn schema() -> RefOr<Schema> {
        let limit = count()
            .minimum(Some(*LIMITS.start()))
            .maximum(Some(*LIMITS.end()))
            .default(Some(LIMIT_DEFAULT.into()));
        object()
            .property("status", LeadStatus::schema())
            .property("limit", limit)
            .property("source", LeadSource::schema())
            .into()
    }
}

impl Parameters {
    pub(crate) fn read(json: &str) -> Result<Parameters, Vec<Detail>> {
        let mut reader = Reader::new(json, &["status", "limit", "source"])?;
        let status = reader.optional("status", STATUS, |json| text(json)?.parse().ok());
        let limit = reader.optional("limit", "an integer from 1 to 100", |json| integer(json, &LIMITS));
        let source = reader.optional(
            "source",
            "a text of 1 to 64 characters without control characters",
            |json| text(json).filter(|text| LeadSource::new(text).is_ok()),
        );
        reader.finish(Some(Parameters {
            status,
            limit,
            source,
        }))
    }

    pub(crate) async fn run(&self, flow: &Flow, tenant: &TenantId) -> Result<Outcome, Failure> {
        let filter = LeadFilter {
            status: self.status,
            source: self.source.clone(),
            ..LeadFilter::default()
        };
        let _turn = flow.admit_query().await.ok_or(Failure::ServiceUnavailable)?;
        let page = flow
            .store()
            .list_leads(tenant, &filter, self.limit.unwrap_or(LIMIT_DEFAULT), None)
            .await?;
        let (count, total) = (page.leads.len(), page.total);
        let message = format!("Found {total} {}", if total == 1 { "lead" } else { "leads" });
        Outcome::new(
            &Data {
                leads: &page.leads,
                total,
                message: &message,
            },
            &Summary {
                count,
                total,
                message: &message,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(json: &str) -> Result<String, Vec<&'static str>> {
        Parameters::read(json)
            .map(|parameters| serde_json::to_string(&parameters).unwrap())
            .map_err(|details| details.iter().map(|detail| detail.parameter).collect())
    }

    #[test]
    fn parameters() {
        let table = [
            ("{}", Ok("{}")),
            (
                r#"{"limit":5,"status":"new"}"#,
                Ok(r#"{"status":"NEW","limit":5}"#),
            ),
            (r#"{"status":null,"more":[]}"#, Ok("{}")),
            (
                r#"{"status":"NEW","limit":100,"source":"form"}"#,
                Ok(r#"{"status":"NEW","limit":100,"source":"form"}"#),
            ),
            (
                r#"{"status":"OLD","limit":0,"source":""}"#,
                Err(vec!["status", "limit", "source"]),
            ),
            (r#"{"limit":101}"#, Err(vec!["limit"])),
            (r#"{"limit":"5"}"#, Err(vec!["limit"])),
            ("[]", Err(vec!["parameters"])),
        ];
        for (json, expected) in table {
            assert_eq!(accepted(json), expected.map(str::to_owned), "{json}");
        }
    }
}
