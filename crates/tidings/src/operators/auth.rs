//! Who may use the operators' listener.

use axum::http::{HeaderMap, header};
use tidings_access::{JwtVerifier, ServiceScope, TokenError};

use super::refusal::Refusal;

/// Checks the bearer token of a request. All there is now is open to services; an operator may all a service may.
pub(super) fn authorize(verifier: &JwtVerifier, headers: &HeaderMap) -> Result<(), Refusal> {
    let token = bearer(headers).ok_or(Refusal::MissingToken)?;
    let claims = verifier.verify_service(token).map_err(|error| match error {
        TokenError::Missing => Refusal::MissingToken,
        TokenError::Expired => Refusal::TokenExpired,
        TokenError::Invalid => Refusal::InvalidToken,
    })?;
    if claims.scope.includes(ServiceScope::Service) {
        Ok(())
    } else {
        Err(Refusal::InvalidToken)
    }
}

/// The token of `Authorization: Bearer TOKEN`; the scheme's case does not matter.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
