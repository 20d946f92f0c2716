//! The secret that tokens are signed with.

use std::fmt;
use std::sync::Arc;

/// The shortest signing secret, in bytes: as long as the hash that HS256 uses.
pub const SECRET_BYTES_MIN: usize = 32;

/// A signing secret refused for its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing secret is shorter than {SECRET_BYTES_MIN} bytes")]
pub struct SecretTooShort;

/// A secret for HS256, at least 32 bytes long.
#[derive(Clone)]
pub struct JwtSecret(Arc<[u8]>);

impl JwtSecret {
    /// Takes these bytes as the secret.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<JwtSecret, SecretTooShort> {
        let bytes = bytes.as_ref();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort);
        }
        Ok(JwtSecret(bytes.into()))
    }

    /// Whether the secret is long but plainly not random, like one letter repeated. Production refuses such.
    pub fn is_guessable(&self) -> bool {
        let mut seen = [false; 256];
        for byte in &*self.0 {
            seen[usize::from(*byte)] = true;
        }
        seen.into_iter().filter(|seen| *seen).count() < 8
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for JwtSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtSecret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_refused() {
        for (secret, expected) in [
            (String::new(), Some(SecretTooShort)),
            ("s".repeat(31), Some(SecretTooShort)),
            ("s".repeat(32), None),
        ] {
            assert_eq!(JwtSecret::new(&secret).err(), expected, "{} bytes", secret.len());
        }
    }

    #[test]
    fn repetition_is_guessable() {
        assert!(JwtSecret::new("abc".repeat(20)).unwrap().is_guessable());
        assert!(
            !JwtSecret::new("9f86d081884c7d659a2feaa0c55ad015")
                .unwrap()
                .is_guessable()
        );
    }

    #[test]
    fn it_is_not_printed() {
        let secret = JwtSecret::new("correct-horse-battery-staple-0001").unwrap();
        assert_eq!(format!("{secret:?}"), "JwtSecret([redacted])");
    }
}
