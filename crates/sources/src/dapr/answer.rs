//! What Dapr is told.

use crate::Outcome;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// The status of a delivery, spelled as Dapr wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Success,
    Drop,
    Retry,
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
        #[derive(Serialize)]
        struct Answer {
            status: Status,
        }
        Json(Answer { status: self }).into_response()
    }
}

/// 401, in the form of the other problems.
pub(super) fn unauthorized(code: &'static str, detail: &'static str) -> Response {
    let problem = json!({ "type": "about:blank", "title": "Unauthorized", "status": 401, "code": code, "detail": detail });
    let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::UNAUTHORIZED, content_type, problem.to_string()).into_response()
}
