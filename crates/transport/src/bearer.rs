//! Where requests carry a bearer token besides the query.

use axum::http::{HeaderMap, header};

/// The subprotocol that says that a token follows it.
pub const BEARER: &str = "bearer";

/// The token of `Authorization: Bearer TOKEN`; the scheme's case does not matter.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case(BEARER).then(|| token.trim())
}

/// The token of `Sec-WebSocket-Protocol: bearer, TOKEN`. The answer names `bearer`.
pub fn offered_token(protocols: &[String]) -> Option<&str> {
    let place = protocols.iter().position(|protocol| protocol == BEARER)?;
    protocols.get(place + 1).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_headers() {
        let headers = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer_token(&headers("Bearer t")), Some("t"));
        assert_eq!(bearer_token(&headers("bearer  t ")), Some("t"));
        assert_eq!(bearer_token(&headers("Basic t")), None);
        assert_eq!(bearer_token(&headers("Bearer")), None);
        let offered = |protocols: &[&str]| {
            offered_token(&protocols.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
                .map(str::to_owned)
        };
        assert_eq!(offered(&["bearer", "t"]).as_deref(), Some("t"));
        assert_eq!(offered(&["json", "bearer", "t"]).as_deref(), Some("t"));
        assert_eq!(offered(&["bearer"]), None);
        assert_eq!(offered(&["t"]), None);
    }
}
