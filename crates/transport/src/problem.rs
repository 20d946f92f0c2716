//! Refusals over HTTP: RFC 9457 problems with a stable `code`.

mod code;

pub use code::ProblemCode;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

/// When a client that was told 429 or 503 may try again, unless the problem says otherwise.
const RETRY_AFTER_S: u32 = 1;

/// A refusal. Boxed, because results carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    code: ProblemCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    retry_after_s: Option<u32>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, as a JSON pointer (RFC 6901), or the name of a parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
struct Body<'a> {
    /// Always `about:blank`.
    r#type: &'static str,
    /// What the code means, for people.
    title: &'static str,
    /// The answer's status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Why; stable, for programs.
    #[schema(pattern = "^[a-z][a-z_]*$")]
    code: &'static str,
    /// What was wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<&'a str>,
    /// The fields that were wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem with its code's status and title.
    pub fn new(code: ProblemCode) -> Self {
        let retry_after_s = matches!(
            code.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        )
        .then_some(RETRY_AFTER_S);
        Self(Box::new(Parts {
            code,
            detail: None,
            errors: Vec::new(),
            headers: Vec::new(),
            retry_after_s,
        }))
    }

    /// Says what is wrong this time. Never with a token or a key in it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names a field and what is wrong with it.
    #[must_use]
    pub fn error(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to try again; 429 and 503 always say so, after one second by default.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Why.
    pub fn code(&self) -> ProblemCode {
        self.0.code
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.0.code.status()
    }
}

impl From<ProblemCode> for Problem {
    fn from(code: ProblemCode) -> Self {
        Self::new(code)
    }
}

/// The body alone, for answers that hold several.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = self.code();
        Body {
            r#type: "about:blank",
            title: code.title(),
            status: code.status().as_u16(),
            code: code.as_str(),
            detail: self.0.detail.as_deref(),
            errors: &self.0.errors,
        }
        .serialize(serializer)
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Body::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Body::schemas(schemas);
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("Invariant: a problem holds only texts and numbers");
        let Parts {
            code,
            headers,
            retry_after_s,
            ..
        } = *self.0;
        let mut response = (code.status(), body).into_response();
        let to = response.headers_mut();
        to.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after_s {
            to.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(code, ProblemCode::MissingToken | ProblemCode::InvalidToken) {
            to.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if code == ProblemCode::UpgradeRequired {
            to.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            to.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            to.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        for (name, value) in headers {
            to.insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_says_what_is_wrong_where() {
        let problem = Problem::new(ProblemCode::InvalidBody)
            .detail("two \"things\"")
            .error("/email", "missing");
        let response = problem.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(
            text(response).await,
            r#"{"type":"about:blank","title":"The body is not well-formed","status":400,"code":"invalid_body","detail":"two \"things\"","errors":[{"pointer":"/email","message":"missing"}]}"#
        );
    }

    #[test]
    fn codes_bring_their_headers() {
        let headers = |code: ProblemCode| Problem::new(code).into_response().headers().clone();
        assert_eq!(
            headers(ProblemCode::MissingToken)[header::WWW_AUTHENTICATE],
            "Bearer"
        );
        assert_eq!(
            headers(ProblemCode::UpgradeRequired)[header::SEC_WEBSOCKET_VERSION],
            "13"
        );
        assert_eq!(headers(ProblemCode::Overloaded)[header::RETRY_AFTER], "1");
        assert!(!headers(ProblemCode::NotFound).contains_key(header::RETRY_AFTER));
        let later = Problem::new(ProblemCode::RateLimited)
            .retry_after_s(60)
            .into_response();
        assert_eq!(later.headers()[header::RETRY_AFTER], "60");
    }

    #[test]
    fn codes_are_stable_names() {
        for code in ProblemCode::ALL {
            let name = code.as_str();
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
            assert!(
                code.status().is_client_error() || code.status().is_server_error(),
                "{name}"
            );
            assert_eq!(
                ProblemCode::ALL
                    .iter()
                    .filter(|other| other.as_str() == name)
                    .count(),
                1,
                "{name}"
            );
        }
    }
}
