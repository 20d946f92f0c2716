//! Tokens that are refused before their expiry: one by its id (`jti`), or a user's (`sub`) that were issued up to a
//! moment. Servers read what is new by number; what is past its end is forgotten.

use serde::{Serialize, Serializer};
use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::text::NAME_BYTES_MAX;
use crate::{Store, StoreError, statements};

/// The most revocations in force.
pub const TOKEN_REVOCATIONS_MAX: u32 = 100_000;
/// The most revocations read at once.
pub const TOKEN_REVOCATIONS_PAGE_MAX: u32 = 1_000;

/// A revocation's number; later ones have higher numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TokenRevocationNumber(pub i64);

/// Which tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RevokedToken {
    /// The one with this id: 1 to 1,024 bytes.
    Id(String),
    /// Those of this user that were issued up to the revocation.
    User(String),
}

/// A stored revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRevocation {
    /// Its number.
    #[serde(skip)]
    pub number: TokenRevocationNumber,
    /// Which tokens.
    #[serde(flatten, serialize_with = "as_member")]
    pub token: RevokedToken,
    /// Since when.
    pub revoked_at: Timestamp,
    /// When it is forgotten.
    pub until: Timestamp,
}

impl Store {
    /// Revokes tokens until a time to come, when the last of them has expired. What was revoked before is revoked anew: from
    /// now, and until the later of both times. Too many are [`StoreError::Full`].
    pub async fn revoke_token(
        &self,
        token: RevokedToken,
        until: Timestamp,
    ) -> Result<TokenRevocation, StoreError> {
        let (_, value) = token.parts();
        if value.is_empty() || value.len() > NAME_BYTES_MAX {
            return Err(StoreError::Invalid {
                what: "a token's id or user has 1 to 1024 bytes",
            });
        }
        let now = self.now();
        if until <= now {
            return Err(StoreError::Invalid {
                what: "a revocation ends in time to come",
            });
        }
        // One after the other, so that numbers become visible in their order: a reader never misses a lower one.
        let mut transaction = self.database.write(Turn::Of("token_revocations", "")).await?;
        statements::token_revocations::forget(&mut transaction, now).await?;
        let earlier = statements::token_revocations::remove(&mut transaction, &token).await?;
        if statements::token_revocations::count(&mut transaction).await? >= TOKEN_REVOCATIONS_MAX {
            return Err(StoreError::Full {
                what: "there are 100000 token revocations; the first to end makes room",
            });
        }
        let mut revocation = TokenRevocation {
            number: TokenRevocationNumber::default(),
            token,
            revoked_at: now,
            until: earlier.map_or(until, |earlier| earlier.max(until)),
        };
        revocation.number = statements::token_revocations::insert(&mut transaction, &revocation).await?;
        transaction.commit().await?;
        Ok(revocation)
    }

    /// The revocations in force with numbers above this one, by number.
    pub async fn token_revocations(
        &self,
        after: TokenRevocationNumber,
        limit: u32,
    ) -> Result<Vec<TokenRevocation>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        let limit = limit.min(TOKEN_REVOCATIONS_PAGE_MAX);
        statements::token_revocations::list(&mut transaction, after, self.now(), limit).await
    }
}

impl RevokedToken {
    /// Kind and value, as they are stored.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            RevokedToken::Id(id) => ("id", id),
            RevokedToken::User(user) => ("user", user),
        }
    }

    pub(crate) fn stored(kind: &str, value: String) -> Result<RevokedToken, StoreError> {
        match kind {
            "id" => Ok(RevokedToken::Id(value)),
            "user" => Ok(RevokedToken::User(value)),
            _ => Err(StoreError::corrupt("a revocation is of no known kind")),
        }
    }
}

/// As the claim that it is about.
fn as_member<S: Serializer>(token: &RevokedToken, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(Some(1))?;
    match token {
        RevokedToken::Id(id) => map.serialize_entry("jti", id)?,
        RevokedToken::User(user) => map.serialize_entry("sub", user)?,
    }
    map.end()
}
