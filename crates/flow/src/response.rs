//! What the caller of a command is told.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{StoreError, TenantId};
use tidings_wire::time::Timestamp;

use crate::jobs::Unanswered;
use crate::parameters::Detail;

/// The answer to a command: the data of `voice_command_response` and of the acknowledgement.
#[derive(Debug, Serialize)]
pub(crate) struct Response {
    success: bool,
    /// As it was sent; null if it was no text.
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Vec<Detail>>,
    tenant: TenantId,
    timestamp: Timestamp,
    /// What ends behind this answer; to be dropped when it was sent.
    #[serde(skip)]
    _job: Option<Unanswered>,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    AccessDenied,
    UnknownCommand,
    InvalidParameters(Vec<Detail>),
    RateLimited,
    ServiceUnavailable,
    InternalError,
}

impl Failure {
    /// One of the six texts that clients compare with.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Failure::AccessDenied => "Access denied",
            Failure::UnknownCommand => "Unknown command",
            Failure::InvalidParameters(_) => "Invalid parameters",
            Failure::RateLimited => "Rate limited",
            Failure::ServiceUnavailable => "Service unavailable",
            Failure::InternalError => "Internal error",
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        match error {
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "a command failed because the store is unavailable");
                Failure::ServiceUnavailable
            }
            StoreError::Full { .. } => Failure::RateLimited,
            error => {
                tracing::error!(%error, "a command failed in the store");
                Failure::InternalError
            }
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        tracing::error!(%error, "an answer could not be written");
        Failure::InternalError
    }
}

impl Response {
    pub(crate) fn new(
        command: Option<String>,
        result: Result<Box<RawValue>, Failure>,
        tenant: TenantId,
        timestamp: Timestamp,
    ) -> Response {
        let (data, failure) = match result {
            Ok(data) => (Some(data), None),
            Err(failure) => (None, Some(failure)),
        };
        Response {
            success: failure.is_none(),
            command,
            data,
            error: failure.as_ref().map(Failure::text),
            details: failure.and_then(|failure| match failure {
                Failure::InvalidParameters(details) => Some(details),
                _ => None,
            }),
            tenant,
            timestamp,
            _job: None,
        }
    }

    /// The same answer, with a job that ends behind it.
    pub(crate) fn before(self, job: Option<Unanswered>) -> Response {
        Response { _job: job, ..self }
    }

    /// The answer as JSON text.
    pub(crate) fn json(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self)
            .expect("Invariant: an answer holds texts, times and finished JSON only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(command: Option<&str>, result: Result<&str, Failure>) -> String {
        let result = result.map(|data| RawValue::from_string(data.to_owned()).unwrap());
        let tenant = TenantId::new("demo1").unwrap();
        let response = Response::new(
            command.map(str::to_owned),
            result,
            tenant,
            Timestamp::from_millis(0),
        );
        response.json().get().to_owned()
    }

    #[test]
    fn exact_texts() {
        assert_eq!(
            json(Some("get_leads"), Ok(r#"{"leads":[]}"#)),
            r#"{"success":true,"command":"get_leads","data":{"leads":[]},"tenant":"demo1","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
        assert_eq!(
            json(None, Err(Failure::UnknownCommand)),
            r#"{"success":false,"command":null,"error":"Unknown command","tenant":"demo1","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
        assert_eq!(
            json(
                Some("create_lead"),
                Err(Failure::InvalidParameters(vec![Detail::missing("name", "text")]))
            ),
            r#"{"success":false,"command":"create_lead","error":"Invalid parameters","details":[{"parameter":"name","expected":"text","message":"name is required"}],"tenant":"demo1","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
