//! The algorithms that tokens may be signed with (RFC 7518, section 3, and RFC 8037).

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::Algorithm;

/// A signature algorithm. `none` is not one of them, so no token can ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenAlgorithm {
    /// HMAC with SHA-256 and a secret.
    Hs256,
    /// HMAC with SHA-384 and a secret.
    Hs384,
    /// HMAC with SHA-512 and a secret.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// `EdDSA` on Curve25519.
    EdDsa,
}

/// A text that names no algorithm that is understood here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm: expected HS256, HS384, HS512, RS256, ES256 or EdDSA")]
pub struct UnknownAlgorithm;

impl TokenAlgorithm {
    /// Every algorithm.
    pub const ALL: [TokenAlgorithm; 6] = [
        TokenAlgorithm::Hs256,
        TokenAlgorithm::Hs384,
        TokenAlgorithm::Hs512,
        TokenAlgorithm::Rs256,
        TokenAlgorithm::Es256,
        TokenAlgorithm::EdDsa,
    ];

    /// As it stands in a token's `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenAlgorithm::Hs256 => "HS256",
            TokenAlgorithm::Hs384 => "HS384",
            TokenAlgorithm::Hs512 => "HS512",
            TokenAlgorithm::Rs256 => "RS256",
            TokenAlgorithm::Es256 => "ES256",
            TokenAlgorithm::EdDsa => "EdDSA",
        }
    }

    /// Whether it signs and verifies with one secret. The others verify with a public key.
    pub const fn is_symmetric(self) -> bool {
        matches!(
            self,
            TokenAlgorithm::Hs256 | TokenAlgorithm::Hs384 | TokenAlgorithm::Hs512
        )
    }

    pub(super) const fn of_library(self) -> Algorithm {
        match self {
            TokenAlgorithm::Hs256 => Algorithm::HS256,
            TokenAlgorithm::Hs384 => Algorithm::HS384,
            TokenAlgorithm::Hs512 => Algorithm::HS512,
            TokenAlgorithm::Rs256 => Algorithm::RS256,
            TokenAlgorithm::Es256 => Algorithm::ES256,
            TokenAlgorithm::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for TokenAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TokenAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for algorithm in TokenAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(format!("{:?}", algorithm.of_library()), algorithm.as_str());
        }
        for text in ["", "none", "None", "hs256", "RS384", "PS256", "ES256K", "HS256 "] {
            assert_eq!(text.parse::<TokenAlgorithm>(), Err(UnknownAlgorithm), "{text}");
        }
    }
}
