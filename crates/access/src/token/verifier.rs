//! Judging tokens: signature first, then the claims, by the rules of the gateway that asks.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::claims::RawClaims;
use super::encoded::EncodedToken;
use super::key::VerifyingKey;
use super::{CONTROL_AUDIENCE, Claims, JwtSecret, ServiceClaims, ServiceScope};

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
    /// In order, but revoked.
    #[error("token is revoked")]
    Revoked,
    /// Its issuer does not tell its keys at present, so that nobody can say what it is. It may be in order later.
    #[error("the keys of the token's issuer cannot be had")]
    KeysUnavailable,
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
    key: VerifyingKey,
}

impl JwtVerifier {
    /// A verifier with this secret.
    pub fn new(secret: &JwtSecret) -> JwtVerifier {
        JwtVerifier {
            key: VerifyingKey::secret(secret),
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
        self.verify_encoded_user(&EncodedToken::read(token)?, rules, now_s)
    }

    pub(super) fn verify_encoded_user(
        &self,
        token: &EncodedToken<'_>,
        rules: &UserTokenRules,
        now_s: i64,
    ) -> Result<Claims, TokenError> {
        let claims = token.verified_by(&self.key).ok_or(TokenError::Invalid)??;
        let expected = Expected {
            audiences: rules.audience.as_slice(),
            issuer: rules.issuer.as_deref(),
            expiry_required: rules.expiry_required,
        };
        judge_user(claims, expected, now_s)
    }

    /// [`JwtVerifier::verify_service`] at a given time, in seconds since 1970.
    pub fn verify_service_at(&self, token: &str, now_s: i64) -> Result<ServiceClaims, TokenError> {
        let claims = EncodedToken::read(token)?
            .verified_by(&self.key)
            .ok_or(TokenError::Invalid)??;
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
            jti: claims.jti,
        })
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtVerifier([redacted])")
    }
}

/// What the claims of a user's token must say.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// One of these must be among the token's; none: not asked for.
    pub(super) audiences: &'a [String],
    pub(super) issuer: Option<&'a str>,
    pub(super) expiry_required: bool,
}

/// Judges a user's claims under a good signature. The order of checks is part of the answer: an expired token of the
/// wrong kind is invalid, not expired.
pub(super) fn judge_user(
    claims: RawClaims,
    expected: Expected<'_>,
    now_s: i64,
) -> Result<Claims, TokenError> {
    // Only access tokens open a socket; a refresh token lives far too long for that.
    if claims.kind.as_ref().is_some_and(|kind| kind != "access") {
        return Err(TokenError::Invalid);
    }
    if !audience_fits_user(&claims, expected.audiences) {
        return Err(TokenError::Invalid);
    }
    if expected.issuer.is_some() && expected.issuer != claims.iss.as_deref() {
        return Err(TokenError::Invalid);
    }
    if expected.expiry_required && claims.exp.is_none() {
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
        jti: claims.jti,
        aud: claims.aud,
        iss: claims.iss,
        scope: claims.scope,
        rooms: claims.rooms,
        other: claims.other,
    })
}

/// Tokens for the control API are no users', also where the configured audience happens to be the same word.
fn audience_fits_user(claims: &RawClaims, audiences: &[String]) -> bool {
    let has = |wanted: &str| claims.aud.iter().any(|audience| audience == wanted);
    let for_control = has(CONTROL_AUDIENCE)
        && (!audiences.iter().any(|audience| audience == CONTROL_AUDIENCE)
            || service_scope(claims).is_some());
    !for_control && (audiences.is_empty() || audiences.iter().any(|audience| has(audience)))
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
