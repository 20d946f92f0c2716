//! A token as it came: three parts of base64url between dots (RFC 7515, section 7.1). Nothing in it is believed until
//! a key has verified it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::claims::RawClaims;
use super::key::VerifyingKey;
use super::{TokenAlgorithm, TokenError};

/// The longest token looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A well-formed token, not verified.
#[derive(Debug)]
pub(super) struct EncodedToken<'t> {
    /// What it says it is signed with.
    pub(super) algorithm: TokenAlgorithm,
    /// Which key it says it is signed with.
    pub(super) key_id: Option<String>,
    signed: &'t str,
    payload: &'t str,
    signature: &'t str,
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct IssuerClaim {
    #[serde(default)]
    iss: Option<String>,
}

impl<'t> EncodedToken<'t> {
    pub(super) fn read(token: &'t str) -> Result<EncodedToken<'t>, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if !is_well_formed(token) {
            return Err(TokenError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Invalid)?;
        let header: JoseHeader = decoded(header)?;
        if header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        Ok(EncodedToken {
            // `none`, and whatever else is not among them, ends here.
            algorithm: header.alg.parse().map_err(|_| TokenError::Invalid)?,
            key_id: header.kid,
            signed,
            payload,
            signature,
        })
    }

    /// Who it says it comes from: good for choosing the keys that have to verify it, and for nothing else.
    pub(super) fn claimed_issuer(&self) -> Result<Option<String>, TokenError> {
        decoded::<IssuerClaim>(self.payload).map(|claims| claims.iss)
    }

    /// Its claims, if this key verifies it.
    pub(super) fn verified_by(&self, key: &VerifyingKey) -> Option<Result<RawClaims, TokenError>> {
        key.verifies(self.algorithm, self.signed, self.signature)
            .then(|| decoded::<Map<String, Value>>(self.payload).and_then(RawClaims::parse))
    }
}

fn decoded<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)?;
    // A list of the members' values would do for serde.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Invalid);
    }
    serde_json::from_slice(&json).map_err(|_| TokenError::Invalid)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!(
            "{}.{}.AAAA",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        )
    }

    #[test]
    fn headers() {
        for (header, is_good) in [
            (r#"{"alg":"HS256"}"#, true),
            (r#"{"alg":"EdDSA","kid":"k","typ":"at+jwt","x5t":7}"#, true),
            (r#"{"alg":"HS256","kid":null}"#, true),
            (r#"{"alg":"HS256","kid":7}"#, false),
            (r#"{"alg":"none"}"#, false),
            (r#"{"alg":"None"}"#, false),
            (r#"{"alg":""}"#, false),
            (r#"{"alg":["HS256"]}"#, false),
            (r#"{"alg":"none","alg":"HS256"}"#, false),
            (r#"{"typ":"JWT"}"#, false),
            (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, false),
            (r#"{"alg":"HS256"} x"#, false),
            (r#"["HS256"]"#, false),
            ("", false),
        ] {
            let text = token(header, "{}");
            assert_eq!(EncodedToken::read(&text).is_ok(), is_good, "{header}");
        }
    }

    #[test]
    fn issuers() {
        for (payload, expected) in [
            (r#"{"iss":"https://a"}"#, Ok(Some("https://a".to_owned()))),
            (r#"{"sub":"x","iss":null}"#, Ok(None)),
            (r#"{"sub":{"iss":"https://a"}}"#, Ok(None)),
            (r#"{"iss":7}"#, Err(TokenError::Invalid)),
            (r#"{"iss":"a","iss":"b"}"#, Err(TokenError::Invalid)),
            ("iss", Err(TokenError::Invalid)),
        ] {
            let text = token(r#"{"alg":"RS256"}"#, payload);
            let token = EncodedToken::read(&text).unwrap();
            assert_eq!(token.claimed_issuer(), expected, "{payload}");
        }
    }
}
