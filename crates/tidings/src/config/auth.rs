//! How tokens are verified.

use super::issuers::JwtIssuers;
use super::secret::Secret;
use super::section::section;

section! {
    /// How users' tokens, and operator and service tokens, are verified.
    ["auth.jwt"] Jwt(base) {
        /// The secret of tokens signed with HS256, HS384 or HS512, at least 32 bytes; HS384 needs 48 and HS512 64. Operators'
        /// and services' tokens verify with it alone, users' tokens unless they name one of `issuers`.
        /// Unset in development: `<data_dir>/jwt-secret`, made at the first start.
        secret: Option<Secret> = None;
        /// The `iss` that users' tokens signed with `secret` must have; unset: not checked.
        issuer: Option<String> = None;
        /// The `aud` that users' tokens signed with `secret` must have; unset: not checked. Not `tidings`, which is the
        /// operators' and services' own.
        audience: Option<String> = None;
        /// Others who issue users' tokens, at most 32. `issuer` is the `iss` of their tokens, to the letter; `audience` a text or a
        /// list of texts, of which their `aud` must have one (unset: not checked); `algorithms` narrow what they may be signed
        /// with. The keys are one of `jwks_url`, where they are published (https, or http on this machine),
        /// `public_key_file`, PEM with one or more keys (`RS256`, `ES256`, `EdDSA`), and `secret` or `secret_file` (`HS256`, `HS384`, `HS512`).
        /// A token that names one of them verifies with its keys and with no others.
        issuers: JwtIssuers = JwtIssuers::default();
        /// How long after its token's expiry a connection is closed, with 4408, in milliseconds.
        expiry_grace_ms: u64 = 25_000, within 0..=86_400_000;
        /// Time between two requests for an issuer's keys (`jwks_url`), in milliseconds.
        jwks_refresh_interval_ms: u64 = 600_000, within 1_000..=86_400_000;
        /// The least time between two, when a token names a key that is not known, in milliseconds.
        jwks_refresh_interval_ms_min: u64 = 2_000, within 100..=600_000;
        /// How long keys are used while their issuer does not answer, in milliseconds.
        jwks_age_ms_max: u64 = 86_400_000, within 1_000..=31_536_000_000;
        /// How long one request for keys may take, and how long a token may wait whose key is not known, in milliseconds.
        jwks_timeout_ms: u64 = 5_000, within 100..=60_000;
    }
}
