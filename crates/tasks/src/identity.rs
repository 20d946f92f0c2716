//! Who connects: what a request says, and what of it is believed.

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use tidings_access::{JwtVerifier, UserId, UserTokenRules};
use tidings_transport::{bearer_token, offered_token};
use tidings_wire::close_code::CloseCode;

/// The user behind a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    /// When the token expires, in seconds since 1970.
    pub(crate) expiry_s: Option<i64>,
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
    pub(crate) fn identify(
        self,
        verifier: &JwtVerifier,
        rules: &UserTokenRules,
        now_s: i64,
        is_token_required: bool,
    ) -> Result<Identity, CloseCode> {
        if let Some(token) = self.token {
            let claims = verifier
                .verify_user_at(&token, rules, now_s)
                .map_err(|_| CloseCode::InvalidToken)?;
            return Ok(Identity {
                user: claims.sub,
                expiry_s: claims.exp,
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
        Ok(Identity { user, expiry_s: None })
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
