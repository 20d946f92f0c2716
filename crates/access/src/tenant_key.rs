//! Tenant API keys: made from 256 random bits, shown once, stored as a SHA-256 hash.
//!
//! A key has the entropy of its hash, so a fast hash is enough; a slow one would let every handshake cost
//! milliseconds of CPU.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The longest text that can be a tenant key, in bytes.
pub const TENANT_KEY_BYTES_MAX: usize = 256;

const PREFIX: &str = "tk_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is the first power of 62 above 2^256.
const RANDOM_CHARACTERS: usize = 43;
/// 62^6 is the first power of 62 above 2^32.
const CHECKSUM_CHARACTERS: usize = 6;
const GENERATED_BYTES: usize = PREFIX.len() + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS;

/// A tenant's API key. The text is a secret.
#[derive(Clone)]
pub struct TenantKey(Box<str>);

/// Why a text is no tenant key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantKeyError {
    /// It is empty.
    #[error("tenant key is empty")]
    Empty,
    /// It is longer than [`TENANT_KEY_BYTES_MAX`].
    #[error("tenant key is longer than {TENANT_KEY_BYTES_MAX} bytes")]
    TooLong,
    /// It contains something else than visible ASCII characters.
    #[error("tenant key contains a character that is not visible ASCII")]
    BadCharacter,
    /// It has the form of a generated key, but was mistyped or cut.
    #[error("tenant key does not match its checksum")]
    BadChecksum,
    /// The operating system gave no random numbers.
    #[error("no random numbers from the operating system")]
    NoRandomness,
}

impl TenantKey {
    /// Makes a new key: `tk_`, 43 random letters and digits, 6 of checksum.
    pub fn generate() -> Result<TenantKey, TenantKeyError> {
        let mut text = String::with_capacity(GENERATED_BYTES);
        text.push_str(PREFIX);
        let mut random = [0; 64];
        while text.len() < PREFIX.len() + RANDOM_CHARACTERS {
            getrandom::fill(&mut random).map_err(|_| TenantKeyError::NoRandomness)?;
            // Bytes from 248 on would make the first letters of the alphabet likelier than the others.
            let fair = random.iter().filter(|byte| **byte < 248);
            let missing = PREFIX.len() + RANDOM_CHARACTERS - text.len();
            text.extend(
                fair.take(missing)
                    .map(|byte| char::from(ALPHABET[usize::from(byte % 62)])),
            );
        }
        let checksum = checksum(&text);
        text.extend(checksum.map(char::from));
        Ok(TenantKey(text.into()))
    }

    /// Takes a text from a client as a key to look up. Any visible ASCII is a candidate (operators bring their own
    /// keys); what looks like a generated key must match its checksum.
    pub fn parse(text: &str) -> Result<TenantKey, TenantKeyError> {
        if text.is_empty() {
            return Err(TenantKeyError::Empty);
        }
        if text.len() > TENANT_KEY_BYTES_MAX {
            return Err(TenantKeyError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TenantKeyError::BadCharacter);
        }
        if looks_generated(text) {
            let (body, given) = text.split_at(GENERATED_BYTES - CHECKSUM_CHARACTERS);
            if given.as_bytes() != checksum(body) {
                return Err(TenantKeyError::BadChecksum);
            }
        }
        Ok(TenantKey(text.into()))
    }

    /// What the store keeps and looks keys up by.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The secret text, for the one moment when it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TenantKey([redacted])")
    }
}

fn looks_generated(text: &str) -> bool {
    text.len() == GENERATED_BYTES
        && text
            .strip_prefix(PREFIX)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn checksum(body: &str) -> [u8; CHECKSUM_CHARACTERS] {
    let digest: [u8; 32] = Sha256::digest(body.as_bytes()).into();
    let mut number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut characters = [0; CHECKSUM_CHARACTERS];
    for character in characters.iter_mut().rev() {
        *character = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    characters
}

/// The SHA-256 hash of a tenant key.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// A hash as the store gives it back.
    pub const fn from_bytes(bytes: [u8; 32]) -> KeyHash {
        KeyHash(bytes)
    }

    /// The hash's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &KeyHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHash([redacted])")
    }
}

/// Compares two secrets (an API token of a sidecar, say) in a time that depends on neither's content nor length.
pub fn secrets_equal(left: &[u8], right: &[u8]) -> bool {
    let left: [u8; 32] = Sha256::digest(left).into();
    let right: [u8; 32] = Sha256::digest(right).into();
    left.ct_eq(&right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_differ_and_parse() {
        let first = TenantKey::generate().unwrap();
        let second = TenantKey::generate().unwrap();
        assert_ne!(first.reveal(), second.reveal());
        assert_eq!(first.reveal().len(), 52);
        assert!(first.reveal().starts_with("tk_"));
        assert_eq!(TenantKey::parse(first.reveal()).unwrap().hash(), first.hash());
        assert_ne!(first.hash(), second.hash());
    }

    #[test]
    fn a_mistyped_generated_key_is_refused_without_a_lookup() {
        let key = TenantKey::generate().unwrap();
        for position in PREFIX.len()..GENERATED_BYTES {
            let mut bytes = key.reveal().as_bytes().to_vec();
            bytes[position] = if bytes[position] == b'a' { b'b' } else { b'a' };
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                TenantKey::parse(&text).unwrap_err(),
                TenantKeyError::BadChecksum,
                "position {position}"
            );
        }
    }

    #[test]
    fn candidates() {
        for good in ["demo-tenant-key-1", "x", "!~", &"k".repeat(256), "tk_short"] {
            assert_eq!(TenantKey::parse(good).unwrap().reveal(), good);
        }
        let cases = [
            ("", TenantKeyError::Empty),
            (&"k".repeat(257), TenantKeyError::TooLong),
            ("a b", TenantKeyError::BadCharacter),
            ("a\tb", TenantKeyError::BadCharacter),
            ("nøgle", TenantKeyError::BadCharacter),
        ];
        for (text, expected) in cases {
            assert_eq!(TenantKey::parse(text).unwrap_err(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_hash_is_sha_256_of_the_text() {
        let hash = TenantKey::parse("abc").unwrap().hash();
        assert_eq!(hash.as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(KeyHash::from_bytes(*hash.as_bytes()), hash);
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = TenantKey::parse("demo-tenant-key-1").unwrap();
        assert!(!format!("{key:?}").contains("demo"));
        assert_eq!(format!("{:?}", key.hash()), "KeyHash([redacted])");
    }

    #[test]
    fn comparison() {
        assert!(secrets_equal(b"same", b"same"));
        assert!(!secrets_equal(b"same", b"sane"));
        assert!(!secrets_equal(b"same", b"same "));
        assert!(!secrets_equal(b"", b"x"));
    }
}
