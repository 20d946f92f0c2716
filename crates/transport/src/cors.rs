//! What browsers are told about pages of other origins.

use crate::OriginPolicy;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The answer to a preflight: these methods, and whatever headers it asked for.
pub(crate) fn preflight(request: &HeaderMap, methods: &'static str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(methods),
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
pub(crate) struct Cors {
    allowed: Option<HeaderValue>,
    depends_on_origin: bool,
}

impl Cors {
    pub(crate) fn of(policy: &OriginPolicy, request: &HeaderMap) -> Self {
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

    pub(crate) fn apply(self, headers: &mut HeaderMap) {
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
