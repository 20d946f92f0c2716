//! `get_metrics`: what there is and what happened, counted.

use std::collections::BTreeMap;

use serde::Serialize;
use tidings_store::{LeadCounts, TenantId};
use tidings_transport::openapi::schema::{count, object};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Outcome;
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, text};
use crate::period::Period;
use crate::response::Failure;

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MetricType {
    Leads,
    Voice,
    Events,
    Connections,
    All,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_type: Option<MetricType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
}

/// What `get_metrics` counted.
#[derive(Serialize, ToSchema)]
#[schema(as = MetricsCounted)]
pub(crate) struct Data<'a> {
    metrics: &'a Metrics,
    message: &'a str,
}

#[derive(Serialize)]
struct Summary<'a> {
    r#type: MetricType,
    period: Period,
    message: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Metrics {
    r#type: MetricType,
    period: Period,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Counts {
    Leads(LeadCounts),
    Group(Group),
    All {
        #[serde(flatten)]
        leads: LeadCounts,
        voice: Group,
        events: Group,
        connections: Group,
    },
}

/// Counts whose metrics have one prefix.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    total: u64,
    #[serde(flatten)]
    parts: BTreeMap<String, u64>,
}

/// Counts stand beside each other, and in groups where all are asked for.
impl PartialSchema for Metrics {
    fn schema() -> RefOr<Schema> {
        let group = object().additional_properties(Some(count()));
        let counts = AnyOfBuilder::new().item(count()).item(group);
        object()
            .property("type", MetricType::schema())
            .required("type")
            .property("period", Period::schema())
            .required("period")
            .property("total", count())
            .required("total")
            .additional_properties(Some(RefOr::T(counts.into())))
            .into()
    }
}

impl ToSchema for Metrics {}

/// What [`Parameters::read`] takes.
impl PartialSchema for Parameters {
    fn schema() -> RefOr<Schema> {
        object()
            .property("metric_type", MetricType::schema())
            .property("period", Period::schema())
            .into()
    }
}

impl Parameters {
    pub(crate) fn read(json: &str) -> Result<Parameters, Vec<Detail>> {
        let mut reader = Reader::new(json, &["metric_type", "period"])?;
        let metric_type = reader.optional(
            "metric_type",
            "one of leads, voice, events, connections, all",
            |json| MetricType::parse(&text(json)?),
        );
        let period = reader.optional("period", "one of day, week, month, year, all", |json| {
            Period::parse(&text(json)?)
        });
        reader.finish(Some(Parameters { metric_type, period }))
    }

    pub(crate) async fn run(&self, flow: &Flow, tenant: &TenantId) -> Result<Outcome, Failure> {
        let r#type = self.metric_type.unwrap_or(MetricType::Leads);
        let period = self.period.unwrap_or(Period::Month);
        let since = period.since(flow.now());
        let happened = if r#type == MetricType::Leads {
            BTreeMap::new()
        } else {
            // What was counted a moment ago counts.
            flow.usage().write(flow.store()).await?;
            flow.store().metric_counts(tenant, since).await?
        };
        let group = |prefix| Group::of(&happened, prefix);
        let _turn = flow.admit_query().await.ok_or(Failure::ServiceUnavailable)?;
        let counts = match r#type {
            MetricType::Leads => Counts::Leads(flow.store().lead_counts(tenant, since).await?),
            MetricType::Voice => Counts::Group(group("voice.")),
            MetricType::Events => Counts::Group(group("events.")),
            MetricType::Connections => Counts::Group(group("connections.")),
            MetricType::All => Counts::All {
                leads: flow.store().lead_counts(tenant, since).await?,
                voice: group("voice."),
                events: group("events."),
                connections: group("connections."),
            },
        };
        let message = format!("Metrics for {} over period {}", r#type.as_str(), period.as_str());
        let metrics = Metrics {
            r#type,
            period,
            counts,
        };
        Outcome::new(
            &Data {
                metrics: &metrics,
                message: &message,
            },
            &Summary {
                r#type,
                period,
                message: &message,
            },
        )
    }
}

impl MetricType {
    fn parse(word: &str) -> Option<MetricType> {
        Some(match word {
            "leads" => MetricType::Leads,
            "voice" => MetricType::Voice,
            "events" => MetricType::Events,
            "connections" => MetricType::Connections,
            "all" => MetricType::All,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            MetricType::Leads => "leads",
            MetricType::Voice => "voice",
            MetricType::Events => "events",
            MetricType::Connections => "connections",
            MetricType::All => "all",
        }
    }
}

impl Group {
    fn of(counts: &BTreeMap<String, u64>, prefix: &str) -> Group {
        let parts: BTreeMap<String, u64> = counts
            .iter()
            .filter_map(|(metric, count)| Some((metric.strip_prefix(prefix)?.to_owned(), *count)))
            .collect();
        Group {
            total: parts.values().sum(),
            parts,
        }
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
                r#"{"metric_type":"leads","period":"month"}"#,
                Ok(r#"{"metric_type":"leads","period":"month"}"#),
            ),
            (
                r#"{"period":"all","metric_type":"all"}"#,
                Ok(r#"{"metric_type":"all","period":"all"}"#),
            ),
            (
                r#"{"period":"hour","metric_type":7}"#,
                Err(&["metric_type", "period"]),
            ),
        ];
        for (json, expected) in table {
            let read = Parameters::read(json)
                .map(|parameters| serde_json::to_string(&parameters).unwrap())
                .map_err(|details| details.iter().map(|detail| detail.parameter).collect::<Vec<_>>());
            assert_eq!(read, expected.map(str::to_owned).map_err(<[_]>::to_vec), "{json}");
        }
    }

    #[test]
    fn counts_stand_beside_each_other() {
        let happened: BTreeMap<String, u64> = [
            ("voice.failed", 1),
            ("voice.succeeded", 2),
            ("events.lead_event", 4),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let metrics = Metrics {
            r#type: MetricType::Voice,
            period: Period::Day,
            counts: Counts::Group(Group::of(&happened, "voice.")),
        };
        assert_eq!(
            serde_json::to_string(&metrics).unwrap(),
            r#"{"type":"voice","period":"day","total":3,"failed":1,"succeeded":2}"#
        );
        let metrics = Metrics {
            r#type: MetricType::Leads,
            period: Period::Month,
            counts: Counts::Leads(LeadCounts::default()),
        };
        assert_eq!(
            serde_json::to_string(&metrics).unwrap(),
            r#"{"type":"leads","period":"month","total":0,"new":0,"contacted":0,"qualified":0,"lost":0}"#
        );
    }
}
