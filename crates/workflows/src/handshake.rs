//! `/api/v1/ws`: who connects.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use tidings_access::{Claims, TokenError};
use tidings_hub::Gateway;
use tidings_transport::openapi::{parameter, schema};
use tidings_transport::{BEARER, WebSocketUpgrade, bearer_token, offered_token};
use tidings_wire::close_code::CloseCode;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::Workflows;
use crate::form::Form;
use crate::http::Upgraded;
use crate::session::Session;

/// The parameter that [`wants_warning`] reads.
pub(crate) enum Warned {}

impl IntoParams for Warned {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "`1`: tell the client with `expiring`, 60 s before its token expires. Anything else is passed over.";
        vec![parameter(ParameterIn::Query, "warn", schema::string(), about).build()]
    }
}

/// Opens a WebSocket on the caller's workflows
///
/// The handshake is that of RFC 6455, over HTTP/1.1. The token may also be offered as `Sec-WebSocket-Protocol: bearer, TOKEN`.
/// Who is not let in is told so behind the upgrade, by a close code, which browsers can read; `/asyncapi.json` lists the
/// codes and the messages.
#[utoipa::path(
    get, path = "/api/v1/ws", operation_id = "openWorkflowUpdates", tag = "workflow updates",
    security((), ("bearerToken" = []), ("queryToken" = [])), params(Warned), responses(Upgraded)
)]
pub(crate) async fn open(
    State(workflows): State<Workflows>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let transport = &workflows.0.transport;
    let token = token(&uri, upgrade.headers(), upgrade.protocols());
    let verdict = verify(&workflows, token).await;
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
            let is_to_be_warned = wants_warning(&uri);
            upgrade.accept(transport, Gateway::Workflows, move |connection| {
                Session::open(gateway, claims, is_to_be_warned, connection, Form::Json)
            })
        }
    }
}

/// The token of a request: of the query, the `Authorization` header or the subprotocols, in this order.
pub(crate) fn token(uri: &Uri, headers: &HeaderMap, protocols: &[String]) -> Option<String> {
    from_query(uri)
        .or_else(|| bearer_token(headers).map(str::to_owned))
        .or_else(|| offered_token(protocols).map(str::to_owned))
        .filter(|token| !token.is_empty())
}

pub(crate) async fn verify(workflows: &Workflows, token: Option<String>) -> Result<Claims, CloseCode> {
    let token = token.ok_or(CloseCode::MissingToken)?;
    workflows.0.verify_user(&token).await.map_err(refusal)
}

/// What is wrong with a token, and that it has expired, is one and the same to whoever shows it.
pub(crate) fn refusal(error: TokenError) -> CloseCode {
    match error {
        TokenError::Missing => CloseCode::MissingToken,
        TokenError::Invalid | TokenError::Expired => CloseCode::InvalidToken,
        TokenError::Revoked => CloseCode::Forbidden,
        // The same token may do later.
        TokenError::KeysUnavailable => CloseCode::InternalError,
    }
}

/// The first `token` of the query, unless it is empty.
pub(crate) fn from_query(uri: &Uri) -> Option<String> {
    first(uri, "token").filter(|token| !token.is_empty())
}

/// Whether the client asks to be told before its token expires.
pub(crate) fn wants_warning(uri: &Uri) -> bool {
    first(uri, "warn").is_some_and(|value| value == "1")
}

/// The first value of a parameter.
fn first(uri: &Uri, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let (_, value) = pairs.into_iter().find(|(key, _)| key == name)?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_asked_for() {
        for (target, expected) in [
            ("/api/v1/ws?token=a&warn=1", true),
            ("/api/v1/ws?warn=1&warn=0", true),
            ("/api/v1/ws?warn=0&warn=1", false),
            ("/api/v1/ws?warn", false),
            ("/api/v1/ws?warn=true", false),
            ("/api/v1/ws", false),
        ] {
            assert_eq!(wants_warning(&target.parse().unwrap()), expected, "{target}");
        }
    }

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
}
