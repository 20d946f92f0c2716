//! Spans of time as people name them.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::TimeRange;
use tidings_transport::openapi::schema::{format, object, words};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, Schema};

use crate::parameters::{Members, text};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The time up to now. Weeks, months and years are the last 7, 30 and 365 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    Day,
    Week,
    Month,
    Year,
    All,
}

impl Period {
    pub(crate) fn parse(word: &str) -> Option<Period> {
        Some(match word {
            "day" => Period::Day,
            "week" => Period::Week,
            "month" => Period::Month,
            "year" => Period::Year,
            "all" => Period::All,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Year => "year",
            Period::All => "all",
        }
    }

    /// When the period began; `None` if it never did.
    pub(crate) fn since(self, now: Timestamp) -> Option<Timestamp> {
        let days = match self {
            Period::Day => 1,
            Period::Week => 7,
            Period::Month => 30,
            Period::Year => 365,
            Period::All => return None,
        };
        Some(Timestamp::from_millis(now.as_millis() - days * DAY_MS))
    }
}

/// A range of dates as a client may give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum DateRange {
    Word(DateWord),
    Ends {
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Timestamp>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DateWord {
    Today,
    Week,
    Month,
    Year,
}

impl DateRange {
    /// What [`DateRange::read`] takes, for people.
    pub(crate) const EXPECTED: &str =
        "today, week, month, year or {from?, to?} with dates or RFC 3339 timestamps";

    /// The same as a schema.
    pub(crate) fn schema() -> Schema {
        let end = || {
            AnyOfBuilder::new()
                .item(format(KnownFormat::DateTime))
                .item(format(KnownFormat::Date))
        };
        AnyOfBuilder::new()
            .item(words(["today", "week", "month", "year"]))
            .item(object().property("from", end()).property("to", end()))
            .into()
    }

    pub(crate) fn read(json: &RawValue) -> Option<DateRange> {
        if let Some(word) = text(json) {
            return Some(DateRange::Word(match word.as_str() {
                "today" => DateWord::Today,
                "week" => DateWord::Week,
                "month" => DateWord::Month,
                "year" => DateWord::Year,
                _ => return None,
            }));
        }
        let members = Members::read(json.get(), &["from", "to"])?;
        let end = |name, read: fn(&str) -> Option<Timestamp>| match members.get(name) {
            Some(json) => text(json).and_then(|text| read(&text)).map(Some),
            None => Some(None),
        };
        Some(DateRange::Ends {
            from: end("from", beginning)?,
            to: end("to", end_of)?,
        })
    }

    /// The span of time it means.
    pub(crate) fn range(self, now: Timestamp) -> TimeRange {
        let since = |period: Period| TimeRange {
            from: period.since(now),
            to: None,
        };
        match self {
            DateRange::Word(DateWord::Today) => {
                let millis = now.as_millis();
                TimeRange {
                    from: Some(Timestamp::from_millis(millis - millis.rem_euclid(DAY_MS))),
                    to: None,
                }
            }
            DateRange::Word(DateWord::Week) => since(Period::Week),
            DateRange::Word(DateWord::Month) => since(Period::Month),
            DateRange::Word(DateWord::Year) => since(Period::Year),
            DateRange::Ends { from, to } => TimeRange { from, to },
        }
    }
}

/// A timestamp, or the first moment of a date.
pub(crate) fn beginning(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text)
        .or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .ok()
}

/// A timestamp, or the last moment of a date.
pub(crate) fn end_of(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text)
        .or_else(|_| Timestamp::parse(&format!("{text}T23:59:59.999Z")))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(json: &str) -> Option<(Option<String>, Option<String>)> {
        let now = Timestamp::parse("2026-02-07T12:00:00Z").unwrap();
        let range = DateRange::read(serde_json::from_str(json).unwrap())?.range(now);
        Some((
            range.from.map(|time| time.to_string()),
            range.to.map(|time| time.to_string()),
        ))
    }

    #[test]
    fn date_ranges() {
        let some = |text: &str| Some(text.to_owned());
        let table = [
            (r#""today""#, Some((some("2026-02-07T00:00:00.000Z"), None))),
            (r#""week""#, Some((some("2026-01-31T12:00:00.000Z"), None))),
            ("{}", Some((None, None))),
            (
                r#"{"from":"2026-01-01"}"#,
                Some((some("2026-01-01T00:00:00.000Z"), None)),
            ),
            (
                r#"{"to":"2026-01-01","from":null}"#,
                Some((None, some("2026-01-01T23:59:59.999Z"))),
            ),
            (
                r#"{"from":"2026-01-01T10:00:00+01:00"}"#,
                Some((some("2026-01-01T09:00:00.000Z"), None)),
            ),
            (r#"{"from":"soon"}"#, None),
            (r#"{"from":1}"#, None),
            (r#""tomorrow""#, None),
            ("7", None),
        ];
        for (json, expected) in table {
            assert_eq!(range(json), expected, "{json}");
        }
    }

    #[test]
    fn periods() {
        for word in ["day", "week", "month", "year", "all"] {
            assert_eq!(Period::parse(word).unwrap().as_str(), word);
        }
        assert_eq!(Period::parse("decade"), None);
        assert_eq!(Period::All.since(Timestamp::from_millis(0)), None);
    }
}
