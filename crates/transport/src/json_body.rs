//! Request bodies in JSON.

use crate::{Problem, ProblemCode, Transport, read_body};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use std::fmt::Write;

/// The largest body where no [`Transport`] is behind the route, in tests.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A body in JSON, at most `body_bytes_max` long. What it is not is told with the field's name.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(
                Problem::new(ProblemCode::UnsupportedMediaType).detail("the body must be application/json")
            );
        }
        let transport = request.extensions().get::<Transport>().cloned();
        let bytes_max = transport
            .as_ref()
            .map_or(BODY_BYTES_MAX, |transport| transport.limits().body_bytes_max);
        let body = read_body(request.into_body(), bytes_max, transport.as_ref()).await?;
        parse(&body).map(Self)
    }
}

impl<T: DeserializeOwned> JsonBody<T> {
    /// Reads a body that came by other means, with the same problems.
    pub fn from_bytes(body: &[u8]) -> Result<T, Problem> {
        parse(body)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let invalid = || Problem::new(ProblemCode::InvalidBody);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() {
            invalid().error(path, without_position(&error.to_string()))
        } else {
            invalid().detail(format!("the body is not JSON: {error}"))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| invalid().detail(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Without a type it is taken for what the route expects.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let Ok(value) = value.to_str() else { return false };
    let media = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// The path as a JSON pointer.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => "?".to_owned(),
        };
        let _ = write!(pointer, "/{token}");
    }
    pointer
}

/// The pointer says where; line and column only mislead in minified JSON.
fn without_position(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::post;
    use http_body_util::BodyExt;
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use tower::ServiceExt;

    #[derive(Deserialize)]
    struct Lead {
        email: String,
        tags: Option<Vec<String>>,
        data: Option<Box<RawValue>>,
    }

    async fn answer(media: &str, body: &str) -> (u16, String) {
        let router = axum::Router::new().route(
            "/",
            post(async |JsonBody(lead): JsonBody<Lead>| {
                format!(
                    "{} {:?} {}",
                    lead.email,
                    lead.tags,
                    lead.data.as_deref().map_or("-", RawValue::get)
                )
            }),
        );
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, media)
            .body(Body::from(body.to_owned()));
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn json_is_read_and_raw_values_stay_raw() {
        let body = r#"{"email":"a@b.example","tags":["x"],"data":{"n": 1.50}}"#;
        let expected = r#"a@b.example Some(["x"]) {"n": 1.50}"#;
        assert_eq!(
            answer("application/json; charset=utf-8", body).await,
            (200, expected.to_owned())
        );
        assert_eq!(answer("application/cloudevents+json", body).await.0, 200);
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        let (status, text) = answer("application/json", r#"{"email":"a","tags":["x",7]}"#).await;
        assert_eq!(status, 400);
        let error =
            r#""errors":[{"pointer":"/tags/1","message":"invalid type: integer `7`, expected a string"}]"#;
        assert!(text.contains(error), "{text}");
        let (_, text) = answer("application/json", "{}").await;
        assert!(text.contains(r#""message":"missing field `email`""#), "{text}");
    }

    #[tokio::test]
    async fn other_bodies_are_refused() {
        for (media, body, status, code) in [
            ("application/json", "", 400, "invalid_body"),
            ("application/json", r#"{"email":"a"} x"#, 400, "invalid_body"),
            ("application/json", r#"{"email":"a""#, 400, "invalid_body"),
            ("text/plain", r#"{"email":"a"}"#, 415, "unsupported_media_type"),
            (
                "application/json",
                &format!(r#"{{"email":"{}"}}"#, "a".repeat(BODY_BYTES_MAX)),
                413,
                "payload_too_large",
            ),
        ] {
            let answer = answer(media, body).await;
            assert_eq!(answer.0, status, "{body}");
            assert!(answer.1.contains(&format!("\"code\":\"{code}\"")), "{}", answer.1);
        }
    }
}
