//! Keys that tokens are verified with.

use std::fmt;

use jsonwebtoken::DecodingKey;

use super::{JwtSecret, TokenAlgorithm, install_crypto_provider};

/// The least size of an RSA modulus, in bits (RFC 7518, section 3.3).
const RSA_BITS_MIN: usize = 2_048;
/// The largest that is verified with: larger ones cost more than they protect.
const RSA_BITS_MAX: usize = 8_192;

/// A key, and the algorithms that it is for.
///
/// Invariant: a secret is for HMAC alone, and a public key for the one signature algorithm of its kind. A token says
/// which algorithm it is signed with; it never decides what a key is. So no public key is ever taken as a secret.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    key: DecodingKey,
    algorithms: &'static [TokenAlgorithm],
}

/// Why bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// They are not in the form of a key.
    #[error("it is malformed")]
    Malformed,
    /// It is a key of a kind that no token is verified with here.
    #[error("it is of a kind that is not supported: expected RSA, EC on P-256, or Ed25519")]
    Unsupported,
    /// Its modulus is shorter than 2048 bits or longer than 8192.
    #[error("an RSA key has 2048 to 8192 bits")]
    Size,
}

impl VerifyingKey {
    /// A secret is for those algorithms whose hash is no longer than it is (RFC 7518, section 3.2).
    pub(super) fn secret(secret: &JwtSecret) -> VerifyingKey {
        const BY_LENGTH: [TokenAlgorithm; 3] = [
            TokenAlgorithm::Hs256,
            TokenAlgorithm::Hs384,
            TokenAlgorithm::Hs512,
        ];
        let bytes = secret.as_bytes();
        let count = match bytes.len() {
            64.. => 3,
            48.. => 2,
            _ => 1,
        };
        const { assert!(super::SECRET_BYTES_MIN == 32) };
        let (algorithms, _) = const { &BY_LENGTH }.split_at(count);
        VerifyingKey::new(DecodingKey::from_secret(bytes), algorithms)
    }

    /// An RSA key of its modulus and exponent, both big-endian.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<VerifyingKey, KeyError> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let bits = modulus
            .first()
            .map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
        if exponent.is_empty() {
            return Err(KeyError::Malformed);
        }
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err(KeyError::Size);
        }
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Ok(VerifyingKey::new(key, &[TokenAlgorithm::Rs256]))
    }

    /// A key on P-256: the uncompressed point, 0x04 and both coordinates (SEC 1, section 2.3.3).
    pub(super) fn p256(point: &[u8]) -> Result<VerifyingKey, KeyError> {
        match point {
            [4, coordinates @ ..] if coordinates.len() == 64 => Ok(VerifyingKey::new(
                DecodingKey::from_ec_der(point),
                &[TokenAlgorithm::Es256],
            )),
            _ => Err(KeyError::Malformed),
        }
    }

    /// A key on Ed25519: 32 bytes (RFC 8032).
    pub(super) fn ed25519(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
        if bytes.len() != 32 {
            return Err(KeyError::Malformed);
        }
        Ok(VerifyingKey::new(
            DecodingKey::from_ed_der(bytes),
            &[TokenAlgorithm::EdDsa],
        ))
    }

    fn new(key: DecodingKey, algorithms: &'static [TokenAlgorithm]) -> VerifyingKey {
        install_crypto_provider();
        VerifyingKey { key, algorithms }
    }

    pub(super) fn is_for(&self, algorithm: TokenAlgorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether the signature (in base64url) is this key's over the message, by an algorithm that the key is for.
    pub(super) fn verifies(&self, algorithm: TokenAlgorithm, message: &str, signature: &str) -> bool {
        self.is_for(algorithm)
            && jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.key, algorithm.of_library())
                .unwrap_or(false)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({:?}, [redacted])", self.algorithms)
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_the_hashes_it_is_long_enough_for() {
        for (length, count) in [(32, 1), (47, 1), (48, 2), (63, 2), (64, 3), (200, 3)] {
            let key = VerifyingKey::secret(&JwtSecret::new(vec![7; length]).unwrap());
            let allowed: Vec<_> = TokenAlgorithm::ALL
                .into_iter()
                .filter(|algorithm| key.is_for(*algorithm))
                .collect();
            assert_eq!(allowed, TokenAlgorithm::ALL[..count], "{length} bytes");
        }
    }

    #[test]
    fn a_public_key_is_for_one_algorithm() {
        let mut point = [1; 65];
        point[0] = 4;
        for (key, algorithm) in [
            (VerifyingKey::rsa(&[0xff; 256], &[1, 0, 1]), TokenAlgorithm::Rs256),
            (VerifyingKey::p256(&point), TokenAlgorithm::Es256),
            (VerifyingKey::ed25519(&[1; 32]), TokenAlgorithm::EdDsa),
        ] {
            assert_eq!(key.unwrap().algorithms, [algorithm]);
        }
    }

    #[test]
    fn sizes() {
        for (modulus, expected) in [
            (vec![0xff; 256], None),
            ([&[0, 0][..], &[0xff; 256]].concat(), None),
            (vec![0x80; 1_024], None),
            ([&[0x7f][..], &[0xff; 255]].concat(), Some(KeyError::Size)),
            (vec![0xff; 255], Some(KeyError::Size)),
            (vec![0x01; 1_025], Some(KeyError::Size)),
            (vec![0; 256], Some(KeyError::Size)),
            (vec![], Some(KeyError::Size)),
        ] {
            assert_eq!(
                VerifyingKey::rsa(&modulus, &[3]).err(),
                expected,
                "{}",
                modulus.len()
            );
        }
        assert_eq!(
            VerifyingKey::rsa(&[0xff; 256], &[0]).err(),
            Some(KeyError::Malformed)
        );
        for point in [&[4; 64][..], &[4; 66], &[2; 65], &[2; 33], &[]] {
            assert_eq!(VerifyingKey::p256(point).err(), Some(KeyError::Malformed));
        }
        assert_eq!(VerifyingKey::ed25519(&[1; 31]).err(), Some(KeyError::Malformed));
    }

    #[test]
    fn it_is_not_printed() {
        let key = VerifyingKey::secret(&JwtSecret::new("0123456789abcdef0123456789abcdef").unwrap());
        assert_eq!(format!("{key:?}"), "VerifyingKey([Hs256], [redacted])");
    }
}
