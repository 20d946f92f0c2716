//! Who connects: what a request says, and what of it is believed.

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use tidings_access::{Authenticator, TokenError, TokenStamp, USER_ID_BYTES_MAX, UserId};
use tidings_transport::openapi::{parameter, schema};
use tidings_transport::{bearer_token, offered_token};
use tidings_wire::close_code::CloseCode;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

/// The user behind a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    /// The token that said so, if one did.
    pub(crate) token: Option<VerifiedToken>,
}

/// What is kept of a token that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VerifiedToken {
    /// When it expires, in seconds since 1970.
    pub(crate) expiry_s: Option<i64>,
    pub(crate) stamp: TokenStamp,
}

/// What [`Credentials::read`] takes from the query besides the token.
pub(crate) enum Asker {}

impl IntoParams for Asker {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The user, where no token says who it is. With a token it is passed over.";
        let schema = schema::plain(USER_ID_BYTES_MAX);
        vec![parameter(ParameterIn::Query, "user_id", schema, about).build()]
    }
}

/// What a request says about its sender. Empty texts count as absent.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) user_id: Option<String>,
    pub(crate) token: Option<String>,
}

impl Credentials {
    /// Takes the token from the query, the `Authorization` header or the subprotocols, in this order.
    pub(crate) fn read(uri: &Uri, headers: &HeaderMap, protocols: &[String]) -> Credentials {
        let Credentials { user_id, token } = Credentials::from_query(uri);
        let token = token
            .or_else(|| present(bearer_token(headers).map(str::to_owned)))
            .or_else(|| present(offered_token(protocols).map(str::to_owned)));
        Credentials { user_id, token }
    }

    fn from_query(uri: &Uri) -> Credentials {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let (mut user_id, mut token) = (None, None);
        for (key, value) in pairs.map(|Query(pairs)| pairs).unwrap_or_default() {
            let place = match key.as_str() {
                "user_id" => &mut user_id,
                "token" => &mut token,
                _ => continue,
            };
            // The first of a repeated parameter wins.
            place.get_or_insert(value);
        }
        Credentials {
            user_id: present(user_id),
            token: present(token),
        }
    }

    /// A token must verify, and then its `sub` is the user, whatever `user_id` says.
    pub(crate) async fn identify(
        self,
        authenticator: &Authenticator,
        now_s: i64,
        is_token_required: bool,
    ) -> Result<Identity, CloseCode> {
        if let Some(token) = self.token {
            let claims = authenticator
                .verify_user_at(&token, now_s)
                .await
                .map_err(refusal)?;
            return Ok(Identity {
                token: Some(VerifiedToken {
                    expiry_s: claims.exp,
                    stamp: authenticator.revocations().stamp(&claims),
                }),
                user: claims.sub,
            });
        }
        let user_id = self.user_id.ok_or(CloseCode::MissingUserId)?;
        if is_token_required {
            return Err(CloseCode::MissingToken);
        }
        // What was no UTF-8 has been replaced: two such ids could be told apart no more.
        if user_id.contains(char::REPLACEMENT_CHARACTER) {
            return Err(CloseCode::InvalidUserId);
        }
        let user = UserId::new(&user_id).map_err(|_| CloseCode::InvalidUserId)?;
        Ok(Identity { user, token: None })
    }
}

/// What is wrong with a token, and that it has expired, is one and the same to whoever shows it.
fn refusal(error: TokenError) -> CloseCode {
    match error {
        TokenError::Missing => CloseCode::MissingToken,
        TokenError::Invalid | TokenError::Expired => CloseCode::InvalidToken,
        TokenError::Revoked => CloseCode::Forbidden,
        // The same token may do later.
        TokenError::KeysUnavailable => CloseCode::InternalError,
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
