//! What the operators' listener refuses, as problems (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::field::FieldError;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token.
    MissingToken,
    /// A token that is not good, or no operator's or service's.
    InvalidToken,
    /// A token that was good.
    TokenExpired,
    /// A field that is not what it must be.
    Field(FieldError),
    /// The body is larger than this many bytes.
    BodyTooLarge(usize),
    /// The body did not come in time, or broke off.
    BodyIncomplete,
    /// The batch has more than this many events.
    BatchTooLarge(usize),
    /// The same idempotency key is being published by another request.
    InFlight,
    /// The bus does not take events.
    BusUnavailable,
    /// Our fault.
    Internal,
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl Refusal {
    /// Status, stable code, title.
    fn row(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MissingToken => (StatusCode::UNAUTHORIZED, "missing_token", "A token is needed"),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The token is not good here",
            ),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, "token_expired", "The token has expired"),
            Self::Field(_) => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The request is not well-formed",
            ),
            Self::BodyTooLarge(_) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body is too large",
            ),
            Self::BodyIncomplete => (
                StatusCode::REQUEST_TIMEOUT,
                "body_incomplete",
                "The body did not come whole",
            ),
            Self::BatchTooLarge(_) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "batch_too_large",
                "The batch has too many events",
            ),
            Self::InFlight => (
                StatusCode::CONFLICT,
                "in_flight",
                "The same request is being served",
            ),
            Self::BusUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "bus_unavailable",
                "The bus does not take events",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "The server failed",
            ),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::MissingToken => {
                "send `Authorization: Bearer TOKEN`; `tidings token create --operator` makes one".into()
            }
            Self::InvalidToken => {
                "it must be an operator's or service's, signed with this server's secret".into()
            }
            Self::TokenExpired => "`tidings token create --operator` makes a new one".into(),
            Self::Field(error) => error.to_string(),
            Self::BodyTooLarge(bytes_max) => format!("at most {bytes_max} bytes"),
            Self::BodyIncomplete => "the connection was too slow or broke".into(),
            Self::BatchTooLarge(events_max) => format!("at most {events_max} events"),
            Self::InFlight => "repeat it when the first one is answered".into(),
            Self::BusUnavailable => "nothing was published; try again later".into(),
            Self::Internal => "nothing more is known here; the log says more".into(),
        }
    }

    /// The problem's body.
    pub(super) fn to_json(&self) -> Value {
        let (status, code, title) = self.row();
        let mut problem = json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "code": code,
            "detail": self.detail(),
        });
        if let Self::Field(error) = self
            && error.field != "body"
        {
            problem["errors"] =
                json!([{"pointer": format!("/{}", error.field), "detail": error.to_string()}]);
        }
        problem
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::MissingToken => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::InvalidToken | Self::TokenExpired => Some((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            )),
            Self::InFlight | Self::BusUnavailable => {
                Some((header::RETRY_AFTER, HeaderValue::from_static("1")))
            }
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let content_type = (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        let mut response = (self.row().0, [content_type], self.to_json().to_string()).into_response();
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
