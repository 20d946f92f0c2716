//! What the application's route answers.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

/// An answer as it was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Let in, for so long if it says so.
    Allowed(Option<Duration>),
    /// Not let in.
    Denied,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no answer in time")]
    Late,
    #[error("{0}")]
    Broken(String),
    #[error("it answers {0}")]
    Status(u16),
    #[error("it answers more than {0} bytes")]
    TooLarge(usize),
    #[error("its answer is not {{\"allow\": true, \"ttl_s\": 60}}: {0}")]
    Malformed(String),
}

#[derive(Deserialize)]
struct Body {
    allow: bool,
    #[serde(default)]
    ttl_s: Option<f64>,
}

impl Answer {
    /// Reads an answer: of a success its body, of a client error that nobody is let in. Everything else is none.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Answer, NoAnswer> {
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Err(NoAnswer::Status(status.as_u16()))
            }
            status if status.is_success() => Answer::read_body(body),
            // It is about the user and the room, which clients choose: no reason to leave the route alone.
            status if status.is_client_error() => Ok(Answer::Denied),
            status => Err(NoAnswer::Status(status.as_u16())),
        }
    }

    fn read_body(body: &[u8]) -> Result<Answer, NoAnswer> {
        let malformed = |what: &str| NoAnswer::Malformed(what.to_owned());
        let Body { allow, ttl_s } =
            serde_json::from_slice(body).map_err(|error| malformed(&error.to_string()))?;
        if !allow {
            return Ok(Answer::Denied);
        }
        let holds = ttl_s.map(Duration::try_from_secs_f64).transpose();
        holds
            .map(Answer::Allowed)
            .map_err(|_| malformed("ttl_s is no number of seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short form of what was understood.
    fn understood(status: u16, body: &str) -> String {
        match Answer::read(StatusCode::from_u16(status).unwrap(), body.as_bytes()) {
            Ok(Answer::Allowed(None)) => "allowed".to_owned(),
            Ok(Answer::Allowed(Some(holds))) => format!("allowed {}", holds.as_millis()),
            Ok(Answer::Denied) => "denied".to_owned(),
            Err(NoAnswer::Malformed(_)) => "malformed".to_owned(),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn table() {
        for (status, body, expected) in [
            (200, r#"{"allow": true, "ttl_s": 30}"#, "allowed 30000"),
            (
                200,
                r#"{"ttl_s": 0.25, "more": [], "allow": true}"#,
                "allowed 250",
            ),
            (200, r#"{"allow": true, "ttl_s": 0}"#, "allowed 0"),
            (201, r#"{"allow": true}"#, "allowed"),
            (200, r#"{"allow": true, "ttl_s": null}"#, "allowed"),
            (200, r#"{"allow": false, "ttl_s": 3600}"#, "denied"),
            (200, r#"{"allow": false}"#, "denied"),
            (200, r#"{"allow": false, "ttl_s": -1}"#, "denied"),
            (200, r#"{"allow": true, "ttl_s": -1}"#, "malformed"),
            (200, r#"{"allow": true, "ttl_s": 1e300}"#, "malformed"),
            (200, r#"{"allow": true, "ttl_s": "30"}"#, "malformed"),
            (200, r#"{"allow": "true"}"#, "malformed"),
            (200, r#"{"allow": 1}"#, "malformed"),
            (200, r#"{"allow": null}"#, "malformed"),
            (200, r#"{"allow": true, "allow": true}"#, "malformed"),
            (200, r#"{"allowed": true}"#, "malformed"),
            (200, "true", "malformed"),
            (200, "<html>", "malformed"),
            (204, "", "malformed"),
            (400, r#"{"allow": true}"#, "denied"),
            (401, "", "denied"),
            (403, "", "denied"),
            (404, "", "denied"),
            (408, "", "it answers 408"),
            (429, "", "it answers 429"),
            (302, r#"{"allow": true}"#, "it answers 302"),
            (500, r#"{"allow": true}"#, "it answers 500"),
            (503, "", "it answers 503"),
        ] {
            assert_eq!(understood(status, body), expected, "{status} {body}");
        }
    }
}
