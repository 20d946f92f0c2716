//! Whether a request is a valid WebSocket upgrade (RFC 6455, section 4.2.1).

use crate::{Problem, ProblemCode};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidings_wire::websocket::accept_key;

const NONCE_BYTES: usize = 16;

/// The answer's `Sec-WebSocket-Accept`.
pub(crate) fn accept_value(parts: &Parts) -> Result<HeaderValue, Problem> {
    if parts.method != Method::GET {
        return Err(Problem::new(ProblemCode::MethodNotAllowed)
            .header(header::ALLOW, HeaderValue::from_static("GET")));
    }
    let headers = &parts.headers;
    if !contains(headers, &header::UPGRADE, "websocket")
        || !contains(headers, &header::CONNECTION, "upgrade")
        || parts.version != Version::HTTP_11
    {
        return Err(Problem::new(ProblemCode::UpgradeRequired));
    }
    if single(headers, &header::SEC_WEBSOCKET_VERSION) != Some("13") {
        let problem = Problem::new(ProblemCode::UpgradeRequired);
        return Err(problem.detail("Sec-WebSocket-Version must be 13"));
    }
    let key = single(headers, &header::SEC_WEBSOCKET_KEY)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == NONCE_BYTES))
        .ok_or_else(|| {
            Problem::new(ProblemCode::BadUpgrade).detail("Sec-WebSocket-Key must be 16 bytes in base64")
        })?;
    Ok(HeaderValue::try_from(accept_key(key)).expect("Invariant: base64 is visible ASCII"))
}

/// The elements of a header that is a comma-separated list, over all its lines.
pub(super) fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn contains(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

/// The value of a header that may come once only.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn check(headers: &[(&str, &str)]) -> Result<HeaderValue, Problem> {
        let request = headers.iter().fold(Request::get("/"), |request, (name, value)| {
            request.header(*name, *value)
        });
        accept_value(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_sample_handshake_of_the_rfc_passes() {
        assert_eq!(check(&GOOD).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn each_missing_or_broken_header_has_its_answer() {
        use ProblemCode::{BadUpgrade, UpgradeRequired};
        for (at, value, code) in [
            (0, "keep-alive", UpgradeRequired),
            (1, "h2c", UpgradeRequired),
            (2, "8", UpgradeRequired),
            (2, "13, 8", UpgradeRequired),
            (3, "", BadUpgrade),
            (3, "dGhlIHNhbXBsZSBub25j", BadUpgrade),
            (3, "not base64 at all!!!!!!!", BadUpgrade),
        ] {
            let mut headers = GOOD;
            headers[at].1 = value;
            assert_eq!(check(&headers).unwrap_err().code(), code, "{headers:?}");
            let without: Vec<_> = GOOD.into_iter().filter(|(name, _)| *name != GOOD[at].0).collect();
            assert_eq!(
                check(&without).unwrap_err().code(),
                code,
                "without {}",
                GOOD[at].0
            );
        }
        assert_eq!(check(&[]).unwrap_err().code(), UpgradeRequired);
        assert_eq!(
            check(&[&GOOD[..], &GOOD[3..]].concat()).unwrap_err().code(),
            BadUpgrade
        );
    }
}
