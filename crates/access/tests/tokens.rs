//! Tables of tokens and what becomes of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value, json};
use tidings_access::{
    JwtSecret, JwtSigner, JwtVerifier, ROOM_BYTES_MAX, ROOM_CLAIMS_MAX, ServiceScope, TOKEN_BYTES_MAX,
    TokenError, UserId, UserTokenRules, install_crypto_provider,
};

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW: i64 = 1_770_000_000;

fn verifier() -> JwtVerifier {
    JwtVerifier::new(&JwtSecret::new(SECRET).unwrap())
}

fn token(claims: &Value) -> String {
    install_crypto_provider();
    encode(
        &Header::default(),
        claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap()
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = json!({"sub": "ann", "exp": NOW + 60});
    claims[key] = value;
    claims
}

fn judge(claims: &Value, rules: &UserTokenRules) -> Result<String, TokenError> {
    verifier()
        .verify_user_at(&token(claims), rules, NOW)
        .map(|claims| claims.sub.as_str().to_owned())
}

#[test]
fn users_claims() {
    let ann = || Ok("ann".to_owned());
    let invalid = || Err(TokenError::Invalid);
    let expired = || Err(TokenError::Expired);
    let cases = [
        (json!({"sub": "ann"}), ann()),
        (json!({"sub": 42}), Ok("42".to_owned())),
        (json!({"sub": -1}), Ok("-1".to_owned())),
        (json!({"sub": u64::MAX}), Ok(u64::MAX.to_string())),
        (json!({"sub": 4.5}), invalid()),
        (json!({"sub": null}), invalid()),
        (json!({"sub": ["ann"]}), invalid()),
        (json!({"sub": ""}), invalid()),
        (json!({"sub": "a\nb"}), invalid()),
        (json!({"sub": "u".repeat(201)}), invalid()),
        (json!({}), invalid()),
        (json!(["ann"]), invalid()),
        (with("type", json!("access")), ann()),
        (with("type", json!("refresh")), invalid()),
        (with("type", json!(null)), invalid()),
        (with("type", json!(["access"])), invalid()),
        (with("exp", json!(NOW + 1)), ann()),
        (with("exp", json!(NOW)), ann()),
        (with("exp", json!(NOW - 4)), ann()),
        (with("exp", json!(NOW - 5)), expired()),
        (with("exp", json!(0)), expired()),
        (with("exp", json!(-1)), expired()),
        (with("exp", json!(1.5)), expired()),
        (with("exp", json!(1e300)), ann()),
        (with("exp", json!(u64::MAX)), ann()),
        (with("exp", json!("soon")), invalid()),
        (with("exp", json!(null)), invalid()),
        (with("nbf", json!(NOW + 5)), ann()),
        (with("nbf", json!(NOW + 6)), invalid()),
        (with("nbf", json!("now")), invalid()),
        (with("iat", json!("then")), invalid()),
        (with("aud", json!("someone")), ann()),
        (with("aud", json!("tidings")), invalid()),
        (with("aud", json!(["someone", "tidings"])), invalid()),
        (with("aud", json!(7)), invalid()),
        (with("scope", json!("operator")), ann()),
        (with("scope", json!(7)), invalid()),
        (with("rooms", json!(["execution:1", "workflow:*"])), ann()),
        (with("rooms", json!("12b")), ann()),
        // Both expired and of the wrong kind: a new token of that kind would not help, so it is invalid.
        (json!({"sub": "ann", "exp": 1, "type": "refresh"}), invalid()),
    ];
    for (claims, expected) in cases {
        assert_eq!(judge(&claims, &UserTokenRules::default()), expected, "{claims}");
    }
}

#[test]
fn rooms_that_a_token_opens() {
    let entries = |count| vec!["execution:1"; count];
    let long = |bytes: usize| "x".repeat(bytes);
    let cases = [
        (json!([]), 0),
        (json!(["execution:1", "workflow:*"]), 2),
        (json!(entries(ROOM_CLAIMS_MAX)), ROOM_CLAIMS_MAX),
        (json!([long(ROOM_BYTES_MAX)]), 1),
        // What is of another form, or out of bounds, is the application's own and opens nothing.
        (json!(entries(ROOM_CLAIMS_MAX + 1)), 0),
        (json!(["execution:1", long(ROOM_BYTES_MAX + 1)]), 0),
        (json!(["execution:1", 7]), 0),
        (json!([["execution:1"]]), 0),
        (json!("execution:1"), 0),
        (json!({"execution:1": true}), 0),
        (json!(12), 0),
        (json!(null), 0),
    ];
    for (rooms, expected) in cases {
        let token = token(&with("rooms", rooms.clone()));
        let claims = verifier().verify_user_at(&token, &UserTokenRules::default(), NOW);
        assert_eq!(claims.unwrap().rooms.len(), expected, "{rooms}");
    }
}

#[test]
fn configured_rules() {
    let rules = |audience: Option<&str>, issuer: Option<&str>, expiry_required| UserTokenRules {
        audience: audience.map(str::to_owned),
        issuer: issuer.map(str::to_owned),
        expiry_required,
    };
    let cases = [
        (json!({"sub": "ann"}), rules(None, None, true), false),
        (
            json!({"sub": "ann", "exp": NOW + 1}),
            rules(None, None, true),
            true,
        ),
        (json!({"sub": "ann"}), rules(Some("app"), None, false), false),
        (
            json!({"sub": "ann", "aud": "app"}),
            rules(Some("app"), None, false),
            true,
        ),
        (
            json!({"sub": "ann", "aud": ["x", "app"]}),
            rules(Some("app"), None, false),
            true,
        ),
        (
            json!({"sub": "ann", "aud": "other"}),
            rules(Some("app"), None, false),
            false,
        ),
        (
            json!({"sub": "ann"}),
            rules(None, Some("https://issuer"), false),
            false,
        ),
        (
            json!({"sub": "ann", "iss": "https://issuer"}),
            rules(None, Some("https://issuer"), false),
            true,
        ),
        (
            json!({"sub": "ann", "iss": "https://issuer/"}),
            rules(None, Some("https://issuer"), false),
            false,
        ),
        (
            json!({"sub": "ann", "aud": "tidings"}),
            rules(Some("tidings"), None, false),
            true,
        ),
        (
            json!({"sub": "ann", "aud": "tidings", "scope": "a service"}),
            rules(Some("tidings"), None, false),
            false,
        ),
    ];
    for (claims, rules, allowed) in cases {
        assert_eq!(judge(&claims, &rules).is_ok(), allowed, "{claims} {rules:?}");
    }
}

#[test]
fn services_claims() {
    let cases = [
        (
            json!({"aud": "tidings", "scope": "service"}),
            Ok(ServiceScope::Service),
        ),
        (
            json!({"aud": ["tidings"], "scope": "operator", "sub": "ops"}),
            Ok(ServiceScope::Operator),
        ),
        (
            json!({"aud": "tidings", "scope": "service operator"}),
            Ok(ServiceScope::Operator),
        ),
        (
            json!({"aud": "tidings", "scope": "operators"}),
            Err(TokenError::Invalid),
        ),
        (json!({"aud": "tidings"}), Err(TokenError::Invalid)),
        (json!({"scope": "operator"}), Err(TokenError::Invalid)),
        (
            json!({"aud": "other", "scope": "operator"}),
            Err(TokenError::Invalid),
        ),
        (
            json!({"aud": "tidings", "scope": "service", "type": "refresh"}),
            Err(TokenError::Invalid),
        ),
        (
            json!({"aud": "tidings", "scope": "service", "exp": NOW - 60}),
            Err(TokenError::Expired),
        ),
        (json!({"sub": "ann"}), Err(TokenError::Invalid)),
    ];
    for (claims, expected) in cases {
        let verdict = verifier()
            .verify_service_at(&token(&claims), NOW)
            .map(|claims| claims.scope);
        assert_eq!(verdict, expected, "{claims}");
    }
    assert!(ServiceScope::Operator.includes(ServiceScope::Service));
    assert!(!ServiceScope::Service.includes(ServiceScope::Operator));
}

#[test]
fn forged_and_malformed_tokens() {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"sub": "ann"});
    let good = token(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let none = part(&json!({"alg": "none", "typ": "JWT"}));
    let hs384 = encode(
        &Header::new(Algorithm::HS384),
        &claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    );
    let other_key = encode(
        &Header::default(),
        &claims,
        &EncodingKey::from_secret(b"another secret altogether"),
    );
    let cases = [
        ("", TokenError::Missing),
        ("ping", TokenError::Invalid),
        ("..", TokenError::Invalid),
        ("a.b.c.d", TokenError::Invalid),
        (&format!("{none}.{}.", part(&claims)), TokenError::Invalid),
        (
            &format!("{none}.{}.{signature}", part(&claims)),
            TokenError::Invalid,
        ),
        (&hs384.unwrap(), TokenError::Invalid),
        (&other_key.unwrap(), TokenError::Invalid),
        (
            &format!("{signed}.{}", signature.to_lowercase()),
            TokenError::Invalid,
        ),
        (&format!("{signed}."), TokenError::Invalid),
        (&format!("{good} "), TokenError::Invalid),
        (&good.replace('.', "\u{e9}"), TokenError::Invalid),
        (&"a".repeat(1 << 20), TokenError::Invalid),
    ];
    for (token, expected) in cases {
        let verdict = verifier().verify_user_at(token, &UserTokenRules::default(), NOW);
        assert_eq!(
            verdict.err(),
            Some(expected),
            "{}",
            token.chars().take(60).collect::<String>()
        );
    }
}

#[test]
fn the_length_bound_applies_to_good_tokens_too() {
    let long = token(&json!({"sub": "ann", "padding": "x".repeat(TOKEN_BYTES_MAX)}));
    let verdict = verifier().verify_user_at(&long, &UserTokenRules::default(), NOW);
    assert_eq!(verdict.err(), Some(TokenError::Invalid));
}

#[test]
fn what_is_signed_here_verifies_here() {
    let secret = JwtSecret::new(SECRET).unwrap();
    let signer = JwtSigner::new(&secret);
    let user = UserId::new("ann").unwrap();
    let mut extra = Map::new();
    extra.insert("rooms".to_owned(), json!(["execution:1"]));
    extra.insert("team".to_owned(), json!("red"));
    let token = signer.sign_user(&user, Duration::from_mins(1), extra).unwrap();
    let rules = UserTokenRules {
        expiry_required: true,
        ..UserTokenRules::default()
    };
    let claims = verifier().verify_user(token.reveal(), &rules).unwrap();
    assert_eq!(claims.sub, user);
    assert_eq!(claims.exp, claims.iat.map(|issued| issued + 60));
    assert_eq!(claims.rooms, ["execution:1"]);
    assert_eq!(claims.other["team"], "red");
    assert!(verifier().verify_service(token.reveal()).is_err());
    assert!(!format!("{token:?}{signer:?}{:?}", verifier()).contains(token.reveal()));

    for scope in [ServiceScope::Operator, ServiceScope::Service] {
        let token = signer.sign_service(scope, Duration::from_mins(1)).unwrap();
        assert_eq!(verifier().verify_service(token.reveal()).unwrap().scope, scope);
        assert_eq!(
            verifier().verify_user(token.reveal(), &rules),
            Err(TokenError::Invalid)
        );
    }
}
