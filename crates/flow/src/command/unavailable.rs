//! `compliance_check`: known and checked, but nothing carries it out yet.

use crate::parameters::{Detail, Reader, text};
use crate::response::Failure;

pub(super) fn compliance_check(json: &str) -> Failure {
    check(json, |reader| {
        word(
            reader,
            "check_type",
            "one of gdpr, nis2, security, all",
            &["gdpr", "nis2", "security", "all"],
        );
        word(
            reader,
            "severity",
            "one of low, medium, high, critical",
            &["low", "medium", "high", "critical"],
        );
    })
}

fn check(json: &str, read: impl FnOnce(&mut Reader<'_>)) -> Failure {
    let checked: Result<(), Vec<Detail>> =
        Reader::new(json, &["check_type", "severity"]).and_then(|mut reader| {
            read(&mut reader);
            reader.finish(Some(()))
        });
    match checked {
        Ok(()) => Failure::ServiceUnavailable,
        Err(details) => Failure::InvalidParameters(details),
    }
}

fn word(reader: &mut Reader<'_>, name: &'static str, expected: &'static str, words: &[&str]) {
    reader.optional(name, expected, |json| {
        text(json).filter(|text| words.contains(&text.as_str()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked_first() {
        assert_eq!(
            compliance_check(r#"{"check_type":"nis2","severity":"critical"}"#),
            Failure::ServiceUnavailable
        );
        let failure = compliance_check("[]");
        assert!(matches!(failure, Failure::InvalidParameters(details) if details.len() == 1));
    }
}
