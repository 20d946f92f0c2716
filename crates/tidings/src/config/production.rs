//! What a mode refuses, each with the command that mends it.

mod access;
mod issuers;
mod proxies;
mod tls;

use std::fmt;

use tidings_access::{CONTROL_AUDIENCE, JwtSecret, SECRET_BYTES_MIN};

use super::environment::variable_of;
use super::{Config, Mode, Secret};

const NEW_INGEST_TOKEN: &str = "export TIDINGS__TASKS__DAPR__API_TOKEN=\"$(openssl rand -hex 32)\", and the same as the sidecar's app token";

/// A reason not to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The key, or what else stands in the way.
    pub(crate) subject: String,
    /// Why.
    pub(crate) reason: String,
    /// The command or setting that mends it.
    pub(crate) mend: String,
}

impl Refusal {
    pub(crate) fn new(
        subject: impl Into<String>,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            subject: subject.into(),
            reason: reason.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}\n  {}", self.subject, self.reason, self.mend)
    }
}

/// Everything that speaks against starting with this configuration, as far as the configuration and the data
/// directory tell; what the store tells is added by `serve`.
pub(crate) fn refusals(config: &Config, development_secret: Option<&Secret>) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = match config.server.mode {
        Mode::Development => [secret_length(config), audience(config), exposed(config)]
            .into_iter()
            .flatten()
            .collect(),
        Mode::Production => [
            secret(config, development_secret),
            audience(config),
            origins(config),
            ingest(config),
            ingest_token(config),
            token_required(config),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    refusals.extend(access::refusals(config));
    refusals.extend(issuers::refusals(config));
    refusals.extend(proxies::refusals(config));
    refusals.extend(tls::refusals(config));
    refusals
}

/// Development mode lets anybody in who reaches it.
fn exposed(config: &Config) -> Option<Refusal> {
    let ingest = config
        .tasks
        .ingest_listen
        .map(|listen| ("tasks.ingest_listen".to_owned(), listen));
    let (key, listen) = config
        .listens()
        .into_iter()
        .map(|(gateway, listen)| (format!("{gateway}.listen"), listen))
        .chain(ingest)
        .find(|(_, listen)| !listen.is_loopback())?;
    Some(Refusal::new(
        key.clone(),
        format!(
            "{listen} can be reached from other machines, and development mode has demo keys and asks for no tokens"
        ),
        format!(
            "export {}=localhost:PORT, or start with --mode production",
            variable_of(&key)
        ),
    ))
}

fn secret_length(config: &Config) -> Option<Refusal> {
    let length = config.auth_jwt.secret.as_ref()?.expose().len();
    (length < SECRET_BYTES_MIN).then(|| {
        new_secret(format!(
            "has {length} bytes, and {SECRET_BYTES_MIN} are the least that is safe"
        ))
    })
}

fn secret(config: &Config, development_secret: Option<&Secret>) -> Option<Refusal> {
    let Some(secret) = &config.auth_jwt.secret else {
        return Some(new_secret("is not set".into()));
    };
    if Some(secret) == development_secret {
        return Some(new_secret(
            "is the development secret of this data directory".into(),
        ));
    }
    if JwtSecret::new(secret.expose()).is_ok_and(|secret| secret.is_guessable()) {
        return Some(new_secret("is not random".into()));
    }
    secret_length(config)
}

fn new_secret(reason: String) -> Refusal {
    Refusal::new(
        "auth.jwt.secret",
        reason,
        "(umask 077 && openssl rand -hex 32 > jwt-secret) && export TIDINGS__AUTH__JWT__SECRET_FILE=\"$PWD/jwt-secret\"",
    )
}

/// Users' tokens with the audience of operators' and services' would be told from these by their scope alone.
fn audience(config: &Config) -> Option<Refusal> {
    (config.auth_jwt.audience.as_deref() == Some(CONTROL_AUDIENCE)).then(|| {
        Refusal::new(
            "auth.jwt.audience",
            format!("`{CONTROL_AUDIENCE}` is reserved for operators' and services' tokens"),
            "export TIDINGS__AUTH__JWT__AUDIENCE=my-application, and the same `aud` in users' tokens",
        )
    })
}

fn origins(config: &Config) -> Option<Refusal> {
    let example = "export TIDINGS__ORIGINS__ALLOWED=https://app.example.com";
    let allowed = &config.origins.allowed;
    (allowed.is_empty()).then(|| {
        Refusal::new(
            "origins.allowed",
            "no web page may connect; name your application's origins",
            example,
        )
    })
}

/// The route injects events for any user, so only a token or a listener of its own on a private address will do: a
/// loopback listener it shares with clients is what a reverse proxy forwards to.
fn ingest(config: &Config) -> Option<Refusal> {
    let tasks = &config.tasks;
    let is_closed = match tasks.ingest_listen {
        None => tasks.listen.is_off(),
        Some(ingest) => {
            ingest.is_off()
                || ingest.is_private()
                    && !config
                        .listens()
                        .iter()
                        .any(|(_, listen)| ingest.shares_with(*listen))
        }
    };
    (!is_closed && config.tasks_dapr.api_token.is_none()).then(|| {
        Refusal::new(
            "tasks.dapr.api_token",
            format!(
                "{} would take events for any user from anybody",
                config.tasks_dapr.route
            ),
            format!("{NEW_INGEST_TOKEN}; or export TIDINGS__TASKS__INGEST_LISTEN=localhost:8005"),
        )
    })
}

/// A token that can be guessed protects nothing, and is worse than none: one relies on it.
fn ingest_token(config: &Config) -> Option<Refusal> {
    let token = config.tasks_dapr.api_token.as_ref()?.expose();
    let reason = match JwtSecret::new(token) {
        Err(_) => format!(
            "has {} bytes, and {SECRET_BYTES_MIN} are the least that is safe",
            token.len()
        ),
        Ok(token) if token.is_guessable() => "is not random".into(),
        Ok(_) => return None,
    };
    Some(Refusal::new("tasks.dapr.api_token", reason, NEW_INGEST_TOKEN))
}

fn token_required(config: &Config) -> Option<Refusal> {
    (!config.tasks.token_required).then(|| {
        Refusal::new(
            "tasks.token_required",
            "without a token anybody may read any user's tasks",
            "unset TIDINGS__TASKS__TOKEN_REQUIRED (and the key in the file)",
        )
    })
}
