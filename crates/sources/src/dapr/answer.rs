//! What Dapr is told.

use crate::Outcome;
use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidings_transport::{Problem, ProblemCode};
use utoipa::ToSchema;

/// The header that the sidecar shows its token in.
pub(super) const API_TOKEN: &str = "dapr-api-token";

/// The status of a delivery, spelled as Dapr wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = DeliveryStatus)]
pub(super) enum Status {
    Success,
    Drop,
    Retry,
}

/// What became of a delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAnswer)]
pub(super) struct Answer {
    /// `SUCCESS` once the bus has it, `DROP` for what can never be delivered, `RETRY` for what should come again.
    status: Status,
}

impl Status {
    pub(super) fn of(outcome: Outcome) -> Status {
        match outcome {
            Outcome::Accepted(_) | Outcome::Duplicate => Status::Success,
            Outcome::Dropped(_) => Status::Drop,
            Outcome::Retry(_) => Status::Retry,
        }
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        Json(Answer { status: self }).into_response()
    }
}

/// Who asks is not the sidecar.
pub(super) fn unauthorized(code: ProblemCode, detail: &'static str) -> Response {
    Problem::new(code)
        .detail(detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(API_TOKEN))
        .into_response()
}
