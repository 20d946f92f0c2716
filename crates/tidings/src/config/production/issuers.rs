//! Issuers that are trusted with more than they should be.

use super::super::issuers::JwtKeys;
use super::{Config, Mode, Refusal};

const KEY: &str = "auth.jwt.issuers";

pub(super) fn refusals(config: &Config) -> Vec<Refusal> {
    let jwt = &config.auth_jwt;
    let mut refusals = Vec::new();
    for issuer in &jwt.issuers.0 {
        let mut refuse = |reason: &str, mend: &str| {
            refusals.push(Refusal::new(KEY, format!("{}: {reason}", issuer.name), mend));
        };
        if jwt.issuer.as_deref() == Some(&issuer.name) {
            refuse(
                "it is `auth.jwt.issuer` too, whose tokens would no more verify with `auth.jwt.secret`",
                "leave it in one of the two places",
            );
        }
        if config.server.mode == Mode::Production && issuer.is_insecure() {
            refuse(
                "its keys are asked for without TLS, so that whoever is on the way can send others",
                "use its address with https://",
            );
        }
        let JwtKeys::Secret(text, secret) = &issuer.keys else {
            continue;
        };
        if jwt.secret.as_ref() == Some(text) {
            refuse(
                "it has the secret of this server, and could make operators' tokens",
                "give each a secret of its own: openssl rand -hex 32",
            );
        } else if config.server.mode == Mode::Production && secret.is_guessable() {
            refuse("its secret is not random", "make a new one: openssl rand -hex 32");
        }
    }
    refusals
}
