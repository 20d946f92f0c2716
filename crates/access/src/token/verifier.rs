//! Judging tokens: signature first, then the claims, by the rules of the gateway that asks.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use super::claims::RawClaims;
use super::{CONTROL_AUDIENCE, Claims, JwtSecret, ServiceClaims, ServiceScope, install_crypto_provider};

/// The longest token looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// How far clocks may differ, in seconds.
pub const LEEWAY_S: i64 = 5;

/// Why a token was refused. Says nothing about its content, so that it may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("token is missing")]
    Missing,
    /// Malformed, wrong signature or algorithm, not yet valid, or for another purpose.
    #[error("token is invalid")]
    Invalid,
    /// In order, but past its expiry.
    #[error("token has expired")]
    Expired,
}

/// What a gateway asks of users' tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserTokenRules {
    /// The audience that must be among the token's.
    pub audience: Option<String>,
    /// The issuer the token must come from.
    pub issuer: Option<String>,
    /// Whether a token without expiry is refused.
    pub expiry_required: bool,
}

/// Verifies tokens signed with the local secret.
#[derive(Clone)]
pub struct JwtVerifier {
    key: DecodingKey,
    validation: Validation,
}

impl JwtVerifier {
    /// A verifier with this secret.
    pub fn new(secret: &JwtSecret) -> JwtVerifier {
        install_crypto_provider();
        // Signature and algorithm are the library's part. The claims are judged here, where the order of checks
        // and the clock are ours: an expired token of the wrong kind is invalid, not expired.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        JwtVerifier {
            key: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// Verifies a user's token.
    pub fn verify_user(&self, token: &str, rules: &UserTokenRules) -> Result<Claims, TokenError> {
        self.verify_user_at(token, rules, now_s())
    }

    /// Verifies an operator's or service's token. The caller asks [`ServiceScope::includes`] what it may do.
    pub fn verify_service(&self, token: &str) -> Result<ServiceClaims, TokenError> {
        self.verify_service_at(token, now_s())
    }

    /// [`JwtVerifier::verify_user`] at a given time, in seconds since 1970.
    pub fn verify_user_at(
        &self,
        token: &str,
        rules: &UserTokenRules,
        now_s: i64,
    ) -> Result<Claims, TokenError> {
        let claims = self.decode(token)?;
        // Only access tokens open a socket; a refresh token lives far too long for that.
        if claims.kind.as_ref().is_some_and(|kind| kind != "access") {
            return Err(TokenError::Invalid);
        }
        if !audience_fits_user(&claims, rules) {
            return Err(TokenError::Invalid);
        }
        if rules.issuer.is_some() && rules.issuer != claims.iss {
            return Err(TokenError::Invalid);
        }
        if rules.expiry_required && claims.exp.is_none() {
            return Err(TokenError::Invalid);
        }
        let Some(sub) = claims.sub.clone() else {
            return Err(TokenError::Invalid);
        };
        check_times(&claims, now_s)?;
        Ok(Claims {
            sub,
            exp: claims.exp,
            iat: claims.iat,
            nbf: claims.nbf,
            aud: claims.aud,
            iss: claims.iss,
            scope: claims.scope,
            rooms: claims.rooms,
            other: claims.other,
        })
    }

    /// [`JwtVerifier::verify_service`] at a given time, in seconds since 1970.
    pub fn verify_service_at(&self, token: &str, now_s: i64) -> Result<ServiceClaims, TokenError> {
        let claims = self.decode(token)?;
        if !claims.aud.iter().any(|audience| audience == CONTROL_AUDIENCE) {
            return Err(TokenError::Invalid);
        }
        if claims.kind.as_ref().is_some_and(|kind| kind != "access") {
            return Err(TokenError::Invalid);
        }
        let Some(scope) = service_scope(&claims) else {
            return Err(TokenError::Invalid);
        };
        check_times(&claims, now_s)?;
        Ok(ServiceClaims {
            scope,
            sub: claims.sub,
            exp: claims.exp,
        })
    }

    fn decode(&self, token: &str) -> Result<RawClaims, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if !is_well_formed(token) {
            return Err(TokenError::Invalid);
        }
        let data = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation)
            .map_err(|_| TokenError::Invalid)?;
        RawClaims::parse(data.claims)
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtVerifier([redacted])")
    }
}

/// Three base64url parts of a bearable length: all a token can be, found out before anything is decoded.
fn is_well_formed(token: &str) -> bool {
    token.len() <= TOKEN_BYTES_MAX
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && token.split('.').count() == 3
        && token.split('.').all(|part| !part.is_empty())
}

/// Tokens for the control API are no users', also where the configured audience happens to be the same word.
fn audience_fits_user(claims: &RawClaims, rules: &UserTokenRules) -> bool {
    let has = |wanted: &str| claims.aud.iter().any(|audience| audience == wanted);
    let for_control = has(CONTROL_AUDIENCE)
        && (rules.audience.as_deref() != Some(CONTROL_AUDIENCE) || service_scope(claims).is_some());
    !for_control && rules.audience.as_deref().is_none_or(has)
}

fn service_scope(claims: &RawClaims) -> Option<ServiceScope> {
    let has = |scope: ServiceScope| claims.scope.iter().any(|word| word == scope.as_str());
    [ServiceScope::Operator, ServiceScope::Service]
        .into_iter()
        .find(|scope| has(*scope))
}

/// Comes last: only a token that is otherwise in order counts as expired.
fn check_times(claims: &RawClaims, now_s: i64) -> Result<(), TokenError> {
    if claims
        .nbf
        .is_some_and(|start| start > now_s.saturating_add(LEEWAY_S))
    {
        return Err(TokenError::Invalid);
    }
    if claims
        .exp
        .is_some_and(|end| end.saturating_add(LEEWAY_S) <= now_s)
    {
        return Err(TokenError::Expired);
    }
    Ok(())
}

pub(super) fn now_s() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}
