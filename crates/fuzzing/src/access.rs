//! Tokens: any text, and any claims under a good signature.

use std::sync::LazyLock;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::value::RawValue;
use tidings_access::{
    JwtSecret, JwtVerifier, KeySet, PublicKeys, TokenError, UserTokenRules, install_crypto_provider,
};

use crate::pieces::byte;

const SECRET: &[u8] = b"the secret of the fuzz target, thirty-two bytes and more";
/// 2026-01-01.
const NOW_S: i64 = 1_767_225_600;

static VERIFIER: LazyLock<JwtVerifier> = LazyLock::new(|| {
    let secret = JwtSecret::new(SECRET).expect("Invariant: the secret is long enough");
    JwtVerifier::new(&secret)
});

/// The first byte is the rules; the rest is a token and, if it is JSON, claims; and keys of an issuer.
pub(crate) fn run(mut input: &[u8]) {
    let choice = byte(&mut input);
    // Whatever an issuer publishes, and whatever stands in a file.
    if let Ok(keys) = KeySet::parse(input) {
        assert!(keys.len() <= tidings_access::KEY_SET_KEYS_MAX);
    }
    drop(PublicKeys::from_pem(input));
    let rules = UserTokenRules {
        audience: (choice & 1 != 0).then(|| "app".to_owned()),
        issuer: (choice & 2 != 0).then(|| "issuer".to_owned()),
        expiry_required: choice & 4 != 0,
    };
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // Nobody finds a signature by chance.
    assert!(VERIFIER.verify_user_at(text, &rules, NOW_S).is_err());
    assert!(VERIFIER.verify_service_at(text, NOW_S).is_err());
    let Ok(claims) = serde_json::from_str::<&RawValue>(text) else {
        return;
    };
    install_crypto_provider();
    let key = EncodingKey::from_secret(SECRET);
    let Ok(token) = encode(&Header::default(), &claims, &key) else {
        return;
    };

    let user = VERIFIER.verify_user_at(&token, &rules, NOW_S);
    let service = VERIFIER.verify_service_at(&token, NOW_S);
    assert_ne!(user.as_ref().err(), Some(&TokenError::Missing));
    if let Ok(user) = &user {
        assert!(user.exp.is_some() || !rules.expiry_required);
        assert!(rules.issuer.is_none() || rules.issuer == user.iss);
        assert!(rules.audience.is_none() || user.aud.iter().any(|audience| audience == "app"));
        assert!(user.exp.is_none_or(|exp| exp.saturating_add(5) > NOW_S));
    }
    // A token of the control API is no user's.
    assert!(user.is_err() || service.is_err());
    // A changed signature is none.
    let changed = format!("{token}A");
    assert_eq!(
        VERIFIER.verify_user_at(&changed, &rules, NOW_S).err(),
        Some(TokenError::Invalid)
    );
}
