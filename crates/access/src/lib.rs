//! Who are you, and may you enter this room?
//!
//! Tenant keys and their permissions, JSON Web Tokens of users, operators and services, and the rules that decide
//! about rooms. This crate reads no database and no socket: the store's answers come in through [`Ownership`], those of
//! others through [`RoomRule`], issuers' keys through [`FetchKeys`].
//!
//! Invariant: no secret (key, token, signing secret) appears in a `Debug` or `Display` text of this crate.
//! Invariant: whatever is not explicitly allowed is denied.

mod claim;
mod permission;
mod registry;
mod room;
mod room_access;
mod tenant_key;
mod token;
mod user_id;

pub use claim::{ClaimRule, ROOM_CLAIMS_MAX};
pub use permission::{Permission, Permissions, UnknownPermission};
pub use registry::{Ownership, RegistryRule, Unanswered};
pub use room::{ROOM_BYTES_MAX, RoomKind, RoomTarget};
pub use room_access::{
    Admission, AnswersAbout, BoxFuture, BreakerState, CacheFigures, Decision, OWN_ROOM, RULE_BOUNDS_SECONDS,
    RoomAccess, RoomRule, RuleFigures, RuleState, Verdict,
};
pub use tenant_key::{KeyHash, TENANT_KEY_BYTES_MAX, TenantKey, TenantKeyError, secrets_equal};
pub use token::{
    Authenticator, CONTROL_AUDIENCE, Claims, FetchError, FetchKeys, ISSUERS_MAX, Issuer, IssuerKeys,
    JwtSecret, JwtSigner, JwtVerifier, KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX, KeyError, KeySet, KeySetError,
    LEEWAY_S, PUBLIC_KEYS_MAX, PublicKeys, PublicKeysError, RemoteKeys, RemoteKeysSettings, Revocation,
    Revocations, RevokedTokens, SECRET_BYTES_MIN, SecretTooShort, ServiceClaims, ServiceScope, SignError,
    TOKEN_BYTES_MAX, TokenAlgorithm, TokenError, TokenStamp, TokenText, UnknownAlgorithm, UnknownScope,
    UserTokenRules, install_crypto_provider,
};
pub use user_id::{USER_ID_BYTES_MAX, UserId, UserIdError};
