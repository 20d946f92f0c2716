//! JSON Web Tokens: signed with the local secret, or by issuers that are configured.

mod algorithm;
mod authenticator;
mod claims;
mod encoded;
mod key;
mod key_set;
mod public_key;
mod remote_keys;
mod revocations;
mod secret;
mod signer;
mod verifier;

pub use algorithm::{TokenAlgorithm, UnknownAlgorithm};
pub use authenticator::{Authenticator, ISSUERS_MAX, Issuer, IssuerKeys};
pub use claims::{Claims, ServiceClaims, ServiceScope, UnknownScope};
pub use encoded::TOKEN_BYTES_MAX;
pub use key::KeyError;
pub use key_set::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX, KeySet, KeySetError};
pub use public_key::{PUBLIC_KEYS_MAX, PublicKeys, PublicKeysError};
pub use remote_keys::{FetchError, FetchKeys, RemoteKeys, RemoteKeysSettings};
pub use revocations::{Revocation, Revocations, RevokedTokens, TokenStamp};
pub use secret::{JwtSecret, SECRET_BYTES_MIN, SecretTooShort};
pub use signer::{JwtSigner, SignError, TokenText};
pub use verifier::{JwtVerifier, LEEWAY_S, TokenError, UserTokenRules};

/// The audience of operators' and services' tokens. No application may use it for its users.
pub const CONTROL_AUDIENCE: &str = "tidings";

/// Makes aws-lc-rs the crypto provider of `jsonwebtoken`. Call it first thing in `main`; calling it again does
/// nothing. (`jsonwebtoken` panics at first use when it finds two providers and was told about neither.)
pub fn install_crypto_provider() {
    // An error only says that a provider is installed already.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
