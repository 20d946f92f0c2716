//! Making tokens, for the command line and for tests.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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

/// Signing failed inside the crypto library, or the system gave no random bytes.
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
        all.insert("jti".to_owned(), new_id()?.into());
        all.extend(claims);
        let text = jsonwebtoken::encode(&Header::default(), &all, &self.key).map_err(|_| SignError)?;
        let id = all.get("jti").and_then(Value::as_str).map(str::to_owned);
        Ok(TokenText { text, id })
    }
}

impl fmt::Debug for JwtSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtSigner([redacted])")
    }
}

/// An id that no other token has: 128 random bits in base64url.
fn new_id() -> Result<String, SignError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| SignError)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A signed token. The text is a secret.
#[derive(Clone)]
pub struct TokenText {
    text: String,
    id: Option<String>,
}

impl TokenText {
    /// The secret text, for the one moment when it is shown.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The token's id (`jti`), by which it can be revoked; none if a claim that was added took its place.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenText([redacted])")
    }
}
