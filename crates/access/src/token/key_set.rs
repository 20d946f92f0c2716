//! Key sets as issuers publish them (JSON Web Key Set, RFC 7517; the key types of RFC 7518 and RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::key::VerifyingKey;
use super::{KeyError, TokenAlgorithm};

/// The largest key set, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// The most keys in a set, usable or not.
pub const KEY_SET_KEYS_MAX: usize = 100;
/// Keys that a token is tried with which does not say which one it is signed with.
const TRIED_MAX: usize = 4;

/// The usable public keys of a set.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<SetKey>);

#[derive(Clone, Debug)]
struct SetKey {
    id: Option<String>,
    key: VerifyingKey,
}

/// Why a document is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// It is longer than [`KEY_SET_BYTES_MAX`].
    #[error("it is longer than {KEY_SET_BYTES_MAX} bytes")]
    TooLong,
    /// It is no JSON object with a list `keys`.
    #[error("it is no JSON object with a list `keys`")]
    Malformed,
    /// It has more keys than [`KEY_SET_KEYS_MAX`].
    #[error("it has more than {KEY_SET_KEYS_MAX} keys")]
    TooMany,
}

#[derive(Deserialize)]
struct Document<'d> {
    #[serde(borrow)]
    keys: Vec<&'d RawValue>,
}

/// The members that are read; a key has many more.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are for something else, of another kind or malformed are left out, as RFC 7517 asks for
    /// (section 5). So are secrets: what stands in public is none.
    pub fn parse(document: &[u8]) -> Result<KeySet, KeySetError> {
        if document.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        // A list of the members' values would do for serde.
        if document.trim_ascii_start().first() != Some(&b'{') {
            return Err(KeySetError::Malformed);
        }
        let Document { keys } = serde_json::from_slice(document).map_err(|_| KeySetError::Malformed)?;
        if keys.len() > KEY_SET_KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys = keys.into_iter().filter_map(|json| {
            let jwk: Jwk = serde_json::from_str(json.get()).ok()?;
            let key = jwk.key().ok()?;
            Some(SetKey { id: jwk.kid, key })
        });
        Ok(KeySet(keys.collect()))
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that may have signed a token with this key id: those of the id, or any if the token names none.
    pub(super) fn candidates<'s>(
        &'s self,
        id: Option<&'s str>,
        algorithm: TokenAlgorithm,
    ) -> impl Iterator<Item = &'s VerifyingKey> {
        self.0
            .iter()
            .filter(move |key| id.is_none() || key.id.as_deref() == id)
            .map(|key| &key.key)
            .filter(move |key| key.is_for(algorithm))
            .take(TRIED_MAX)
    }

    /// Whether there is a key of this id, of whatever kind.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

impl Jwk {
    fn key(&self) -> Result<VerifyingKey, KeyError> {
        let is_for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if !is_for_signatures {
            return Err(KeyError::Unsupported);
        }
        let (key, algorithm) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (
                VerifyingKey::rsa(&bytes(self.n.as_ref())?, &bytes(self.e.as_ref())?)?,
                TokenAlgorithm::Rs256,
            ),
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(self.x.as_ref())?, bytes(self.y.as_ref())?);
                // Each coordinate has all of its 32 bytes (RFC 7518, section 6.2.1.2).
                if x.len() != 32 {
                    return Err(KeyError::Malformed);
                }
                (
                    VerifyingKey::p256(&[&[4][..], &x, &y].concat())?,
                    TokenAlgorithm::Es256,
                )
            }
            ("OKP", Some("Ed25519")) => (
                VerifyingKey::ed25519(&bytes(self.x.as_ref())?)?,
                TokenAlgorithm::EdDsa,
            ),
            _ => return Err(KeyError::Unsupported),
        };
        // A key that says it is for RS512 does not verify RS256.
        match &self.alg {
            Some(named) if named != algorithm.as_str() => Err(KeyError::Unsupported),
            _ => Ok(key),
        }
    }
}

fn bytes(text: Option<&String>) -> Result<Vec<u8>, KeyError> {
    let text = text.ok_or(KeyError::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn encoded(length: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xc5; length])
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn keys_that_are_used_and_keys_that_are_not() {
        let rsa = json!({"kty": "RSA", "kid": "k", "n": encoded(256), "e": "AQAB"});
        let ec = json!({"kty": "EC", "kid": "k", "crv": "P-256", "x": encoded(32), "y": encoded(32)});
        let ed = json!({"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": encoded(32)});
        let rs256 = Some(TokenAlgorithm::Rs256);
        let table = [
            (rsa.clone(), rs256),
            (ec.clone(), Some(TokenAlgorithm::Es256)),
            (ed.clone(), Some(TokenAlgorithm::EdDsa)),
            (with(rsa.clone(), "use", json!("sig")), rs256),
            (with(rsa.clone(), "use", json!("enc")), None),
            (with(rsa.clone(), "key_ops", json!(["verify"])), rs256),
            (with(rsa.clone(), "key_ops", json!(["encrypt"])), None),
            (with(rsa.clone(), "alg", json!("RS256")), rs256),
            (with(rsa.clone(), "alg", json!("RS512")), None),
            (with(rsa.clone(), "alg", json!("HS256")), None),
            (with(rsa.clone(), "alg", json!("none")), None),
            (with(rsa.clone(), "x5c", json!(["…"])), rs256),
            (with(rsa.clone(), "n", json!(encoded(128))), None),
            (with(rsa.clone(), "n", json!("not base64!")), None),
            (with(rsa.clone(), "e", json!(null)), None),
            (with(rsa.clone(), "kid", json!(7)), None),
            (with(rsa, "kty", json!("rsa")), None),
            (with(ec.clone(), "crv", json!("P-384")), None),
            (with(ec.clone(), "crv", json!("secp256k1")), None),
            (with(ec.clone(), "x", json!(encoded(31))), None),
            (with(ec.clone(), "y", json!(encoded(33))), None),
            (with(ec, "alg", json!("ES256")), Some(TokenAlgorithm::Es256)),
            (with(ed.clone(), "crv", json!("X25519")), None),
            (with(ed, "x", json!(encoded(57))), None),
            // A secret for all to read.
            (
                json!({"kty": "oct", "kid": "k", "alg": "HS256", "k": encoded(32)}),
                None,
            ),
            (json!({"kid": "k"}), None),
            (json!("k"), None),
        ];
        for (key, expected) in table {
            let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
            let found = TokenAlgorithm::ALL
                .into_iter()
                .filter(|algorithm| set.candidates(Some("k"), *algorithm).count() == 1)
                .collect::<Vec<_>>();
            assert_eq!(found, Vec::from_iter(expected), "{key}");
        }
    }

    #[test]
    fn documents() {
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(32)});
        let set = |keys: &[Value]| json!({"keys": keys}).to_string();
        let long = format!("{}{}", set(&[]), " ".repeat(KEY_SET_BYTES_MAX));
        for (document, expected) in [
            (set(&[]), Ok(0)),
            (set(&[ed.clone(), json!({"kty": "oct"}), ed.clone()]), Ok(2)),
            (json!({"keys": [ed.clone()], "more": 1}).to_string(), Ok(1)),
            (set(&vec![ed.clone(); KEY_SET_KEYS_MAX]), Ok(KEY_SET_KEYS_MAX)),
            (
                set(&vec![ed.clone(); KEY_SET_KEYS_MAX + 1]),
                Err(KeySetError::TooMany),
            ),
            (long, Err(KeySetError::TooLong)),
            (
                json!({"keys": {"k": ed}}).to_string(),
                Err(KeySetError::Malformed),
            ),
            (json!({}).to_string(), Err(KeySetError::Malformed)),
            (json!([]).to_string(), Err(KeySetError::Malformed)),
            (json!([[]]).to_string(), Err(KeySetError::Malformed)),
            (r#"{"keys":[],"keys":[]}"#.to_owned(), Err(KeySetError::Malformed)),
            ("<html>".to_owned(), Err(KeySetError::Malformed)),
            (String::new(), Err(KeySetError::Malformed)),
        ] {
            let found = KeySet::parse(document.as_bytes()).map(|set| set.len());
            assert_eq!(
                found,
                expected,
                "{}",
                document.chars().take(80).collect::<String>()
            );
        }
    }

    #[test]
    fn which_keys_a_token_is_tried_with() {
        let key = |id: Option<&str>| json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(32), "kid": id});
        let keys = [Some("a"), Some("b"), None, Some("b"), Some("c"), Some("d")].map(key);
        let set = KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
        let count = |id, algorithm| set.candidates(id, algorithm).count();
        for (id, expected) in [
            (Some("a"), 1),
            (Some("b"), 2),
            (Some(""), 0),
            (Some("x"), 0),
            (None, 4),
        ] {
            assert_eq!(count(id, TokenAlgorithm::EdDsa), expected, "{id:?}");
            assert_eq!(count(id, TokenAlgorithm::Rs256), 0, "{id:?}");
        }
        assert!(set.has("d") && !set.has("x") && !set.has(""));
    }
}
