//! JSON Web Tokens, signed with HS256 and a local secret.

mod claims;
mod secret;
mod signer;
mod verifier;

pub use claims::{Claims, ServiceClaims, ServiceScope, UnknownScope};
pub use secret::{JwtSecret, SECRET_BYTES_MIN, SecretTooShort};
pub use signer::{JwtSigner, SignError, TokenText};
pub use verifier::{JwtVerifier, LEEWAY_S, TOKEN_BYTES_MAX, TokenError, UserTokenRules};

/// The audience of operators' and services' tokens. No application may use it for its users.
pub const CONTROL_AUDIENCE: &str = "tidings";

/// Makes aws-lc-rs the crypto provider of `jsonwebtoken`. Call it first thing in `main`; calling it again does
/// nothing. (`jsonwebtoken` panics at first use when it finds two providers and was told about neither.)
pub fn install_crypto_provider() {
    // An error only says that a provider is installed already.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
