//! What the caller of a command is told.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{StoreError, TenantId};
use tidings_transport::openapi::schema::{format, object, or_null, string, word, words};
use tidings_wire::time::Timestamp;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

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

/// The answer to a command that was carried out, whose data has this schema.
pub(crate) fn success_schema(command: &str, data: impl Into<RefOr<Schema>>) -> Schema {
    schema_of(true, word(command))
        .property("data", data)
        .required("data")
        .into()
}

/// The answer to a command that was not.
pub(crate) fn failure_schema() -> Schema {
    let details = ArrayBuilder::new().items(Ref::from_schema_name(Detail::name()));
    schema_of(false, or_null(string()))
        .property("error", words(Failure::TEXTS))
        .required("error")
        .property("details", details)
        .into()
}

fn schema_of(success: bool, command: ObjectBuilder) -> ObjectBuilder {
    let success = ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([success]));
    object()
        .property("success", success)
        .required("success")
        .property("command", command)
        .required("command")
        .property("tenant", TenantId::schema())
        .required("tenant")
        .property("timestamp", format(KnownFormat::DateTime))
        .required("timestamp")
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
    /// All texts.
    pub(crate) const TEXTS: [&str; 6] = [
        "Access denied",
        "Unknown command",
        "Invalid parameters",
        "Rate limited",
        "Service unavailable",
        "Internal error",
    ];

    /// One of the six texts that clients compare with.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Failure::AccessDenied => Failure::TEXTS[0],
            Failure::UnknownCommand => Failure::TEXTS[1],
            Failure::InvalidParameters(_) => Failure::TEXTS[2],
            Failure::RateLimited => Failure::TEXTS[3],
            Failure::ServiceUnavailable => Failure::TEXTS[4],
            Failure::InternalError => Failure::TEXTS[5],
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
