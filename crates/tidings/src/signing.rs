//! The secret that tokens are signed and verified with.

use serde_json::{Map, Value};
use tidings_access::JwtSecret;

use crate::config::{Config, Mode};
use crate::data_dir::DataDir;
use crate::failure::{Failure, Outcome};

/// The configured secret; in development, if none is, that of the data directory.
pub(crate) fn secret(config: &Config) -> Outcome<JwtSecret> {
    let secret = match (&config.auth_jwt.secret, config.server.mode) {
        (Some(secret), _) => secret.clone(),
        (None, Mode::Development) => DataDir::open(&config.server.data_dir)?.jwt_secret()?,
        (None, Mode::Production) => {
            return Err(Failure::usage(
                "auth.jwt.secret is not set: export TIDINGS__AUTH__JWT__SECRET_FILE=PATH, as for the server",
            ));
        }
    };
    JwtSecret::new(secret.expose()).map_err(|error| Failure::Usage(error.into()))
}

/// The claims that a user's token needs to be good for this server: the configured issuer and audience.
pub(crate) fn user_claims(config: &Config) -> Map<String, Value> {
    let configured = [
        ("iss", &config.auth_jwt.issuer),
        ("aud", &config.auth_jwt.audience),
    ];
    configured
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.as_deref()?.into())))
        .collect()
}
