//! Whose token it is, whoever issued it.
//!
//! A token that names a configured issuer verifies with that issuer's keys and with no others; every other one with the
//! local secret. Operators' and services' tokens verify with the local secret alone, so that no issuer can make one.

use std::fmt;
use std::sync::Arc;

use super::claims::RawClaims;
use super::encoded::EncodedToken;
use super::key::VerifyingKey;
use super::verifier::{Expected, judge_user, now_s};
use super::{
    Claims, JwtSecret, JwtVerifier, PublicKeys, RemoteKeys, Revocations, ServiceClaims, TokenAlgorithm,
    TokenError, UserTokenRules,
};

/// The most issuers.
pub const ISSUERS_MAX: usize = 32;

/// Somebody else who issues users' tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The `iss` of its tokens, to the letter.
    pub name: String,
    /// One of these must be among a token's audiences; none: not asked for.
    pub audiences: Vec<String>,
    /// What its tokens may be signed with, as far as its keys are for that.
    pub algorithms: Vec<TokenAlgorithm>,
    /// Its keys.
    pub keys: IssuerKeys,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// One secret that it shares with us.
    Secret(JwtSecret),
    /// Public keys that we were given.
    Public(PublicKeys),
    /// Public keys that it publishes.
    Remote(RemoteKeys),
}

/// Verifies tokens of users, operators and services. A clone is another handle.
#[derive(Clone)]
pub struct Authenticator {
    inner: Arc<Inner>,
    expiry_required: bool,
}

struct Inner {
    local: JwtVerifier,
    rules: UserTokenRules,
    issuers: Vec<KnownIssuer>,
    revocations: Revocations,
}

struct KnownIssuer {
    name: String,
    audiences: Vec<String>,
    algorithms: Vec<TokenAlgorithm>,
    keys: KnownKeys,
}

enum KnownKeys {
    /// Any of them may have signed.
    Given(Vec<VerifyingKey>),
    Remote(RemoteKeys),
}

impl Authenticator {
    /// Verifies with the local secret what names none of the issuers. `rules` are for users' tokens of the local secret.
    /// Of two issuers with the same name the first counts.
    pub fn new(
        secret: &JwtSecret,
        rules: UserTokenRules,
        issuers: Vec<Issuer>,
        revocations: Revocations,
    ) -> Authenticator {
        Authenticator {
            expiry_required: rules.expiry_required,
            inner: Arc::new(Inner {
                local: JwtVerifier::new(secret),
                rules,
                issuers: issuers.into_iter().map(KnownIssuer::from).collect(),
                revocations,
            }),
        }
    }

    /// Knows the local secret alone, and asks for nothing but a good signature.
    pub fn local(secret: &JwtSecret) -> Authenticator {
        Authenticator::new(
            secret,
            UserTokenRules::default(),
            Vec::new(),
            Revocations::default(),
        )
    }

    /// The same, for a gateway that refuses users' tokens without expiry.
    #[must_use]
    pub fn requiring_expiry(mut self) -> Authenticator {
        self.expiry_required = true;
        self
    }

    /// What is revoked.
    pub fn revocations(&self) -> &Revocations {
        &self.inner.revocations
    }

    /// Verifies a user's token, at this time in seconds since 1970. Waits only for a key that is not known yet, and
    /// then no longer than [`super::RemoteKeysSettings::timeout`].
    pub async fn verify_user_at(&self, token: &str, now_s: i64) -> Result<Claims, TokenError> {
        let token = EncodedToken::read(token)?;
        let claims = match self.issuer_of(&token)? {
            None => {
                let rules = &self.inner.rules;
                let local = self.inner.local.verify_encoded_user(&token, rules, now_s)?;
                if self.expiry_required && local.exp.is_none() {
                    return Err(TokenError::Invalid);
                }
                local
            }
            Some(issuer) => {
                let claims = match issuer.look(&token)? {
                    Some(claims) => claims,
                    // Rare, and large beside the rest.
                    None => Box::pin(issuer.wait_and_look(&token)).await?,
                };
                let expected = Expected {
                    audiences: &issuer.audiences,
                    issuer: Some(&issuer.name),
                    expiry_required: self.expiry_required,
                };
                judge_user(claims, expected, now_s)?
            }
        };
        let revocations = &self.inner.revocations;
        if revocations.has(&revocations.stamp(&claims)) {
            return Err(TokenError::Revoked);
        }
        Ok(claims)
    }

    /// Verifies an operator's or service's token. The caller asks [`super::ServiceScope::includes`] what it may do.
    pub fn verify_service(&self, token: &str) -> Result<ServiceClaims, TokenError> {
        self.verify_service_at(token, now_s())
    }

    /// [`Authenticator::verify_service`] at a given time, in seconds since 1970.
    pub fn verify_service_at(&self, token: &str, now_s: i64) -> Result<ServiceClaims, TokenError> {
        let claims = self.inner.local.verify_service_at(token, now_s)?;
        if self.inner.revocations.has_service(&claims) {
            return Err(TokenError::Revoked);
        }
        Ok(claims)
    }

    /// Who has to have signed the token; `None`: the holder of the local secret.
    fn issuer_of(&self, token: &EncodedToken<'_>) -> Result<Option<&KnownIssuer>, TokenError> {
        let issuers = &self.inner.issuers;
        if issuers.is_empty() {
            return Ok(None);
        }
        let claimed = token.claimed_issuer()?;
        Ok(claimed.and_then(|name| issuers.iter().find(|issuer| issuer.name == name)))
    }
}

impl KnownIssuer {
    /// The token's claims, if a key that is there verifies it; `None`: its key is not there.
    fn look(&self, token: &EncodedToken<'_>) -> Result<Option<RawClaims>, TokenError> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenError::Invalid);
        }
        let verified = |key: &VerifyingKey| token.verified_by(key);
        match &self.keys {
            KnownKeys::Given(keys) => {
                let claims = keys.iter().find_map(verified).ok_or(TokenError::Invalid)?;
                claims.map(Some)
            }
            KnownKeys::Remote(remote) => {
                let keys = remote.current();
                let id = token.key_id.as_deref();
                match keys.candidates(id, token.algorithm).find_map(verified) {
                    Some(claims) => claims.map(Some),
                    // The key is there, and it is another's signature or another algorithm's.
                    None if id.is_some_and(|id| keys.has(id)) => Err(TokenError::Invalid),
                    None => Ok(None),
                }
            }
        }
    }

    async fn wait_and_look(&self, token: &EncodedToken<'_>) -> Result<RawClaims, TokenError> {
        let KnownKeys::Remote(remote) = &self.keys else {
            return Err(TokenError::Invalid);
        };
        let waited = remote.wait_for(token.key_id.as_deref()).await;
        waited.map_err(|_| TokenError::KeysUnavailable)?;
        self.look(token)?.ok_or(TokenError::Invalid)
    }
}

impl From<Issuer> for KnownIssuer {
    fn from(issuer: Issuer) -> KnownIssuer {
        KnownIssuer {
            name: issuer.name,
            audiences: issuer.audiences,
            algorithms: issuer.algorithms,
            keys: match issuer.keys {
                IssuerKeys::Secret(secret) => KnownKeys::Given(vec![VerifyingKey::secret(&secret)]),
                IssuerKeys::Public(keys) => KnownKeys::Given(keys.0),
                IssuerKeys::Remote(keys) => KnownKeys::Remote(keys),
            },
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.inner.issuers.iter().map(|issuer| &issuer.name);
        formatter.debug_list().entries(issuers).finish()
    }
}
