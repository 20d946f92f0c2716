//! How tokens are verified.

use super::secret::Secret;
use super::section::section;

section! {
    /// How users' tokens, and operator and service tokens, are verified.
    ["auth.jwt"] Jwt(base) {
        /// The HS256 secret, at least 32 bytes.
        /// Unset in development: `<data_dir>/jwt-secret`, made at the first start.
        secret: Option<Secret> = None;
        /// The `iss` that users' tokens must have; unset: not checked.
        issuer: Option<String> = None;
        /// The `aud` that users' tokens must have; unset: not checked. Not `tidings`, which is the operators' and
        /// services' own.
        audience: Option<String> = None;
    }
}
