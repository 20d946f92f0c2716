//! What the operators' listener refuses, as problems (RFC 9457).

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tidings_sources::DropReason;
use tidings_transport::{Problem, ProblemCode};

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
    /// A token that was good until somebody revoked it.
    TokenRevoked,
    /// A field that is not what it must be.
    Field(FieldError),
    /// The batch has more than this many events.
    BatchTooLarge(usize),
    /// The same request is being published right now.
    InFlight,
    /// The idempotency key stands for another request.
    KeyTaken,
    /// The event can never be delivered; it is kept as a dead letter.
    Undeliverable(DropReason),
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
    fn code(&self) -> ProblemCode {
        match self {
            Self::MissingToken => ProblemCode::MissingToken,
            Self::InvalidToken | Self::TokenExpired => ProblemCode::InvalidToken,
            Self::TokenRevoked => ProblemCode::Forbidden,
            Self::Field(_) => ProblemCode::InvalidBody,
            Self::BatchTooLarge(_) => ProblemCode::PayloadTooLarge,
            Self::InFlight | Self::KeyTaken => ProblemCode::Conflict,
            Self::Undeliverable(_) => ProblemCode::UndeliverableEvent,
            Self::BusUnavailable => ProblemCode::BusUnavailable,
            Self::Internal => ProblemCode::InternalError,
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
            Self::TokenExpired => "it has expired; `tidings token create --operator` makes a new one".into(),
            Self::TokenRevoked => "it is revoked; `tidings token create --operator` makes a new one".into(),
            Self::Field(error) => error.to_string(),
            Self::BatchTooLarge(events_max) => format!("at most {events_max} events"),
            Self::InFlight => "the same idempotency key is being published; repeat it later".into(),
            Self::KeyTaken => "this idempotency key came with another body before; choose a new one".into(),
            Self::Undeliverable(reason) => format!("{reason}; the event is kept as a dead letter"),
            Self::BusUnavailable => "nothing was published; try again later".into(),
            Self::Internal => "nothing more is known here; the log says more".into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let problem = Problem::new(refusal.code()).detail(refusal.detail());
        match refusal {
            Refusal::MissingToken => {
                problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Refusal::InvalidToken | Refusal::TokenExpired => problem.header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            ),
            Refusal::Field(error) if error.field != "body" => {
                problem.error(format!("/{}", error.field), error.to_string())
            }
            _ => problem,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
