//! What `GET /leads` is asked for.

use tidings_store::{LeadCursor, LeadFilter, LeadSource, LeadStatus, TimeRange};
use tidings_transport::{Problem, ProblemCode};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema};

use super::openapi::parameter;
use crate::period::{beginning, end_of};
use tidings_transport::openapi::schema::{format, string};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 100;
const QUERY_CHARACTERS_MAX: usize = 200;

/// What to list.
pub(crate) struct Listing {
    pub(super) filter: LeadFilter,
    pub(super) limit: u32,
    pub(super) after: Option<LeadCursor>,
}

impl Listing {
    pub(crate) fn read(query: &[(String, String)]) -> Result<Listing, Problem> {
        let mut query = QueryReader { query, problem: None };
        let status = query.get("status", "one of NEW, CONTACTED, QUALIFIED, LOST", |text| {
            text.parse().ok()
        });
        let source = query.get(
            "source",
            "a text of 1 to 64 characters without control characters",
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

/// What [`Listing::read`] takes.
impl IntoParams for Listing {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let of_query = |name, schema, about| parameter(ParameterIn::Query, name, schema, about);
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(LIMIT_MAX))
            .default(Some(LIMIT_DEFAULT.into()));
        let words = string().max_length(Some(QUERY_CHARACTERS_MAX));
        vec![
            of_query(
                "status",
                LeadStatus::schema(),
                "Only leads of this status; case does not matter.",
            ),
            of_query(
                "source",
                LeadSource::schema(),
                "Only leads that came in like this.",
            ),
            of_query(
                "q",
                words.into(),
                "Only leads in which each of these words begins a word.",
            ),
            of_query(
                "from",
                time(),
                "Only leads created then or later; a date means its first moment.",
            ),
            of_query(
                "to",
                time(),
                "Only leads created then or earlier; a date means its last moment.",
            ),
            of_query("limit", limit.into(), "How many leads a page has."),
            of_query(
                "cursor",
                LeadCursor::schema(),
                "The `nextCursor` of the page before.",
            ),
        ]
    }
}

fn time() -> RefOr<Schema> {
    AnyOfBuilder::new()
        .item(format(KnownFormat::DateTime))
        .item(format(KnownFormat::Date))
        .into()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn is_good(name: &str, text: &str) -> bool {
        Listing::read(&[(name.to_owned(), text.to_owned())]).is_ok()
    }

    #[test]
    fn the_parameters_have_the_limits_of_the_reader() {
        let limits = [
            ("limit", vec!["1", "100"], vec!["0", "101", "-1", "1.5", "x"]),
            ("status", vec!["NEW", "LOST"], vec!["OLD"]),
            (
                "from",
                vec!["2026-01-01", "2026-01-01T10:00:00+01:00"],
                vec!["soon", "2026-13-01"],
            ),
            ("to", vec!["2026-01-01", "2026-01-01T10:00:00Z"], vec!["2026-01"]),
        ];
        for (name, good, wrong) in limits {
            assert!(good.iter().all(|text| is_good(name, text)), "{name}");
            assert!(!wrong.iter().any(|text| is_good(name, text)), "{name}");
        }
        let json = serde_json::to_value(Listing::into_params(|| None)).unwrap();
        let schema_of = |name: &str| {
            let parameters = json.as_array().unwrap();
            parameters
                .iter()
                .find(|parameter| parameter["name"] == name)
                .unwrap()["schema"]
                .clone()
        };
        for name in ["q", "source"] {
            let most = usize::try_from(schema_of(name)["maxLength"].as_u64().unwrap()).unwrap();
            assert!(
                is_good(name, &"ø".repeat(most)) && !is_good(name, &"ø".repeat(most + 1)),
                "{name}"
            );
        }
        assert_eq!(schema_of("limit")["maximum"], LIMIT_MAX);
        assert_eq!(
            schema_of("limit")["default"],
            Listing::read(&[]).ok().unwrap().limit
        );
    }
}
