//! Answers to Engine.IO requests: refusals, bodies, CORS.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::OriginPolicy;

/// Why a request is refused; clients know these by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadHandshakeMethod,
    BadRequest,
    Forbidden,
    UnsupportedVersion,
}

impl Refusal {
    const fn body(self) -> &'static str {
        match self {
            Self::TransportUnknown => r#"{"code":0,"message":"Transport unknown"}"#,
            Self::SessionUnknown => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::BadHandshakeMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Self::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Self::Forbidden => r#"{"code":4,"message":"Forbidden"}"#,
            Self::UnsupportedVersion => r#"{"code":5,"message":"Unsupported protocol version"}"#,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, [(header::CONTENT_TYPE, "application/json")], self.body()).into_response()
    }
}

/// The answer to a GET: packets.
pub(super) fn packets(payload: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=UTF-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from(payload)).into_response()
}

/// The answer to a POST. HTML, because some browsers offer plain text for download.
pub(super) fn accepted() -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/html"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        "ok",
    )
        .into_response()
}

/// The answer to a preflight.
pub(super) fn preflight(request: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Access-Control-Request-Headers"),
    );
    if let Some(asked) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

/// What a browser is told about who may read an answer. Every answer carries it, refusals too.
pub(super) struct Cors {
    allowed: Option<HeaderValue>,
    depends_on_origin: bool,
}

impl Cors {
    pub(super) fn of(policy: &OriginPolicy, request: &HeaderMap) -> Self {
        let allowed = match policy {
            OriginPolicy::Any => Some(HeaderValue::from_static("*")),
            // A copy, because the value points into the buffer that the request was read into.
            _ => policy
                .allowed_origin(request)
                .and_then(|origin| HeaderValue::from_bytes(origin.as_bytes()).ok()),
        };
        Self {
            allowed,
            depends_on_origin: *policy != OriginPolicy::Any,
        }
    }

    pub(super) fn apply(self, headers: &mut HeaderMap) {
        if self.depends_on_origin {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            if self.allowed.is_some() {
                headers.insert(
                    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                    HeaderValue::from_static("true"),
                );
            }
        }
        if let Some(allowed) = self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
    }
}
