//! `search_leads`: the leads that match a query best.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{Lead, LeadSearch, LeadStatus, TenantId, TimeRange};
use tidings_transport::openapi::schema::{object, string};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::Outcome;
use super::get_leads::{LIMITS, STATUS};
use crate::audit;
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, text};
use crate::period::DateRange;
use crate::response::Failure;

const QUERY_CHARACTERS_MAX: usize = 200;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parameters {
    query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<LeadStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_range: Option<DateRange>,
}

/// What `search_leads` found.
#[derive(Serialize, ToSchema)]
#[schema(as = LeadsMatching)]
pub(crate) struct Data<'a> {
    /// The best first.
    leads: &'a [Lead],
    /// How many match in all, exact up to 10,000.
    total: u64,
    query: &'a str,
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
        let query = string()
            .min_length(Some(1))
            .max_length(Some(QUERY_CHARACTERS_MAX));
        object()
            .property("query", query)
            .required("query")
            .property("status", LeadStatus::schema())
            .property("date_range", DateRange::schema())
            .into()
    }
}

impl Parameters {
    pub(crate) fn read(json: &str) -> Result<Parameters, Vec<Detail>> {
        let mut reader = Reader::new(json, &["query", "status", "date_range"])?;
        let query = reader.required("query", "a text of 1 to 200 characters", |json| {
            text(json).filter(|text| (1..=QUERY_CHARACTERS_MAX).contains(&text.chars().count()))
        });
        let status = reader.optional("status", STATUS, |json| text(json)?.parse().ok());
        let date_range = reader.optional("date_range", DateRange::EXPECTED, DateRange::read);
        reader.finish(query.map(|query| Parameters {
            query,
            status,
            date_range,
        }))
    }

    /// The same for the audit log.
    pub(crate) fn masked(&self) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&Parameters {
            query: audit::masked(&self.query),
            ..self.clone()
        })
    }

    pub(crate) async fn run(&self, flow: &Flow, tenant: &TenantId) -> Result<Outcome, Failure> {
        let created = self
            .date_range
            .map_or_else(TimeRange::default, |range| range.range(flow.now()));
        let search = LeadSearch {
            query: self.query.clone(),
            status: self.status,
            created,
        };
        let _turn = flow.admit_query().await.ok_or(Failure::ServiceUnavailable)?;
        let hits = flow.store().search_leads(tenant, &search, *LIMITS.end()).await?;
        let (count, total) = (hits.leads.len(), hits.total);
        let message = format!(
            "Found {total} matching {}",
            if total == 1 { "lead" } else { "leads" }
        );
        let message = message.as_str();
        Outcome::new(
            &Data {
                leads: &hits.leads,
                total,
                query: &self.query,
                message,
            },
            &Summary {
                count,
                total,
                message,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let long = format!(r#"{{"query":"{}"}}"#, "ø".repeat(201));
        let longest = format!(r#"{{"query":"{}"}}"#, "ø".repeat(200));
        let table: [(&str, Result<&str, &[&str]>); 9] = [
            (
                r#"{"query":"john","status":"NEW"}"#,
                Ok(r#"{"query":"john","status":"NEW"}"#),
            ),
            (
                r#"{"query":" ","date_range":"week"}"#,
                Ok(r#"{"query":" ","date_range":"week"}"#),
            ),
            (
                r#"{"query":"a","date_range":{"from":"2026-02-07"}}"#,
                Ok(r#"{"query":"a","date_range":{"from":"2026-02-07T00:00:00.000Z"}}"#),
            ),
            (&longest, Ok(&longest)),
            (&long, Err(&["query"])),
            ("{}", Err(&["query"])),
            (r#"{"query":""}"#, Err(&["query"])),
            (
                r#"{"query":7,"status":1,"date_range":"ever"}"#,
                Err(&["query", "status", "date_range"]),
            ),
            (r#"{"query":"a","date_range":{"from":7}}"#, Err(&["date_range"])),
        ];
        for (json, expected) in table {
            let read = Parameters::read(json)
                .map(|parameters| serde_json::to_string(&parameters).unwrap())
                .map_err(|details| details.iter().map(|detail| detail.parameter).collect::<Vec<_>>());
            assert_eq!(read, expected.map(str::to_owned).map_err(<[_]>::to_vec), "{json}");
        }
    }
}
