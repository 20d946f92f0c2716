//! Who may use the operators' listener.

use axum::http::HeaderMap;
use tidings_access::{Authenticator, ServiceScope, TokenError};
use tidings_transport::bearer_token;

use super::refusal::Refusal;

/// Checks the bearer token of a request. All there is now is open to services; an operator may all a service may.
pub(super) fn authorize(authenticator: &Authenticator, headers: &HeaderMap) -> Result<(), Refusal> {
    let token = bearer_token(headers).ok_or(Refusal::MissingToken)?;
    let claims = authenticator.verify_service(token).map_err(|error| match error {
        TokenError::Missing => Refusal::MissingToken,
        TokenError::Expired => Refusal::TokenExpired,
        TokenError::Revoked => Refusal::TokenRevoked,
        // The keys of these tokens are here.
        TokenError::Invalid | TokenError::KeysUnavailable => Refusal::InvalidToken,
    })?;
    if claims.scope.includes(ServiceScope::Service) {
        Ok(())
    } else {
        Err(Refusal::InvalidToken)
    }
}
