//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1) by a lead's version.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use tidings_store::LeadVersion;
use tidings_transport::{Problem, ProblemCode};

/// Tags that a condition may list; a client knows one.
const TAGS_MAX: usize = 16;

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
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<LeadVersion>>, Problem> {
    Ok(match condition(headers, &header::IF_MATCH, false)? {
        None | Some(Condition::Any) => None,
        Some(Condition::OneOf(versions)) => Some(versions),
    })
}

/// Whether the client has this version already: it need not be sent again.
pub(super) fn is_known(headers: &HeaderMap, version: LeadVersion) -> Result<bool, Problem> {
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
        for tag in text.split(',') {
            let tag = tag.trim();
            let (tag, is_weak) = match tag.strip_prefix("W/") {
                Some(tag) => (tag, true),
                None => (tag, false),
            };
            let tag = tag
                .strip_prefix('"')
                .and_then(|tag| tag.strip_suffix('"'))
                .ok_or_else(invalid)?;
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
        for wrong in ["3", "\"3", "", "\"3\","] {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_str(wrong).unwrap())]);
            assert!(condition(&headers, &header::IF_MATCH, false).is_err(), "{wrong}");
        }
        let weak = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("W/\"3\""))]);
        assert!(is_known(&weak, LeadVersion(3)).unwrap() && !is_known(&weak, LeadVersion(4)).unwrap());
    }
}
