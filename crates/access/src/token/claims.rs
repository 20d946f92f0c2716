//! What a verified token says.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::TokenError;
use crate::{ROOM_BYTES_MAX, ROOM_CLAIMS_MAX, UserId};

/// The claims of a verified user token.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// Expiry, in seconds since 1970.
    pub exp: Option<i64>,
    /// Time of issue, in seconds since 1970.
    pub iat: Option<i64>,
    /// Start of validity, in seconds since 1970.
    pub nbf: Option<i64>,
    /// The token's own id.
    pub jti: Option<String>,
    /// Audiences.
    pub aud: Vec<String>,
    /// Issuer.
    pub iss: Option<String>,
    /// Scopes: the words of the `scope` claim.
    pub scope: Vec<String>,
    /// Rooms the issuer opens to the user; a final `*` stands for any ending. At most [`ROOM_CLAIMS_MAX`].
    pub rooms: Vec<String>,
    /// All other claims.
    pub other: Map<String, Value>,
}

impl Claims {
    /// Claims that say who, and nothing else: a user who was not asked for a token.
    pub fn for_user(user: UserId) -> Claims {
        Claims {
            sub: user,
            exp: None,
            iat: None,
            nbf: None,
            jti: None,
            aud: Vec::new(),
            iss: None,
            scope: Vec::new(),
            rooms: Vec::new(),
            other: Map::new(),
        }
    }
}

/// What an operator's or service's token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceScope {
    /// Everything on the operators' listener, and all a service may do.
    Operator,
    /// The application's backend: reports, publishes, ownership.
    Service,
}

impl ServiceScope {
    /// The word in the `scope` claim.
    pub const fn as_str(self) -> &'static str {
        match self {
            ServiceScope::Operator => "operator",
            ServiceScope::Service => "service",
        }
    }

    /// Whether a token of this scope does where `needed` is asked for.
    pub const fn includes(self, needed: ServiceScope) -> bool {
        matches!(
            (self, needed),
            (ServiceScope::Operator, _) | (ServiceScope::Service, ServiceScope::Service)
        )
    }
}

impl fmt::Display for ServiceScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that is no service scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope: expected operator or service")]
pub struct UnknownScope;

impl FromStr for ServiceScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [ServiceScope::Operator, ServiceScope::Service]
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(UnknownScope)
    }
}

/// The claims of a verified operator's or service's token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceClaims {
    /// What it is good for.
    pub scope: ServiceScope,
    /// Who, if the token says so.
    pub sub: Option<UserId>,
    /// Expiry, in seconds since 1970.
    pub exp: Option<i64>,
    /// The token's own id.
    pub jti: Option<String>,
}

/// The claims of a token whose signature is good, typed but not yet judged.
pub(super) struct RawClaims {
    pub(super) sub: Option<UserId>,
    pub(super) exp: Option<i64>,
    pub(super) iat: Option<i64>,
    pub(super) nbf: Option<i64>,
    pub(super) jti: Option<String>,
    pub(super) aud: Vec<String>,
    pub(super) iss: Option<String>,
    pub(super) scope: Vec<String>,
    pub(super) kind: Option<Value>,
    pub(super) rooms: Vec<String>,
    pub(super) other: Map<String, Value>,
}

impl RawClaims {
    /// A claim of a wrong form refuses the token: what is meant to restrict must not be skipped unread.
    pub(super) fn parse(mut claims: Map<String, Value>) -> Result<RawClaims, TokenError> {
        let rooms = claims.get("rooms").and_then(rooms);
        if rooms.is_some() {
            claims.remove("rooms");
        }
        Ok(RawClaims {
            sub: claims.remove("sub").map(subject).transpose()?,
            exp: claims.remove("exp").map(|value| seconds(&value)).transpose()?,
            iat: claims.remove("iat").map(|value| seconds(&value)).transpose()?,
            nbf: claims.remove("nbf").map(|value| seconds(&value)).transpose()?,
            jti: claims.remove("jti").map(token_id).transpose()?,
            aud: claims
                .remove("aud")
                .map(one_or_more)
                .transpose()?
                .unwrap_or_default(),
            iss: claims.remove("iss").map(text).transpose()?,
            scope: claims.remove("scope").map(words).transpose()?.unwrap_or_default(),
            kind: claims.remove("type"),
            rooms: rooms.unwrap_or_default(),
            other: claims,
        })
    }
}

fn subject(value: Value) -> Result<UserId, TokenError> {
    match value {
        Value::String(text) => UserId::new(&text).map_err(|_| TokenError::Invalid),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Ok(UserId::from_integer(number)),
            (None, Some(number)) => Ok(UserId::from_integer(number)),
            (None, None) => Err(TokenError::Invalid),
        },
        _ => Err(TokenError::Invalid),
    }
}

/// A text (RFC 7519, section 4.1.7); some issuers count.
fn token_id(value: Value) -> Result<String, TokenError> {
    match value {
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        value => text(value),
    }
}

/// A `NumericDate` may have a fraction. Conversion from float saturates, so no date overflows.
fn seconds(value: &Value) -> Result<i64, TokenError> {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
        .ok_or(TokenError::Invalid)
}

fn text(value: Value) -> Result<String, TokenError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(TokenError::Invalid),
    }
}

fn one_or_more(value: Value) -> Result<Vec<String>, TokenError> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(values) => values.into_iter().map(text).collect(),
        _ => Err(TokenError::Invalid),
    }
}

/// What `rooms` lists. An application may use the claim for something of its own; then it opens no room, and neither does
/// one that is out of bounds.
fn rooms(value: &Value) -> Option<Vec<String>> {
    let Value::Array(entries) = value else {
        return None;
    };
    let entry = |value: &Value| {
        let text = value.as_str().filter(|text| text.len() <= ROOM_BYTES_MAX)?;
        Some(text.to_owned())
    };
    (entries.len() <= ROOM_CLAIMS_MAX)
        .then(|| entries.iter().map(entry).collect())
        .flatten()
}

fn words(value: Value) -> Result<Vec<String>, TokenError> {
    let texts = one_or_more(value)?;
    Ok(texts
        .iter()
        .flat_map(|text| text.split_ascii_whitespace())
        .map(str::to_owned)
        .collect())
}
