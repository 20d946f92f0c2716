//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1) by a lead's version.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tidings_store::LeadVersion;
use tidings_transport::{Problem, ProblemCode};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::openapi::parameter;
use tidings_transport::openapi::schema::string;

/// Tags that a condition may list; a client knows one.
const TAGS_MAX: usize = 16;

/// What [`condition`] takes, as an expression.
const CONDITION: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// The header that [`if_match`] reads.
pub(super) enum IfMatch {}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The lead is written only if it is still of one of these versions; `*`: of any.";
        let schema = string().pattern(Some(CONDITION)).into();
        vec![parameter(
            ParameterIn::Header,
            header::IF_MATCH.as_str(),
            schema,
            about,
        )]
    }
}

/// The header that [`is_known`] reads.
pub(super) enum IfNoneMatch {}

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The lead is sent only if it is of none of these versions.";
        let schema = string().pattern(Some(CONDITION)).into();
        vec![parameter(
            ParameterIn::Header,
            header::IF_NONE_MATCH.as_str(),
            schema,
            about,
        )]
    }
}

/// What a condition asks for.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Any,
    OneOf(Vec<LeadVersion>),
}

/// A version as `ETag`.
pub(super) fn entity_tag(version: LeadVersion) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", version.0))
        .expect("Invariant: a number between quotes is a header value")
}

/// The versions that `If-Match` allows; any if it is not there, or `*`.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<LeadVersion>>, Problem> {
    Ok(match condition(headers, &header::IF_MATCH, false)? {
        None | Some(Condition::Any) => None,
        Some(Condition::OneOf(versions)) => Some(versions),
    })
}

/// Whether the client has this version already: it need not be sent again.
pub(crate) fn is_known(headers: &HeaderMap, version: LeadVersion) -> Result<bool, Problem> {
    Ok(match condition(headers, &header::IF_NONE_MATCH, true)? {
        None => false,
        Some(Condition::Any) => true,
        Some(Condition::OneOf(versions)) => versions.contains(&version),
    })
}

/// Tags that were never ours, and weak ones where they do not count, match nothing.
fn condition(headers: &HeaderMap, name: &HeaderName, weak: bool) -> Result<Option<Condition>, Problem> {
    let invalid = || {
        let what = "must be * or entity tags, each between quotes";
        Problem::new(ProblemCode::InvalidParameter).error(name.as_str(), what)
    };
    let mut versions = Vec::new();
    let mut is_there = false;
    for value in headers.get_all(name) {
        is_there = true;
        let text = value.to_str().map_err(|_| invalid())?;
        if text.trim() == "*" {
            return Ok(Some(Condition::Any));
        }
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (tag, is_weak);
            ((tag, is_weak), rest) = first_tag(text).ok_or_else(invalid)?;
            if let Ok(version) = tag.parse()
                && (weak || !is_weak)
                && versions.len() < TAGS_MAX
            {
                versions.push(LeadVersion(version));
            }
        }
    }
    Ok(is_there.then_some(Condition::OneOf(versions)))
}

/// The first tag of a list, whether it is weak, and what stands behind its comma.
fn first_tag(text: &str) -> Option<((&str, bool), Option<&str>)> {
    let text = text.trim_start();
    let (text, is_weak) = match text.strip_prefix("W/") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (tag, rest) = text.strip_prefix('"')?.split_once('"')?;
    let rest = match rest.trim_start() {
        "" => None,
        rest => Some(rest.strip_prefix(',')?),
    };
    Some(((tag, is_weak), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let versions = |numbers: &[i64]| {
            Some(Condition::OneOf(
                numbers.iter().map(|n| LeadVersion(*n)).collect(),
            ))
        };
        let table = [
            ("*", Some(Condition::Any)),
            ("\"3\"", versions(&[3])),
            ("\"3\" , \"4\"", versions(&[3, 4])),
            ("W/\"3\"", versions(&[])),
            ("\"another server's\"", versions(&[])),
            // A comma is as good as any other character of a tag.
            ("\"4,5\",\"6\"", versions(&[6])),
        ];
        for (text, expected) in table {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_str(text).unwrap())]);
            assert_eq!(
                condition(&headers, &header::IF_MATCH, false).unwrap(),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            condition(&HeaderMap::new(), &header::IF_MATCH, false).unwrap(),
            None
        );
        for wrong in ["3", "\"3", "", "\"3\",", "\"3\" \"4\"", "W/", "\"3\"x"] {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_str(wrong).unwrap())]);
            assert!(condition(&headers, &header::IF_MATCH, false).is_err(), "{wrong}");
        }
        let weak = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("W/\"3\""))]);
        assert!(is_known(&weak, LeadVersion(3)).unwrap() && !is_known(&weak, LeadVersion(4)).unwrap());
    }
}
