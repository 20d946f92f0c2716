//! Who else issues users' tokens.

use super::super::*;
use super::{effective, from_file, from_variables, written};

const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAyc+fp+PhDrFpStVRvLaR/Zu/fQc/XGoFl1tBgHLL5pU=\n-----END PUBLIC KEY-----\n";
const SECRET: &str = "5f4dcc3b5aa765d61d8327deb882cf99";
const ISSUERS: &str = "TIDINGS__AUTH__JWT__ISSUERS";

/// One issuer in a file, with these keys.
fn issuer(keys: &str) -> String {
    format!("[[auth.jwt.issuers]]\nissuer = \"https://a\"\n{keys}\n")
}

fn shown(loaded: &Loaded) -> String {
    let printed = effective(loaded);
    let line = printed
        .lines()
        .find(|line| line.starts_with("# issuers = "))
        .unwrap();
    line["# issuers = ".len()..]
        .rsplit_once(" # ")
        .unwrap()
        .0
        .to_owned()
}

#[test]
fn issuers_stand_in_a_file_or_a_variable() {
    let (pem, secret) = (written(PEM), written(&format!("{SECRET}\n")));
    let (pem, secret) = (pem.path().display(), secret.path().display());
    let text = format!(
        "[[auth.jwt.issuers]]\nissuer = \"https://a\"\naudience = \"app\"\njwks_url = \"https://a/keys?x=1\"\n\
         [[auth.jwt.issuers]]\nissuer = \"b\"\naudience = [\"app\", \"phone\"]\npublic_key_file = \"{pem}\"\nalgorithms = [\"EdDSA\"]\n\
         [[auth.jwt.issuers]]\nissuer = \"c\"\nsecret = \"{SECRET}\"\nalgorithms = [\"HS512\", \"HS256\"]\n\
         [[auth.jwt.issuers]]\nissuer = \"d\"\nsecret_file = \"{secret}\"\n"
    );
    let loaded = from_file(&text).unwrap();
    let expected = format!(
        r#"[{{ issuer = "https://a", audience = ["app"], jwks_url = "https://a/keys?x=1", algorithms = ["RS256", "ES256", "EdDSA"] }}, {{ issuer = "b", audience = ["app", "phone"], public_key_file = "{pem}", algorithms = ["EdDSA"] }}, {{ issuer = "c", secret = "[redacted]", algorithms = ["HS512", "HS256"] }}, {{ issuer = "d", secret = "[redacted]", algorithms = ["HS256", "HS384", "HS512"] }}]"#
    );
    assert_eq!(shown(&loaded), expected);
    assert!(!format!("{loaded:?}").contains(SECRET));
    for issuer in &loaded.config.auth_jwt.issuers.0[2..] {
        let JwtKeys::Secret(secret, _) = &issuer.keys else {
            panic!("{issuer:?}")
        };
        assert_eq!(secret.expose(), SECRET);
    }
    let in_variable = r#"[{ issuer = "https://a", jwks_url = "https://a/keys" }]"#;
    let loaded = from_variables(&[(ISSUERS, in_variable)]).unwrap();
    assert_eq!(loaded.config.auth_jwt.issuers.0.len(), 1);
    let file = written(in_variable);
    let loaded = from_variables(&[(&format!("{ISSUERS}_FILE"), &file.path().display().to_string())]);
    assert_eq!(loaded.unwrap().config.auth_jwt.issuers.0.len(), 1);
    assert_eq!(shown(&from_variables(&[]).unwrap()), "[]");
}

fn assert_told(table: impl IntoIterator<Item = (String, &'static str)>) {
    for (text, expected) in table {
        let found = from_file(&text).unwrap_err();
        assert!(found.contains(expected), "{text}\n{found}");
        assert!(!found.contains(SECRET) && !found.contains("too short"), "{found}");
    }
}

#[test]
fn an_issuer_that_is_none_is_told_by_its_place() {
    let url = "jwks_url = \"https://a/keys\"";
    let with = |more: &str| issuer(&format!("{url}\n{more}"));
    let many: Vec<String> = (0..33)
        .map(|n| format!("[[auth.jwt.issuers]]\nissuer = \"{n}\"\n{url}\n"))
        .collect();
    assert_told([
        ("[auth.jwt]\nissuers = 1".to_owned(), "found [redacted]"),
        (
            "[auth.jwt]\nissuers = [1]".to_owned(),
            "issuer 1: expected a table",
        ),
        (
            with("audience = \"\""),
            "`audience` is a text, or a list of texts",
        ),
        (with("audience = []"), "`audience` is a list of texts"),
        (with("audience = 7"), "`audience` is a list of texts"),
        (
            with("audience = [\"tidings\"]"),
            "the audience `tidings` is reserved",
        ),
        (with("algorithms = []"), "`algorithms` is a list of texts"),
        (with("algorithms = [\"none\"]"), "`none`: unknown algorithm"),
        (with("algorithms = [\"RS512\"]"), "`RS512`: unknown algorithm"),
        (
            with("algorithms = [\"RS256\", \"HS256\"]"),
            "`HS256` has a secret, not public keys",
        ),
        (with("keys = 1"), "there is no key `keys`"),
        (with("").repeat(2), "issuer 2: `https://a` is there twice"),
        (
            format!("[[auth.jwt.issuers]]\n{url}"),
            "issuer 1: it has no `issuer`",
        ),
        (many.concat(), "at most 32 issuers"),
    ]);
}

#[test]
fn keys_that_are_none_are_told_without_what_is_secret() {
    let private = written("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    let private = private.path().display();
    let url = "jwks_url = \"https://a/keys\"";
    assert_told([
        (
            issuer(""),
            "issuer 1: expected exactly one of jwks_url, public_key_file, secret, secret_file",
        ),
        (
            issuer(&format!("{url}\nsecret = \"{SECRET}\"")),
            "issuer 1: expected exactly one of",
        ),
        (
            issuer(&format!("secret = \"{SECRET}\"\nalgorithms = [\"RS256\"]")),
            "`RS256` has public keys, not a secret",
        ),
        (
            issuer("jwks_url = \"ftp://a\""),
            "`jwks_url` begins with https://",
        ),
        (
            issuer("jwks_url = \"a/keys\""),
            "`jwks_url`: relative URL without a base",
        ),
        (
            issuer("jwks_url = \"https://u:p@a/keys\""),
            "`jwks_url` holds no password",
        ),
        (issuer("jwks_url = 1"), "`jwks_url` is a text"),
        (
            issuer("secret = \"too short\""),
            "`secret`: signing secret is shorter than 32 bytes",
        ),
        (
            issuer("secret_file = \"/nowhere\""),
            "cannot read /nowhere: No such file",
        ),
        (
            issuer("public_key_file = \"/nowhere\""),
            "cannot read /nowhere: No such file",
        ),
        (
            issuer(&format!("public_key_file = \"{private}\"")),
            ": it has a private key",
        ),
    ]);
    let in_variable = format!("[{{ issuer = \"a\", secret = \"{SECRET}\", more = 1 }}]");
    let found = from_variables(&[(ISSUERS, &in_variable)])
        .unwrap_err()
        .to_string();
    assert!(
        found.contains("there is no key `more`") && !found.contains(SECRET),
        "{found}"
    );
}

#[test]
fn issuers_are_not_trusted_with_more_than_they_should_be() {
    let refused = |mode: &str, local: &str, issuer: &str| -> Vec<String> {
        let pairs = [
            ("TIDINGS__SERVER__MODE", mode),
            ("TIDINGS__AUTH__JWT__SECRET", local),
            ("TIDINGS__AUTH__JWT__ISSUER", "https://local"),
            (ISSUERS, issuer),
        ];
        let config = from_variables(&pairs).unwrap().config;
        refusals(&config, None)
            .into_iter()
            .filter(|refusal| refusal.subject == "auth.jwt.issuers")
            .map(|refusal| refusal.reason)
            .collect()
    };
    let one = |name: &str, keys: &str| format!("[{{ issuer = \"{name}\", {keys} }}]");
    let other = "0123456789abcdef0123456789abcdef";
    let table = [
        ("https://a", "jwks_url = 'https://a/k'".to_owned(), [None, None]),
        (
            "https://a",
            "jwks_url = 'http://localhost:1/k'".to_owned(),
            [None, None],
        ),
        (
            "https://a",
            "jwks_url = 'http://127.0.0.9/k'".to_owned(),
            [None, None],
        ),
        (
            "https://a",
            "jwks_url = 'http://[::1]:8/k'".to_owned(),
            [None, None],
        ),
        (
            "https://a",
            "jwks_url = 'http://a/k'".to_owned(),
            [None, Some("without TLS")],
        ),
        (
            "https://a",
            "jwks_url = 'http://127.0.0.1.a/k'".to_owned(),
            [None, Some("without TLS")],
        ),
        (
            "https://a",
            "jwks_url = 'http://10.0.0.1/k'".to_owned(),
            [None, Some("without TLS")],
        ),
        ("https://a", format!("secret = '{other}'"), [None, None]),
        (
            "https://a",
            format!("secret = '{SECRET}'"),
            [Some("of this server"); 2],
        ),
        (
            "https://a",
            format!("secret = '{}'", "ab".repeat(20)),
            [None, Some("not random")],
        ),
        (
            "https://local",
            "jwks_url = 'https://a/k'".to_owned(),
            [Some("`auth.jwt.issuer` too"); 2],
        ),
    ];
    for (name, keys, expected) in table {
        for (mode, expected) in ["development", "production"].into_iter().zip(expected) {
            let found = refused(mode, SECRET, &one(name, &keys));
            assert_eq!(
                found.len(),
                usize::from(expected.is_some()),
                "{keys} {mode}: {found:?}"
            );
            if let Some(expected) = expected {
                assert!(found[0].contains(expected), "{keys} {mode}: {found:?}");
            }
        }
    }
}
