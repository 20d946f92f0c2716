//! Statements on revocations of tokens.

use tidings_wire::time::Timestamp;

use crate::database::{Transaction, sql};
use crate::{RevokedToken, StoreError, TokenRevocation, TokenRevocationNumber};

pub(crate) async fn insert(
    transaction: &mut Transaction,
    revocation: &TokenRevocation,
) -> Result<TokenRevocationNumber, StoreError> {
    let (kind, value) = revocation.token.parts();
    let number = sql(
        "INSERT INTO token_revocation (kind, value, revoked_at, until) VALUES ($1, $2, $3, $4)
         RETURNING number",
    )
    .bind(kind)
    .bind(value)
    .bind(revocation.revoked_at.as_millis())
    .bind(revocation.until.as_millis())
    .fetch_one(transaction)
    .await?
    .get(0)?;
    Ok(TokenRevocationNumber(number))
}

/// Removes the revocation of the same, and tells when it would have ended.
pub(crate) async fn remove(
    transaction: &mut Transaction,
    token: &RevokedToken,
) -> Result<Option<Timestamp>, StoreError> {
    let (kind, value) = token.parts();
    sql("DELETE FROM token_revocation WHERE kind = $1 AND value = $2 RETURNING until")
        .bind(kind)
        .bind(value)
        .fetch_optional(transaction)
        .await?
        .map(|row| row.get(0).map(Timestamp::from_millis))
        .transpose()
}

pub(crate) async fn forget(transaction: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    sql("DELETE FROM token_revocation WHERE until <= $1")
        .bind(now.as_millis())
        .execute(transaction)
        .await?;
    Ok(())
}

pub(crate) async fn count(transaction: &mut Transaction) -> Result<u32, StoreError> {
    sql("SELECT count(*) FROM token_revocation")
        .fetch_one(transaction)
        .await?
        .number(0)
}

pub(crate) async fn list(
    transaction: &mut Transaction,
    after: TokenRevocationNumber,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<TokenRevocation>, StoreError> {
    sql(
        "SELECT number, kind, value, revoked_at, until FROM token_revocation
         WHERE number > $1 AND until > $2 ORDER BY number LIMIT $3",
    )
    .bind(after.0)
    .bind(now.as_millis())
    .bind(limit)
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| {
        Ok(TokenRevocation {
            number: TokenRevocationNumber(row.get(0)?),
            token: RevokedToken::stored(&row.get::<String>(1)?, row.get(2)?)?,
            revoked_at: Timestamp::from_millis(row.get(3)?),
            until: Timestamp::from_millis(row.get(4)?),
        })
    })
    .collect()
}
