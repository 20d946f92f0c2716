//! Public keys in files: PEM (RFC 7468) around what X.509 has for them (`SubjectPublicKeyInfo`, RFC 5280).

use rustls_pki_types::alg_id::{ECDSA_P256, ED25519, RSA_ENCRYPTION};
use rustls_pki_types::pem::{PemObject, SectionKind};

use super::KeyError;
use super::key::VerifyingKey;

/// The most keys in one file.
pub const PUBLIC_KEYS_MAX: usize = 16;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The public keys of an issuer, as a file holds them.
#[derive(Clone, Debug)]
pub struct PublicKeys(pub(super) Vec<VerifyingKey>);

/// Why a text holds no public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeysError {
    /// It is not PEM.
    #[error("it is not in PEM form")]
    NotPem,
    /// It has no section `PUBLIC KEY`.
    #[error("it has no `PUBLIC KEY`; `openssl x509 -pubkey -noout` takes it out of a certificate")]
    None,
    /// It has a private key, which is no business of whoever verifies.
    #[error("it has a private key; only the public one belongs here: `openssl pkey -pubout`")]
    Private,
    /// It has more than [`PUBLIC_KEYS_MAX`].
    #[error("it has more than {PUBLIC_KEYS_MAX} keys")]
    TooMany,
    /// One of them cannot be used.
    #[error("key {number}: {error}")]
    Key {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        error: KeyError,
    },
}

impl PublicKeys {
    /// Reads every section `PUBLIC KEY`. A token may be signed with any of them.
    pub fn from_pem(text: &[u8]) -> Result<PublicKeys, PublicKeysError> {
        let mut keys = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let (kind, der) = section.map_err(|_| PublicKeysError::NotPem)?;
            match kind {
                SectionKind::PublicKey => {}
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                    return Err(PublicKeysError::Private);
                }
                _ => continue,
            }
            let number = keys.len() + 1;
            if number > PUBLIC_KEYS_MAX {
                return Err(PublicKeysError::TooMany);
            }
            let key = key(&der).map_err(|error| PublicKeysError::Key { number, error })?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(PublicKeysError::None);
        }
        Ok(PublicKeys(keys))
    }
}

/// SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING }
fn key(der: &[u8]) -> Result<VerifyingKey, KeyError> {
    let info = whole(SEQUENCE, der)?;
    let (algorithm, rest) = element(SEQUENCE, info).ok_or(KeyError::Malformed)?;
    // The first byte says how many bits of the last are unused: none.
    let [0, key @ ..] = whole(BIT_STRING, rest)? else {
        return Err(KeyError::Malformed);
    };
    if algorithm == RSA_ENCRYPTION.as_ref() {
        // SEQUENCE { INTEGER modulus, INTEGER exponent } (RFC 8017, appendix A.1.1)
        let numbers = whole(SEQUENCE, key)?;
        let (modulus, rest) = element(INTEGER, numbers).ok_or(KeyError::Malformed)?;
        VerifyingKey::rsa(modulus, whole(INTEGER, rest)?)
    } else if algorithm == ECDSA_P256.as_ref() {
        VerifyingKey::p256(key)
    } else if algorithm == ED25519.as_ref() {
        VerifyingKey::ed25519(key)
    } else {
        Err(KeyError::Unsupported)
    }
}

/// The content of an element that is all there is.
fn whole(tag: u8, der: &[u8]) -> Result<&[u8], KeyError> {
    match element(tag, der) {
        Some((content, [])) => Ok(content),
        _ => Err(KeyError::Malformed),
    }
}

/// The content of the first element, which must be of this tag, and what is behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else {
        return None;
    };
    if *found != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
        // No key is as long as 64 KiB.
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenAlgorithm;

    // Made with `openssl genpkey` and `openssl pkey -pubout`.
    const RSA: &str = include_str!("testdata/rsa.pub.pem");
    const P256: &str = include_str!("testdata/p256.pub.pem");
    const ED25519_KEY: &str = include_str!("testdata/ed25519.pub.pem");
    const P384: &str = include_str!("testdata/p384.pub.pem");
    const RSA_1024: &str = include_str!("testdata/rsa1024.pub.pem");

    #[test]
    fn files() {
        let all = [RSA, P256, ED25519_KEY].concat();
        let private = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let many = ED25519_KEY.repeat(PUBLIC_KEYS_MAX + 1);
        let cut = P256.replacen("MFkw", "MFgw", 1);
        let ok = |algorithms: &'static [TokenAlgorithm]| Ok(algorithms);
        let table: [(&str, Result<&[TokenAlgorithm], PublicKeysError>); 12] = [
            (RSA, ok(&[TokenAlgorithm::Rs256])),
            (P256, ok(&[TokenAlgorithm::Es256])),
            (ED25519_KEY, ok(&[TokenAlgorithm::EdDsa])),
            (
                &all,
                ok(&[
                    TokenAlgorithm::Rs256,
                    TokenAlgorithm::Es256,
                    TokenAlgorithm::EdDsa,
                ]),
            ),
            (
                P384,
                Err(PublicKeysError::Key {
                    number: 1,
                    error: KeyError::Unsupported,
                }),
            ),
            (
                RSA_1024,
                Err(PublicKeysError::Key {
                    number: 1,
                    error: KeyError::Size,
                }),
            ),
            (
                &cut,
                Err(PublicKeysError::Key {
                    number: 1,
                    error: KeyError::Malformed,
                }),
            ),
            ("", Err(PublicKeysError::None)),
            ("a secret", Err(PublicKeysError::None)),
            (private, Err(PublicKeysError::Private)),
            (&many, Err(PublicKeysError::TooMany)),
            (&ED25519_KEY[..60], Err(PublicKeysError::NotPem)),
        ];
        for (text, expected) in table {
            let found = PublicKeys::from_pem(text.as_bytes()).map(|keys| {
                let of = |key: &VerifyingKey| TokenAlgorithm::ALL.into_iter().find(|a| key.is_for(*a));
                keys.0.iter().filter_map(of).collect::<Vec<_>>()
            });
            assert_eq!(found.as_deref(), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn der_that_breaks_off() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0x81],
            &[0x30, 0x82, 1],
            &[0x30, 2, 0],
            &[0x30, 0x83, 0, 0, 1, 0],
        ] {
            assert_eq!(element(SEQUENCE, der), None, "{der:?}");
        }
        assert_eq!(
            element(SEQUENCE, &[0x30, 0x81, 1, 7, 8]),
            Some((&[7][..], &[8][..]))
        );
    }
}
