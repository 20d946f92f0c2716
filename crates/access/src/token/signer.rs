//! Making tokens, for the command line and for tests.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value};

use super::verifier::now_s;
use super::{CONTROL_AUDIENCE, JwtSecret, ServiceScope, install_crypto_provider};
use crate::UserId;

/// Signs tokens with the local secret.
#[derive(Clone)]
pub struct JwtSigner {
    key: EncodingKey,
}

/// Signing failed inside the crypto library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("token could not be signed")]
pub struct SignError;

impl JwtSigner {
    /// A signer with this secret.
    pub fn new(secret: &JwtSecret) -> JwtSigner {
        install_crypto_provider();
        JwtSigner {
            key: EncodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// A user's token, valid for `ttl` from now. `claims` are added and win over what this sets.
    pub fn sign_user(
        &self,
        user: &UserId,
        ttl: Duration,
        claims: Map<String, Value>,
    ) -> Result<TokenText, SignError> {
        let mut all = Map::new();
        all.insert("sub".to_owned(), user.as_str().into());
        self.sign(all, ttl, claims)
    }

    /// An operator's or service's token, valid for `ttl` from now.
    pub fn sign_service(&self, scope: ServiceScope, ttl: Duration) -> Result<TokenText, SignError> {
        let mut all = Map::new();
        all.insert("sub".to_owned(), scope.as_str().into());
        all.insert("aud".to_owned(), CONTROL_AUDIENCE.into());
        all.insert("scope".to_owned(), scope.as_str().into());
        self.sign(all, ttl, Map::new())
    }

    fn sign(
        &self,
        mut all: Map<String, Value>,
        ttl: Duration,
        claims: Map<String, Value>,
    ) -> Result<TokenText, SignError> {
        let now = now_s();
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        all.insert("iat".to_owned(), now.into());
        all.insert("exp".to_owned(), now.saturating_add(ttl).into());
        all.extend(claims);
        jsonwebtoken::encode(&Header::default(), &all, &self.key)
            .map(TokenText)
            .map_err(|_| SignError)
    }
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtSigner([redacted])")
    }
}

/// A signed token. The text is a secret.
#[derive(Clone)]
pub struct TokenText(String);

impl TokenText {
    /// The secret text, for the one moment when it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenText([redacted])")
    }
}
