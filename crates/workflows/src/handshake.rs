//! `/api/v1/ws`: who connects.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use tidings_access::Claims;
use tidings_hub::Gateway;
use tidings_transport::WebSocketUpgrade;
use tidings_wire::close_code::CloseCode;

use crate::Workflows;
use crate::session::Session;

/// The subprotocol by which browsers can send a token outside of the address.
const BEARER: &str = "bearer";

pub(crate) async fn open(
    State(workflows): State<Workflows>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let transport = &workflows.0.transport;
    let verdict = verify(&workflows, &uri, &upgrade);
    // Also for a refusal: a browser drops a connection whose subprotocols are all passed over.
    let is_bearer = upgrade.protocols().iter().any(|protocol| protocol == BEARER);
    let upgrade = if is_bearer {
        upgrade.with_protocol(BEARER)
    } else {
        upgrade
    };
    match verdict {
        Err(code) => upgrade.refuse(transport, code),
        Ok(claims) => {
            let gateway = workflows.0.clone();
            upgrade.accept(transport, Gateway::Workflows, |connection| {
                Session::open(gateway, claims, connection)
            })
        }
    }
}

/// What is wrong with a token, and that it has expired, is one and the same to whoever shows it.
fn verify(workflows: &Workflows, uri: &Uri, upgrade: &WebSocketUpgrade) -> Result<Claims, CloseCode> {
    let token = from_query(uri)
        .or_else(|| bearer(upgrade.headers()).map(str::to_owned))
        .or_else(|| from_protocols(upgrade.protocols()))
        .filter(|token| !token.is_empty())
        .ok_or(CloseCode::MissingToken)?;
    workflows
        .0
        .verify_user(&token)
        .map_err(|_| CloseCode::InvalidToken)
}

/// The first `token` of the query, unless it is empty.
fn from_query(uri: &Uri) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    pairs
        .into_iter()
        .find(|(key, _)| key == "token")
        .map(|(_, token)| token)
        .filter(|token| !token.is_empty())
}

/// The token of `Sec-WebSocket-Protocol: bearer, TOKEN`.
fn from_protocols(offered: &[String]) -> Option<String> {
    let place = offered.iter().position(|protocol| protocol == BEARER)?;
    offered.get(place + 1).cloned()
}

/// The token of `Authorization: Bearer TOKEN`; the scheme's case does not matter.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_the_query() {
        for (target, expected) in [
            ("/api/v1/ws?token=a.b.c", Some("a.b.c")),
            ("/api/v1/ws?x=1&token=a%2Eb&token=c", Some("a.b")),
            ("/api/v1/ws?token=", None),
            ("/api/v1/ws?token", None),
            ("/api/v1/ws?user_id=u", None),
            ("/api/v1/ws", None),
        ] {
            assert_eq!(
                from_query(&target.parse().unwrap()).as_deref(),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn tokens_of_headers() {
        let headers = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer(&headers("Bearer t")), Some("t"));
        assert_eq!(bearer(&headers("bearer  t ")), Some("t"));
        assert_eq!(bearer(&headers("Basic t")), None);
        assert_eq!(bearer(&headers("Bearer")), None);
        let offered = |protocols: &[&str]| {
            from_protocols(&protocols.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(offered(&["bearer", "t"]).as_deref(), Some("t"));
        assert_eq!(offered(&["json", "bearer", "t"]).as_deref(), Some("t"));
        assert_eq!(offered(&["bearer"]), None);
        assert_eq!(offered(&["t"]), None);
    }
}
