//! Tokens of several issuers, and of whoever would be one.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use tidings_access::{
    Authenticator, BoxFuture, FetchError, FetchKeys, Issuer, IssuerKeys, JwtSecret, PublicKeys, RemoteKeys,
    RemoteKeysSettings, Revocation, Revocations, RevokedTokens, ServiceScope, TokenAlgorithm, TokenError,
    UserId, UserTokenRules, install_crypto_provider,
};

const NOW: i64 = 1_770_000_000;
const LOCAL: &str = "the secret of this server, more than sixty-four bytes of it, and some";
const SHARED: &str = "a secret that an issuer shares, more than sixty-four bytes as well..";

/// A key pair of an issuer, as it signs and as it is published.
struct Pair {
    algorithm: Algorithm,
    signing: EncodingKey,
    pem: String,
    jwk: Value,
}

impl Pair {
    fn rsa() -> Pair {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        // PKCS #8 around PKCS #1, and PKCS #1 around modulus and exponent: fixed places for 2048 bits.
        let (private, public) = (pair.serialize_der(), pair.public_key_raw().to_vec());
        Pair {
            algorithm: Algorithm::RS256,
            signing: EncodingKey::from_rsa_der(&private[26..]),
            pem: pair.public_key_pem(),
            jwk: json!({"kty": "RSA", "n": encoded(&public[9..265]), "e": encoded(&public[267..])}),
        }
    }

    fn p256() -> Pair {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let point = pair.public_key_raw();
        Pair {
            algorithm: Algorithm::ES256,
            signing: EncodingKey::from_ec_der(&pair.serialize_der()),
            pem: pair.public_key_pem(),
            jwk: json!({"kty": "EC", "crv": "P-256", "x": encoded(&point[1..33]), "y": encoded(&point[33..])}),
        }
    }

    fn ed25519() -> Pair {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Pair {
            algorithm: Algorithm::EdDSA,
            signing: EncodingKey::from_ed_der(&pair.serialize_der()),
            pem: pair.public_key_pem(),
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key_raw())}),
        }
    }

    fn published_as(&self, id: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = id.into();
        jwk
    }

    fn sign(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = id.map(str::to_owned);
        encode(&header, claims, &self.signing).unwrap()
    }
}

static RSA: LazyLock<Pair> = LazyLock::new(Pair::rsa);
static OTHER_RSA: LazyLock<Pair> = LazyLock::new(Pair::rsa);
static P256: LazyLock<Pair> = LazyLock::new(Pair::p256);
static ED: LazyLock<Pair> = LazyLock::new(Pair::ed25519);

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hmac(algorithm: Algorithm, id: Option<&str>, secret: &[u8], claims: &Value) -> String {
    install_crypto_provider();
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

struct Published(Vec<u8>);

impl FetchKeys for Published {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, FetchError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

/// Keys at an address, fetched once. The task ends with the test's runtime.
async fn remote(keys: &[Value]) -> RemoteKeys {
    let settings = RemoteKeysSettings {
        refresh_interval: Duration::from_mins(10),
        refresh_interval_min: Duration::from_millis(1),
        age_max: Duration::from_hours(1),
        timeout: Duration::from_secs(5),
    };
    let document = json!({ "keys": keys }).to_string().into_bytes();
    let remote = RemoteKeys::new("test", Published(document), settings);
    tokio::spawn(remote.clone().run());
    while remote.refreshes() == (0, 0) {
        tokio::task::yield_now().await;
    }
    remote
}

fn issuer(name: &str, keys: IssuerKeys) -> Issuer {
    Issuer {
        name: name.to_owned(),
        audiences: vec!["app".to_owned(), "phone".to_owned()],
        algorithms: TokenAlgorithm::ALL.to_vec(),
        keys,
    }
}

/// `remote` publishes three keys, `other` one under the same id as one of them, `file` has two, and `shared` a secret.
async fn authenticator(revocations: Revocations) -> Authenticator {
    let three = [
        RSA.published_as("rsa"),
        P256.published_as("p256"),
        ED.published_as("ed"),
    ];
    let other = [OTHER_RSA.published_as("rsa")];
    let file = PublicKeys::from_pem([RSA.pem.as_str(), &P256.pem].concat().as_bytes()).unwrap();
    let rules = UserTokenRules {
        audience: Some("local-app".to_owned()),
        ..UserTokenRules::default()
    };
    let issuers = vec![
        issuer("https://remote", IssuerKeys::Remote(remote(&three).await)),
        issuer("https://other", IssuerKeys::Remote(remote(&other).await)),
        issuer("https://file", IssuerKeys::Public(file)),
        issuer(
            "https://shared",
            IssuerKeys::Secret(JwtSecret::new(SHARED).unwrap()),
        ),
        Issuer {
            algorithms: vec![TokenAlgorithm::Es256],
            audiences: Vec::new(),
            ..issuer("https://narrow", IssuerKeys::Remote(remote(&three).await))
        },
    ];
    Authenticator::new(&JwtSecret::new(LOCAL).unwrap(), rules, issuers, revocations)
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "sub": "ann", "aud": "app", "exp": NOW + 60, "iat": NOW - 60})
}

fn with(issuer: &str, name: &str, value: Value) -> Value {
    let mut claims = claims(issuer);
    claims[name] = value;
    claims
}

const REMOTE: &str = "https://remote";
const OTHER: &str = "https://other";
const FILE: &str = "https://file";
const SHARING: &str = "https://shared";
const NARROW: &str = "https://narrow";

async fn assert_verdicts(
    table: impl IntoIterator<Item = (&'static str, String)>,
    expected: Option<TokenError>,
) {
    let authenticator = authenticator(Revocations::default()).await;
    for (what, token) in table {
        let found = authenticator.verify_user_at(&token, NOW).await;
        assert_eq!(found.err(), expected, "{what}");
    }
}

#[tokio::test]
async fn each_issuers_tokens_verify_with_its_own_keys() {
    let shared = |algorithm| hmac(algorithm, None, SHARED.as_bytes(), &claims(SHARING));
    let local = |algorithm| {
        let claims = json!({"sub": "ann", "aud": "local-app"});
        hmac(algorithm, None, LOCAL.as_bytes(), &claims)
    };
    let table = [
        ("RS256", RSA.sign(Some("rsa"), &claims(REMOTE))),
        ("ES256", P256.sign(Some("p256"), &claims(REMOTE))),
        ("EdDSA", ED.sign(Some("ed"), &claims(REMOTE))),
        ("no key id", ED.sign(None, &claims(REMOTE))),
        ("file, RS256", RSA.sign(None, &claims(FILE))),
        ("file, ES256", P256.sign(Some("whatever"), &claims(FILE))),
        ("HS256", shared(Algorithm::HS256)),
        ("HS384", shared(Algorithm::HS384)),
        ("HS512", shared(Algorithm::HS512)),
        ("local", local(Algorithm::HS256)),
        ("local, HS512", local(Algorithm::HS512)),
        (
            "same key id elsewhere",
            OTHER_RSA.sign(Some("rsa"), &claims(OTHER)),
        ),
        ("narrow, ES256", P256.sign(Some("p256"), &claims(NARROW))),
    ];
    assert_verdicts(table, None).await;
}

#[tokio::test]
async fn no_other_key_will_do() {
    let hs256 = |secret: &str, issuer| hmac(Algorithm::HS256, None, secret.as_bytes(), &claims(issuer));
    let table = [
        (
            "same key id, wrong issuer",
            OTHER_RSA.sign(Some("rsa"), &claims(REMOTE)),
        ),
        ("key of the file elsewhere", RSA.sign(Some("rsa"), &claims(OTHER))),
        ("not in the file", ED.sign(None, &claims(FILE))),
        ("unknown key id", RSA.sign(Some("new"), &claims(REMOTE))),
        ("another's key id", RSA.sign(Some("p256"), &claims(REMOTE))),
        ("local secret in an issuer's name", hs256(LOCAL, REMOTE)),
        ("local secret in another's name", hs256(LOCAL, SHARING)),
        ("shared secret as the local one", hs256(SHARED, "x")),
        ("unknown issuer", RSA.sign(Some("rsa"), &claims("https://evil"))),
        (
            "almost the issuer",
            RSA.sign(Some("rsa"), &claims("https://remote/")),
        ),
        (
            "no issuer",
            RSA.sign(Some("rsa"), &with(REMOTE, "iss", Value::Null)),
        ),
        ("narrow, RS256", RSA.sign(Some("rsa"), &claims(NARROW))),
    ];
    assert_verdicts(table, Some(TokenError::Invalid)).await;
}

#[tokio::test]
async fn claims_are_judged_by_their_issuer() {
    let signed = |name, value| ED.sign(Some("ed"), &with(REMOTE, name, value));
    let narrow = |name, value| P256.sign(Some("p256"), &with(NARROW, name, value));
    let good = [
        ("second audience", signed("aud", json!(["x", "phone"]))),
        ("leeway", signed("exp", json!(NOW - 4))),
        ("leeway", signed("nbf", json!(NOW + 5))),
        ("a number", signed("sub", json!(42))),
        ("no audience asked for", narrow("aud", json!("x"))),
    ];
    assert_verdicts(good, None).await;
    let invalid = [
        ("wrong audience", signed("aud", json!("x"))),
        ("no audience", signed("aud", json!([]))),
        ("control audience", narrow("aud", json!("tidings"))),
        (
            "audience of the local secret's tokens",
            signed("aud", json!("local-app")),
        ),
        ("not yet", signed("nbf", json!(NOW + 6))),
        ("refresh token", signed("type", json!("refresh"))),
    ];
    assert_verdicts(invalid, Some(TokenError::Invalid)).await;
    assert_verdicts(
        [("expired", signed("exp", json!(NOW - 5)))],
        Some(TokenError::Expired),
    )
    .await;
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let authenticator = authenticator(Revocations::default()).await;
    let jwk = RSA.published_as("rsa").to_string();
    let modulus = URL_SAFE_NO_PAD.decode(RSA.jwk["n"].as_str().unwrap()).unwrap();
    for name in ["https://remote", "https://file", "x"] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            for secret in [
                RSA.pem.as_bytes(),
                RSA.pem.trim_end().as_bytes(),
                jwk.as_bytes(),
                &modulus,
            ] {
                for id in [None, Some("rsa")] {
                    let token = hmac(algorithm, id, secret, &claims(name));
                    let verdict = authenticator.verify_user_at(&token, NOW).await;
                    assert_eq!(verdict, Err(TokenError::Invalid), "{name} {algorithm:?}");
                }
            }
        }
    }
    // The algorithm is not taken from the token: a good signature of a key under another's name is none.
    let good = RSA.sign(Some("rsa"), &claims("https://remote"));
    let (_, rest) = good.split_once('.').unwrap();
    for alg in ["none", "None", "NONE", "", "HS256", "ES256", "RS384", "PS256"] {
        let header = encoded(json!({"alg": alg, "kid": "rsa"}).to_string().as_bytes());
        let (payload, _) = rest.split_once('.').unwrap();
        for token in [format!("{header}.{rest}"), format!("{header}.{payload}.")] {
            let verdict = authenticator.verify_user_at(&token, NOW).await;
            assert_eq!(verdict, Err(TokenError::Invalid), "{alg}");
        }
    }
}

#[tokio::test]
async fn no_issuer_makes_an_operator() {
    let authenticator = authenticator(Revocations::default()).await;
    let claims =
        |issuer: Option<&str>| json!({"iss": issuer, "aud": "tidings", "scope": "operator", "exp": NOW + 60});
    let mut local = claims(None);
    local.as_object_mut().unwrap().remove("iss");
    let of_local = hmac(Algorithm::HS256, None, LOCAL.as_bytes(), &local);
    assert_eq!(
        authenticator
            .verify_service_at(&of_local, NOW)
            .map(|claims| claims.scope),
        Ok(ServiceScope::Operator)
    );
    for token in [
        RSA.sign(Some("rsa"), &claims(Some("https://remote"))),
        RSA.sign(Some("rsa"), &local),
        hmac(
            Algorithm::HS256,
            None,
            SHARED.as_bytes(),
            &claims(Some("https://shared")),
        ),
        hmac(Algorithm::HS256, None, SHARED.as_bytes(), &local),
    ] {
        assert_eq!(
            authenticator.verify_service_at(&token, NOW),
            Err(TokenError::Invalid)
        );
    }
}

#[tokio::test]
async fn a_gateway_may_ask_for_an_expiry() {
    let authenticator = authenticator(Revocations::default()).await;
    let mut without = claims("https://remote");
    without.as_object_mut().unwrap().remove("exp");
    let local = json!({"sub": "ann", "aud": "local-app"});
    for token in [
        ED.sign(Some("ed"), &without),
        hmac(Algorithm::HS256, None, LOCAL.as_bytes(), &local),
    ] {
        assert!(authenticator.verify_user_at(&token, NOW).await.is_ok());
        let asking = authenticator.clone().requiring_expiry();
        assert_eq!(asking.verify_user_at(&token, NOW).await, Err(TokenError::Invalid));
    }
}

#[tokio::test]
async fn revoked_tokens_are_told_as_such() {
    let revocations = Revocations::default();
    let authenticator = authenticator(revocations.clone()).await;
    let token = ED.sign(Some("ed"), &with("https://remote", "jti", json!("t1")));
    let newer = ED.sign(Some("ed"), &with("https://remote", "iat", json!(NOW)));
    let foreign = OTHER_RSA.sign(Some("rsa"), &with("https://remote", "jti", json!("t1")));
    assert!(authenticator.verify_user_at(&token, NOW).await.is_ok());
    let revoke = |tokens| Revocation {
        tokens,
        revoked_at_s: NOW - 30,
        until_s: NOW + 1_000,
    };
    revocations.apply([revoke(RevokedTokens::Id("t1".to_owned()))]);
    let verdict = async |token: &str| authenticator.verify_user_at(token, NOW).await.err();
    assert_eq!(verdict(&token).await, Some(TokenError::Revoked));
    assert_eq!(
        verdict(&foreign).await,
        Some(TokenError::Invalid),
        "never verified"
    );
    let other = ED.sign(Some("ed"), &with("https://remote", "jti", json!("t2")));
    assert_eq!(verdict(&other).await, None);
    revocations.apply([revoke(RevokedTokens::User(UserId::new("ann").unwrap()))]);
    assert_eq!(verdict(&other).await, Some(TokenError::Revoked));
    assert_eq!(verdict(&newer).await, None);
}
